import { closeSync, openSync } from 'node:fs';
import { fileError } from './cluster-error.js';

/** Where standard output and error of workers go. */
export interface Output {
  readonly target: number | 'inherit';
  /** Opens the file by its name again, for workers that are started from now on. */
  reopen(): void;
  close(): void;
}

/** @throws {ClusterError} when the file cannot be opened */
export function openOutput(path: string | undefined): Output {
  if (path === undefined) return { target: 'inherit', reopen: () => undefined, close: () => undefined };
  let target = open(path);
  return {
    get target() {
      return target;
    },
    reopen() {
      const before = target;
      target = open(path);
      closeSync(before);
    },
    close: () => closeSync(target),
  };
}

function open(path: string): number {
  try {
    return openSync(path, 'a', 0o640);
  } catch (error) {
    throw fileError('write to', path, error);
  }
}
