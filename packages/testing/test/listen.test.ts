import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen, start } from '../src/index.js';

function greeting(): express.Express {
  const app = express();
  app.get('/', (_req, res) => {
    res.send('hello');
  });
  return app;
}

describe('start', () => {
  it('serves an Express app on a free port of the loopback address', async () => {
    const { url, close } = await start(greeting());

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await (await fetch(url)).text()).toBe('hello');
    await close();
  });

  it('serves a plain request listener', async () => {
    const { url, close } = await start((_req, res) => res.end('plain'));

    expect(await (await fetch(url)).text()).toBe('plain');
    await close();
  });

  it('serves a server that the caller made, listening or not', async () => {
    const mine = createServer((_req, res) => res.end('mine'));
    const first = await start(mine);
    const second = await start(mine);

    expect(second.url).toBe(first.url);
    expect(second.server).toBe(mine);
    await second.close();
    expect(mine.listening).toBe(false);
  });

  it('writes an IPv6 address as a URL wants it', async () => {
    const mine = createServer((_req, res) => res.end('six'));
    mine.listen(0, '::1');
    await once(mine, 'listening');
    const { url, close } = await start(mine);

    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect(await (await fetch(url)).text()).toBe('six');
    await close();
  });

  it('closes while a keep-alive connection is open and a request unanswered', async () => {
    const { url, server, close } = await start(() => undefined);
    const arrived = once(server, 'request');
    const unanswered = request(url);
    const failed = once(unanswered, 'error');
    unanswered.end();
    await arrived;

    await close();

    await failed;
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });

  it('closes while an upgraded connection is open', async () => {
    const server = createServer();
    server.on('upgrade', (_req, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    const { url, close } = await start(server);
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
    await once(socket, 'data');
    const closed = once(socket, 'close');

    await close();

    await closed;
  });

  it('closes what a server has left open that the test closed itself', async () => {
    const { url, server, close } = await start(() => undefined);
    const arrived = once(server, 'request');
    const unanswered = request(url);
    const failed = once(unanswered, 'error');
    unanswered.end();
    await arrived;
    server.close();

    await close();

    await failed;
  });

  it('can be closed twice', async () => {
    const { close } = await start(greeting());

    await Promise.all([close(), close()]);
    await close();
  });

  it.each([undefined, 'app', { handle: 1 }])('refuses %s in place of an app', async (app) => {
    // @ts-expect-error: what a caller without types may pass
    await expect(start(app)).rejects.toThrow(
      'listen: "app" must be an Express app, a request listener or an http.Server',
    );
  });
});

describe('listen', () => {
  let previous = '';
  let shared = '';

  beforeAll(async () => {
    shared = await listen(greeting());
  });

  afterAll(async () => {
    expect((await fetch(shared)).status).toBe(200);
  });

  it('answers while the test runs', async () => {
    previous = await listen(greeting());

    expect((await fetch(previous)).status).toBe(200);
  });

  it('has closed the server of the test before', async () => {
    await expect(fetch(previous)).rejects.toThrow('fetch failed');
  });

  it('leaves a server open that was started outside of a test', async () => {
    expect((await fetch(shared)).status).toBe(200);
  });

  it('closes the server with the context that it is given', async () => {
    const ends: (() => Promise<void>)[] = [];
    const url = await listen(greeting(), { onTestFinished: (fn) => void ends.push(fn) });
    expect((await fetch(url)).status).toBe(200);

    for (const end of ends) await end();

    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });

  it('closes the server when a test of node:test ends, and never keeps the run alive', async () => {
    const output = await run(['--test', '--test-reporter=tap', program('node-test.mjs')]);

    expect(output).toContain('# pass 3');
    expect(output).toContain('# fail 0');
  });

  it('keeps no plain program alive', async () => {
    expect(await run([program('plain.mjs')])).toBe('hello\n');
  });
});

function program(name: string): string {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url));
}

/** Runs a program to its end, without what vitest puts into the environment. */
function run(args: readonly string[]): Promise<string> {
  const env = { ...process.env, VITEST: undefined, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { env, timeout: 10_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${stdout}\n${stderr}`, { cause: error }));
    });
  });
}
