import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, type RequestListener, request } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { takeUpgrades } from '@signalbox/context';
import { type ServerState, signals } from '@signalbox/signals';
import express from 'express';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ListenError, type ServeOptions, serve } from '../src/index.js';
import { type Program, startProgram } from '../../../test/support/program.js';
import { serveHere } from './support.js';

const hello: RequestListener = (_req, res) => res.end('hello');

describe('serve', () => {
  it('serves an Express app on a free port and tells where', async () => {
    const app = express();
    app.get('/', (_req, res) => void res.send('hello'));
    const { url, address, server, state } = await serveHere(app);

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(address).toEqual({ host: '127.0.0.1', port: Number(new URL(url).port) });
    expect(server.listening).toBe(true);
    expect(state).toBe('ready');
    expect(await (await fetch(url)).text()).toBe('hello');
  });

  it('serves who offers HTTP/2 with every request of a connection, as Java’s client does, without end', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const { url, server } = await serveHere(hello);
    takeUpgrades(server, { owns: () => false, take: () => undefined });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const headers = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABk' };
    for (let times = 0; times < 15; times += 1) {
      const [response] = (await once(request(url, { agent, headers }).end(), 'response')) as [
        IncomingMessage,
      ];
      expect(await text(response)).toBe('hello');
    }
    expect(warnings).toEqual([]);
  });

  it('takes the port as a string, as the environment has it', async () => {
    const { url } = await serveHere(hello, { port: '0' });
    expect((await fetch(url)).status).toBe(200);
  });

  it.each([
    ['0.0.0.0', /^http:\/\/127\.0\.0\.1:\d+$/],
    ['localhost', /^http:\/\/localhost:\d+$/],
  ])('gives a URL that can be called when it listens on %s', async (host, expected) => {
    const { url } = await serveHere(hello, { host });
    expect(url).toMatch(expected);
    expect(await (await fetch(url)).text()).toBe('hello');
  });

  it('publishes its states, and what it was closed with', async () => {
    const states: string[] = [];
    let server: object | undefined;
    const ofThisServer: ServerState[] = [];
    onTestFinished(signals.serverState.subscribe((event) => ofThisServer.push(event)));

    const running = await serveHere(hello, { attach: (attached) => void (server = attached) });
    expect(running.draining.aborted).toBe(false);
    await running.close();
    for (const event of ofThisServer) if (event.server === server) states.push(event.state);
    expect(states).toEqual(['starting', 'ready', 'draining', 'closed']);
    expect(running.state).toBe('closed');
    expect(running.draining.aborted).toBe(true);
  });

  it('leaves no listeners on the process behind', async () => {
    const count = (): number => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
    const before = count();
    const one = await serveHere(hello, { signals: true });
    const two = await serveHere(hello, { signals: true });
    expect(count()).toBe(before + 2);
    await one.close();
    expect(count()).toBe(before + 2);
    await two.close();
    expect(count()).toBe(before);
  });

  it('tells a pino logger where it listens', async () => {
    const lines: { msg: string; url?: string }[] = [];
    const log = pino({}, { write: (line) => void lines.push(JSON.parse(line)) });
    const { url } = await serveHere(hello, { log });
    expect(lines).toMatchObject([{ msg: `listening on ${url}`, url }]);
  });

  it('does not listen when "attach" fails', async () => {
    let listening = true;
    const serving = serve(hello, {
      port: 0,
      signals: false,
      async attach(server) {
        listening = server.listening;
        throw new Error('no sockets today');
      },
    });
    await expect(serving).rejects.toThrow('no sockets today');
    expect(listening).toBe(false);
  });

  describe('says why it cannot listen', () => {
    it('when the port is in use', async () => {
      const other = createNetServer().listen(0, '127.0.0.1');
      onTestFinished(() => void other.close());
      await once(other, 'listening');
      const { port } = other.address() as AddressInfo;

      const error = await serve(hello, { port, signals: false }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ListenError);
      expect(error).toMatchObject({
        name: 'ListenError',
        code: 'EADDRINUSE',
        message: `port ${port} on 127.0.0.1 is already in use; set PORT to another, or 0 for any free one`,
        cause: { syscall: 'listen' },
      });
    });

    it('when the address is not its own', async () => {
      await expect(serve(hello, { port: 0, host: '192.0.2.1' })).rejects.toThrow(
        'this machine has no address 192.0.2.1; set HOST to one of its own',
      );
    });

    it('when the host has no address', async () => {
      await expect(serve(hello, { port: 0, host: 'no-such-host.invalid' })).rejects.toThrow(
        'the host name no-such-host.invalid cannot be resolved',
      );
    });

    // Root may listen anywhere, so another user has to try.
    it.runIf(process.getuid?.() === 0)('when it has no permission', async () => {
      const script = new URL('./fixtures/low-port.mjs', import.meta.url).pathname;
      const { stdout } = await promisify(execFile)(process.execPath, [script]);
      expect(stdout).toContain('EACCES no permission to listen on port');
    });
  });

  describe('on a Unix socket', () => {
    it('serves, with the mode that it is given, and takes the file away', async () => {
      const socket = await socketPath();
      const running = await serveHere(hello, { socket, socketMode: 0o660 });
      expect(running.url).toBe(`unix:${socket}`);
      expect(running.address).toMatchObject({ socket });
      expect((await stat(socket)).mode & 0o777).toBe(0o660);
      expect(await getOverSocket(socket)).toBe('hello');

      await running.close();
      await expect(stat(socket)).rejects.toThrow('ENOENT');
    });

    it('replaces the file of a process that died', async () => {
      const socket = await socketPath();
      const script = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`;
      await promisify(execFile)(process.execPath, ['-e', script]).catch(() => undefined);
      expect((await stat(socket)).isSocket()).toBe(true);

      await serveHere(hello, { socket });
      expect(await getOverSocket(socket)).toBe('hello');
    });

    it('leaves a server alone that listens there already', async () => {
      const socket = await socketPath();
      await serveHere((_req, res) => res.end('first'), { socket });
      await expect(serveHere(hello, { socket })).rejects.toThrow(
        `another server already listens on the socket ${socket}`,
      );
      expect(await getOverSocket(socket)).toBe('first');
    });

    it('leaves a file alone that is no socket', async () => {
      const socket = await socketPath();
      await writeFile(socket, 'precious');
      await expect(serveHere(hello, { socket })).rejects.toThrow(`${socket} exists and is not a socket`);
      expect((await stat(socket)).size).toBe(8);
    });

    it('says when there is no such folder', async () => {
      const socket = join(await socketPath(), 'deeper.sock');
      await expect(serveHere(hello, { socket })).rejects.toThrow('there is no folder');
    });
  });

  describe('on a socket that it inherited', () => {
    it('serves a port, and tells which', async () => {
      const [, url = ''] = await (await startInheriting()).waitFor(/serves (http:\S+)/);
      expect(await (await fetch(url)).text()).toBe('hello');
    });

    it('leaves require as it was: it follows links', async () => {
      const [line] = await (await startInheriting()).waitFor(/loaded .*/);
      expect(line).toBe('loaded /real/module.cjs and /real/module.cjs');
    });

    it('serves a Unix socket', async () => {
      const socket = await socketPath();
      await (await startInheriting({ INHERITED_PATH: socket })).waitFor(/serves fd:3/);
      expect(await getOverSocket(socket)).toBe('hello');
    });

    it.each([
      ['is not there', 999, 'EBADF'],
      ['is a file', openSync('/dev/null', 'r'), 'ENOTSOCK'],
    ])('says so when it %s', async (_what, fd, code) => {
      const error = await serve(hello, { fd, signals: false }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ListenError);
      expect(error).toMatchObject({
        code,
        message: `descriptor ${fd} is no socket to listen on; it has to come from whoever starts this process, such as a socket unit of systemd`,
      });
    });
  });

  it.each<[message: string, options: object]>([
    ['"port" must be an integer from 0 to 65535, got 70000', { port: 70_000 }],
    ['"port" must be an integer from 0 to 65535, got "http"', { port: 'http' }],
    ['"port" must be an integer from 0 to 65535, got ""', { port: '' }],
    ['give "port" or "socket", not both', { port: 1, socket: '/tmp/x' }],
    ['give "port" or "fd", not both', { port: 1, fd: 3 }],
    ['give "socket" or "fd", not both', { socket: '/tmp/x', fd: 3 }],
    ['"fd" must be an integer of at least 0, got "3"', { fd: '3' }],
    ['"socket" must be a path of at most 107 bytes', { port: undefined, socket: 'x'.repeat(108) }],
    ['"socketMode" needs "socket"', { socketMode: 0o600 }],
    ['"host" must be an address or a host name, got ""', { host: '' }],
    ['"keepAliveTimeoutMs" must be an integer from 1 to 2147483647, got 0', { keepAliveTimeoutMs: 0 }],
    ['"headersTimeoutMs" must be an integer from 1 to 2147483647, got NaN', { headersTimeoutMs: Number.NaN }],
    [
      '"headersTimeoutMs" must be at most "requestTimeoutMs" (5)',
      { headersTimeoutMs: 6, requestTimeoutMs: 5 },
    ],
    ['"maxHeaderBytes" must be an integer of at least 1024, got 10', { maxHeaderBytes: 10 }],
    ['"maxConnections" must be an integer of at least 1, got 0', { maxConnections: 0 }],
    ['"behindProxy" must be true or false, got "yes"', { behindProxy: 'yes' }],
    ['"signals" must be true or false, got an array', { signals: ['SIGTERM'] }],
    ['"tls" must be an object with key and cert, got true', { tls: true }],
    ['"attach" must be a function, got an object', { attach: {} }],
    [
      '"log" must have the methods info, warn and error, as a pino logger has; "warn" is missing',
      { log: { info() {} } },
    ],
    ['"prot" is not an option; did you mean "port"?', { prot: 1 }],
    ['"keepAliveTimeout" is not an option; did you mean "keepAliveTimeoutMs"?', { keepAliveTimeout: 1 }],
    ['"zebra" is not an option; there are port, host', { zebra: 1 }],
    ['"drain" must be an object, got 5', { drain: 5 }],
    ['"drain.totalMs" must be an integer from 1 to 2147483647, got 0', { drain: { totalMs: 0 } }],
    ['"drain": "linger" is not an option; did you mean "lingerMs"?', { drain: { linger: 1 } }],
    [
      'the budgets in "drain" must fit into "totalMs" (1000)',
      { drain: { totalMs: 1_000, socketsMs: 2_000 } },
    ],
    ['must fit into "totalMs" (30000), but add up to at least 44000', { drain: { httpMs: 30_000 } }],
    [
      '"drain.lingerMs" must be at most the 500 ms of "httpMs", got 900',
      { drain: { httpMs: 500, lingerMs: 900 } },
    ],
    ['"resources" must be an array of { name, close, phase }, got an object', { resources: {} }],
    ['"resources[0]" must be an object, got null', { resources: [null] }],
    ['"resources[0].name" must be a non-empty string, got undefined', { resources: [{ close() {} }] }],
    ['"resources[0].close" must be a function, got undefined', { resources: [{ name: 'a' }] }],
    [
      '"resources[0].phase" must be "sockets" or "jobs" or "pools" or "logs", got "pool"',
      { resources: [{ name: 'a', close() {}, phase: 'pool' }] },
    ],
    [
      '"resources[0].budgetMs" must be at most the 3000 ms of "drain.poolsMs"',
      { resources: [{ name: 'a', close() {}, budgetMs: 4_000 }] },
    ],
  ])('refuses bad options: %s', async (message, options) => {
    const serving = serve(hello, { ...(options as ServeOptions) });
    await expect(serving).rejects.toThrow(TypeError);
    await expect(serving).rejects.toThrow(message);
  });

  it('refuses what is no app', async () => {
    const notAnApp: object = { listen: true };
    await expect(serve(notAnApp as RequestListener)).rejects.toThrow(
      'serve: "app" must be an Express app or a request listener, got an object',
    );
  });
});

async function startInheriting(env: Record<string, string> = {}): Promise<Program> {
  const [holder = '', program = ''] = ['with-a-socket', 'inheriting'].map(
    (name) => new URL(`./fixtures/${name}.mjs`, import.meta.url).pathname,
  );
  const started = await startProgram(process.execPath, [holder, program], { env });
  onTestFinished(() => started.kill().then(() => undefined));
  return started;
}

async function socketPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'serve-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, 'http.sock');
}

async function getOverSocket(socketPath: string): Promise<string> {
  const req = request({ socketPath, agent: false }).end();
  const [res] = await once(req, 'response');
  let text = '';
  for await (const chunk of res) text += String(chunk);
  return text;
}
