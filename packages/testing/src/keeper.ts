import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What must not outlive this process: groups of processes by their id, and temporary folders. A small shell knows
 * them and clears them away once this process is gone, however that came about: it reads a pipe, and the pipe ends
 * with whoever holds its other side.
 */
const groups = new Set<number>();
const folders = new Set<string>();
let shell: ChildProcess | undefined;

// Each line replaces the one before: ids of process groups, then folders, none of which holds a space.
const CLEAR_UP = `
  last=
  while IFS= read -r line; do last=$line; done
  for item in $last; do case $item in /*) ;; *) kill -s KILL -- "-$item" ;; esac; done
  for item in $last; do case $item in /*) rm -rf -- "$item" ;; esac; done
`;

/** Sees to it that the process group does not outlive this process. Returns a function that forgets it. */
export function keepGroup(id: number): () => void {
  groups.add(id);
  tellShell();
  return () => {
    if (groups.delete(id)) tellShell();
  };
}

/** A folder that goes with this process at the latest. */
export interface TemporaryFolder {
  readonly path: string;
  /** Removes it with all it holds; doing so again does nothing. */
  remove(): void;
}

/**
 * Makes an empty folder in the system's folder for such that is removed by `remove()`, or when this process ends.
 *
 * @param owner whom it shall belong to, when that is not this process' user
 */
export function temporaryFolder(name: string, owner?: { uid: number; gid: number }): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), `signalbox-${name}-`));
  if (/\s/.test(path))
    throw new Error(`The folder for temporary files must have no space in its path: ${path}`);
  if (owner) chownSync(path, owner.uid, owner.gid);
  folders.add(path);
  tellShell();
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true, maxRetries: 3 });
      // As long as the last file that was looked at is a socket, Node's `require` follows no links (Node 20).
      statSync(tmpdir());
      if (folders.delete(path)) tellShell();
    },
  };
}

function tellShell(): void {
  shell ??= startShell();
  shell.stdin?.write(`${[...groups, ...folders].join(' ')}\n`);
}

function startShell(): ChildProcess {
  // Detached: Ctrl-C reaches everything in the terminal's group, and this one has to survive it.
  const child = spawn('/bin/sh', ['-c', CLEAR_UP], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  child.unref();
  // A pipe is a net.Socket, though its type does not say so.
  if (child.stdin instanceof Socket) child.stdin.unref();
  return child;
}
