/**
 * A server of sockets for the public test suites of the protocols: `/socket.io/` for that of socket.io-protocol,
 * `/engine.io/` for that of engine.io-protocol.
 *
 * `node test/dist/conformance/realtime-suite.js --port 3000 [--redis redis://127.0.0.1:6379]`
 */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { parseArgs } from 'node:util';
import { realtime, type Realtime, type SocketAuth } from '@signalbox/realtime';
import { connectRedis, type RedisLink } from '@signalbox/redis';

type Socket = Parameters<Realtime['principalOf']>[0];

/** What both suites expect to find. */
const TIMES = {
  pingIntervalMs: 300,
  pingTimeoutMs: 200,
  maxPayloadBytes: 1_000_000,
  connectTimeoutMs: 1_000,
};

/**
 * The suite listens for one message after the other, and misses the second of two that arrive together, as the answer to
 * a handshake and an event right behind it do where the machine is busy.
 */
const APART_MS = 20;

/** Tells what it was sent, as the suite of socket.io-protocol has it. */
function attachSocketIo(server: Server, redis: RedisLink | undefined): void {
  const { io, principalOf } = realtime(server, {
    ...TIMES,
    redis,
    namespaces: ['/custom'],
    // The suite's first event is another one.
    greeting: false,
    authenticate: (_req, auth) => ({ subject: randomUUID(), auth }),
  });
  const tellAuth = (socket: Socket): void => {
    const { auth } = principalOf(socket) as { auth?: SocketAuth };
    setTimeout(() => socket.emit('auth', auth), APART_MS);
  };
  io.on('connection', (socket) => {
    tellAuth(socket);
    socket.on('message', (...args: unknown[]) => socket.emit('message-back', ...args));
    socket.on('message-with-ack', (...args: unknown[]) => {
      const reply = args.pop() as (...answer: unknown[]) => void;
      reply(...args);
    });
  });
  io.of('/custom').on('connection', tellAuth);
}

/** The layer below: sends every message back as it came, with no Socket.IO above it. */
function attachEngineIo(server: Server): void {
  const { io } = realtime(server, { ...TIMES, path: '/engine.io', anonymous: true, serveClient: false });
  const [socketIo] = io.engine.listeners('connection').slice(-1) as ((socket: unknown) => void)[];
  if (socketIo !== undefined) io.engine.off('connection', socketIo);
  io.engine.on('connection', (socket) => {
    socket.on('data', (data: string | Buffer) => socket.send(data));
  });
}

/** @throws {TypeError} saying what is wrong */
function settingsOf(args: readonly string[]): { port: number; redis: RedisLink | undefined } {
  const { values } = parseArgs({
    args: [...args],
    options: { port: { type: 'string' }, redis: { type: 'string' } },
  });
  const { port = '', redis } = values;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new TypeError('"--port" must be a number from 0 to 65535');
  }
  return { port: Number(port), redis: redis === undefined ? undefined : connectRedis(redis) };
}

function start(): void {
  const { port, redis } = settingsOf(process.argv.slice(2));
  const server = createServer((_req, res) => {
    res.statusCode = 404;
    res.end();
  });
  attachSocketIo(server, redis);
  attachEngineIo(server);
  server.on('error', (error) => {
    console.error(`realtime-suite: ${error.message}`);
    process.exit(1);
  });
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    const where = typeof address === 'object' && address !== null ? address.port : port;
    console.log(`realtime-suite: listening on http://127.0.0.1:${where}`);
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
}

try {
  start();
} catch (error) {
  // The first of them says what is wrong, where Node has advice to add.
  const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
  console.error(`realtime-suite: ${sentence}`);
  process.exitCode = 2;
}
