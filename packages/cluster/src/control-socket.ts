import { once } from 'node:events';
import { type Socket, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { ListenError, requireFreeAddress } from '@signalbox/server';
import { ClusterError, fileError } from './cluster-error.js';
import type { Command, Reply } from './control-client.js';

export interface ControlSocket {
  close(): Promise<void>;
}

/** Commands are short. */
const MAX_COMMAND_BYTES = 1_024;

/**
 * Takes commands on a Unix socket that only this user may connect to: a line of JSON each, answered by another.
 *
 * @throws {ClusterError} when another manager listens there, or it cannot be made
 */
export async function openControlSocket(
  path: string,
  obey: (command: Command) => Promise<unknown>,
): Promise<ControlSocket> {
  await requireFree(path);
  const server = createServer((socket) => void serveClient(socket, obey));
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket.once('close', () => open.delete(socket)));
  });
  // The file is made as this returns, and would be open to all for a moment otherwise.
  const umask = process.umask(0o177);
  server.listen(path);
  process.umask(umask);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw fileError('create the control socket', path, error);
  }
  server.unref();
  server.on('error', () => undefined);
  return {
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      // Whoever waits for the end of the manager sees it by that.
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

async function requireFree(path: string): Promise<void> {
  try {
    await requireFreeAddress({ socket: path, socketMode: undefined });
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    if (error.code === 'EADDRINUSE') {
      throw new ClusterError(
        'already_running',
        `a manager already runs here and listens on ${path}; stop it first, or choose another pid file`,
        { cause: error },
      );
    }
    throw fileError('create the control socket', path, error);
  }
}

async function serveClient(socket: Socket, obey: (command: Command) => Promise<unknown>): Promise<void> {
  socket.on('error', () => undefined);
  socket.setTimeout(5_000, () => socket.destroy());
  try {
    const command = readCommand(await firstLine(socket, MAX_COMMAND_BYTES));
    // A reload takes its time.
    socket.setTimeout(0);
    reply(socket, { ok: true, result: await obey(command) });
  } catch (error) {
    reply(socket, { ok: false, error: error instanceof Error ? error.message : String(error) });
  }
}

function reply(socket: Socket, answer: Reply): void {
  if (!socket.destroyed) socket.end(`${JSON.stringify(answer)}\n`);
}

function readCommand(line: string): Command {
  const message: unknown = JSON.parse(line);
  const command = typeof message === 'object' && message !== null && 'command' in message && message.command;
  if (command === 'status' || command === 'reload' || command === 'stop' || command === 'quit')
    return command;
  throw new Error('there are the commands status, reload, stop and quit');
}

async function firstLine(socket: Socket, maxBytes: number): Promise<string> {
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    if (bytes > maxBytes) socket.destroy();
  });
  for await (const line of createInterface({ input: socket })) return line;
  throw new Error('no command came');
}
