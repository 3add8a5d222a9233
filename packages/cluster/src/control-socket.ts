import { once } from 'node:events';
import { type Socket, connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { ListenError, requireFreeAddress } from '@signalbox/server';
import { ClusterError, codeOf, fileError } from './cluster-error.js';

/** What may be asked of a manager. */
export type Command = 'status' | 'reload' | 'stop' | 'quit';

type Reply = { ok: true; result: unknown } | { ok: false; error: string };

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

/**
 * Gives a manager a command.
 *
 * @throws {ClusterError} when none listens there, it may not be asked, or does not answer
 */
export async function command(path: string, name: Command, withinMs: number): Promise<unknown> {
  const socket = connect(path);
  socket.setTimeout(withinMs, () => socket.destroy(new Error('timeout')));
  try {
    await once(socket, 'connect');
    socket.write(`${JSON.stringify({ command: name })}\n`);
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
    const answer = JSON.parse(text) as Reply;
    if (answer.ok) return answer.result;
    throw new ClusterError('failed', answer.error);
  } catch (error) {
    if (error instanceof ClusterError) throw error;
    throw unreachable(path, error, withinMs);
  } finally {
    socket.destroy();
  }
}

function unreachable(path: string, error: unknown, withinMs: number): ClusterError {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return new ClusterError('no_permission', `no permission to use the control socket ${path}`, {
      cause: error,
    });
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new ClusterError('not_running', `no manager listens on ${path}`, { cause: error });
  }
  const isLate = error instanceof Error && error.message === 'timeout';
  if (isLate) return new ClusterError('timed_out', `the manager did not answer within ${withinMs} ms`);
  return new ClusterError('failed', `the manager broke off the connection`, { cause: error });
}
