import cluster from 'node:cluster';
import { existsSync, lstatSync, mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { Server as Engine } from 'engine.io';
import { refuseRequest, refuseUpgrade } from './http-refusal.js';
import { sessionElsewhere } from './refusals.js';
import { nodeOf } from './session-id.js';

/**
 * Hands requests of long-polling sessions to the worker of this machine that has the session: the workers of one primary
 * share a port, and nothing before them knows which is which.
 */
export interface WorkerRelay {
  /** Whether the session is that of a worker beside this one. */
  knows(node: string): boolean;
  request(node: string, req: IncomingMessage, res: ServerResponse): void;
  upgrade(node: string, req: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
}

/**
 * Listens on a Unix socket, in a folder that only this user can look into. Where there cannot be one there is no relay, and
 * sessions of other workers are refused with the reason.
 *
 * @returns `undefined` where this is no worker
 */
export function createWorkerRelay(engine: Engine, node: string): WorkerRelay | undefined {
  if (!cluster.isWorker) return undefined;
  const folder = join(tmpdir(), `signalbox-realtime-${process.getuid?.() ?? 0}-${process.ppid}`);
  const pathOf = (of: string): string => join(folder, `${of}.sock`);
  if (!isOwnFolder(folder)) return undefined;

  const server = createServer((req, res) => {
    if (isFor(node, req)) engine.handleRequest(req, res);
    else refuseRequest(sessionElsewhere(), res);
  });
  server.on('upgrade', (req, socket, head) => {
    if (isFor(node, req)) engine.handleUpgrade(req, socket, head);
    else refuseUpgrade(sessionElsewhere(), socket);
  });
  // A path that is too long, or a disk that is full: the others find nothing there.
  server.on('error', () => undefined);
  // Long polls last as long as the server's pings are apart, and connections as long as both workers.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 0;
  const agent = new Agent({ keepAlive: true });
  // Not through the primary, which would share it among the workers.
  server.listen({ path: pathOf(node), exclusive: true });
  server.unref();

  return {
    knows: (owner) => existsSync(pathOf(owner)),
    request: (owner, req, res) => relayRequest(agent, pathOf(owner), req, res),
    upgrade: (owner, req, socket, head) => relayUpgrade(pathOf(owner), req, socket, head),
    close() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      removeSocket(pathOf(node));
      try {
        rmdirSync(folder);
      } catch {
        // The others are still there.
      }
    },
  };
}

/** Who else may write to a folder for everybody may have made it first, to hear what goes through. */
function isOwnFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700, recursive: true });
    const { uid, mode } = lstatSync(folder);
    return lstatSync(folder).isDirectory() && uid === (process.getuid?.() ?? uid) && (mode & 0o077) === 0;
  } catch {
    return false;
  }
}

function isFor(node: string, { url = '' }: IncomingMessage): boolean {
  const sessionId = new URLSearchParams(url.slice(url.indexOf('?') + 1)).getAll('sid').at(-1) ?? '';
  return nodeOf(sessionId) === node;
}

function relayRequest(agent: Agent, socketPath: string, req: IncomingMessage, res: ServerResponse): void {
  const { method, url: path, headers } = req;
  const { connection: _hop, 'keep-alive': _also, ...passed } = headers;
  const onward = httpRequest({ agent, socketPath, method, path, headers: passed });
  onward.on('response', (answer) => {
    const { connection: _back, 'keep-alive': _too, ...rest } = answer.headers;
    res.writeHead(answer.statusCode ?? 502, rest);
    answer.pipe(res);
    answer.on('error', () => res.destroy());
  });
  onward.on('error', (error) => {
    gone(error, socketPath, () => refuseRequest(sessionElsewhere(), res), res.headersSent);
  });
  res.on('close', () => onward.destroy());
  req.pipe(onward);
}

function relayUpgrade(socketPath: string, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  const onward = connect(socketPath);
  let isOpen = false;
  onward.on('connect', () => {
    isOpen = true;
    onward.write(headOf(req));
    onward.write(head);
    onward.pipe(socket).pipe(onward);
  });
  onward.on('error', (error) => {
    gone(error, socketPath, () => refuseUpgrade(sessionElsewhere(), socket), isOpen);
  });
  socket.on('error', () => onward.destroy());
  onward.on('close', () => isOpen && socket.destroy());
  socket.on('close', () => onward.destroy());
}

/** A worker that was killed leaves its socket behind. One that lives keeps it, whatever became of this request. */
function gone(error: Error, socketPath: string, refuse: () => void, hasBegun: boolean): void {
  if ('code' in error && error.code === 'ECONNREFUSED') removeSocket(socketPath);
  if (!hasBegun) refuse();
}

/** Not by `rmSync`: it looks at the file, and after a socket Node's `require` follows no links (Node 20). */
function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already.
  }
}

/** As it came: names and values were checked when they were parsed. */
function headOf({ method = 'GET', url = '/', rawHeaders }: IncomingMessage): string {
  let text = `${method} ${url} HTTP/1.1\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    text += `${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}\r\n`;
  }
  return `${text}\r\n`;
}
