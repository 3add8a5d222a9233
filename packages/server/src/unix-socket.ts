import { once } from 'node:events';
import { lstat, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { ListenError } from './listen-error.js';

/**
 * Listens on a Unix socket. The file that a crashed process left behind is replaced; one that a server
 * answers on is not, and neither is anything that is no socket.
 *
 * @throws {ListenError} when it cannot
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  try {
    await tryToListen(server, path);
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw await refusal(path, error);
    await removeDeadSocket(path, error);
    try {
      await tryToListen(server, path);
    } catch (again) {
      throw await refusal(path, again);
    }
  }
}

async function tryToListen(server: Server, path: string): Promise<void> {
  server.listen(path);
  await once(server, 'listening');
}

async function removeDeadSocket(path: string, inUse: unknown): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined) return;
  if (!file.isSocket()) {
    throw new ListenError(
      `${path} exists and is not a socket; remove it, or choose another path`,
      'EEXIST',
      inUse,
    );
  }
  if (await answers(path)) {
    throw new ListenError(
      `another server already listens on the socket ${path}; stop it first, or choose another path`,
      'EADDRINUSE',
      inUse,
    );
  }
  // Somebody else may have found it dead as well, and listen on a new one by now.
  const now = await lstat(path).catch(() => undefined);
  if (now?.ino === file.ino) await unlink(path).catch(() => undefined);
}

/** Whether a server is behind it. Only a refused connection proves that there is none. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return codeOf(error) !== 'ECONNREFUSED' && codeOf(error) !== 'ENOENT';
  } finally {
    socket.destroy();
  }
}

async function refusal(path: string, error: unknown): Promise<ListenError> {
  const folder = dirname(path);
  const code = codeOf(error);
  // The system reports a missing folder as a missing permission.
  const exists = await lstat(folder).then(
    () => true,
    () => false,
  );
  if (!exists) {
    return new ListenError(`cannot create the socket ${path}: there is no folder ${folder}`, 'ENOENT', error);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new ListenError(
      `no permission to create the socket ${path}; it takes write access to ${folder}`,
      code,
      error,
    );
  }
  if (code === 'EADDRINUSE') {
    return new ListenError(
      `another server has just begun to listen on the socket ${path}; stop it first, or choose another path`,
      code,
      error,
    );
  }
  return new ListenError(`cannot listen on the socket ${path} (${code})`, code, error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
}
