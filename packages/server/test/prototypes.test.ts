import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { ServerResponse, createServer } from 'node:http';
import { get as httpsGet } from 'node:https';
import { promisify } from 'node:util';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { Server as SocketServer } from 'socket.io';
import { io } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { requestClasses } from '../src/index.js';
import { everyFeatureApp, sessions } from './every-feature-app.js';
import { REQUESTS, get } from './prototype-requests.js';
import { selfSigned } from '../../../test/support/self-signed.js';
import { eventually, rawConnection, serveHere } from './support.js';

describe('an app whose requests are born with its prototypes', () => {
  it.each(REQUESTS)('answers as Express does by itself: %s', async (_title, ...requests) => {
    const stock = await served(false);
    const fast = await served(true);

    const expected = await transcripts(stock, requests);
    expect(await transcripts(fast, requests)).toEqual(expected);
    expect(expected.join('')).toContain('HTTP/1.1 ');
    // A line is written when a response is over, which may be after the client has seen its end.
    await eventually(() => fast.logged().length === stock.logged().length);
    expect(fast.logged()).toEqual(stock.logged());
  });

  it('meets a client that hangs up in the same way', async () => {
    const seen = [];
    for (const fastPrototypes of [false, true]) {
      const { url, events } = await served(fastPrototypes);
      const connection = await rawConnection(url);
      connection.socket.write('POST /aborted HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf');
      await eventually(() => events.includes('handler ran'));
      connection.socket.destroy();
      await eventually(() => events.some((event) => event.startsWith('response closed')));
      seen.push(events);
    }
    expect(seen[1]).toEqual(seen[0]);
  });

  it.each(['polling', 'websocket'] as const)(
    'shares its server with Socket.IO over %s',
    async (transport) => {
      const seen = [];
      for (const fastPrototypes of [false, true]) seen.push(await socketStory(fastPrototypes, transport));
      expect(seen[1]).toEqual(seen[0]);
      expect(seen[0]).toMatchObject({ echo: 'hello', http: 200 });
    },
  );

  it('hands upgrades to their listener', async () => {
    const seen = [];
    for (const fastPrototypes of [false, true]) {
      const { url } = await serveHere(express(), {
        fastPrototypes,
        attach(server) {
          server.on('upgrade', (req, socket, head) => {
            socket.end(`HTTP/1.1 101 Switching\r\n\r\n${req.method} ${req.url} ${head.toString()}`);
          });
        },
      });
      const connection = await rawConnection(url);
      connection.socket.write(`${get('/chat', 'Connection: Upgrade\r\nUpgrade: raw')}head`);
      seen.push((await connection.ended()).text);
    }
    expect(seen[0]).toBe('HTTP/1.1 101 Switching\r\n\r\nGET /chat head');
    expect(seen[1]).toBe(seen[0]);
  });

  it('is the same through node:http with requestClasses(app)', async () => {
    const app = prototypeReporter();
    const url = await listen(createServer(requestClasses(app), app));
    expect(await (await fetch(url)).json()).toEqual({ born: true, name: 'IncomingMessage', ok: true });
  });

  it('works over TLS', async () => {
    const app = prototypeReporter();
    const { url } = await serveHere(app, { tls: selfSigned(), fastPrototypes: true });
    expect(url).toMatch(/^https:/);
    expect(await getJson(url)).toEqual({ born: true, name: 'IncomingMessage', ok: true });
  });

  it('works for HTTP/1.1 on an HTTP/2 server', async () => {
    const app = prototypeReporter();
    const server = createSecureServer(
      { ...selfSigned(), allowHTTP1: true, ...requestClasses(app) },
      (req, res) => {
        // Express is for HTTP/1.1 requests, which is what these are.
        Reflect.apply(app, undefined, [req, res]);
      },
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await getJson(`https://127.0.0.1:${port}`)).toEqual({
      born: true,
      name: 'IncomingMessage',
      ok: true,
    });
  });

  it('is left as Express has it when switched off, and for plain listeners', async () => {
    const app = prototypeReporter();
    const { url } = await serveHere(app, { fastPrototypes: false });
    expect(await (await fetch(url)).json()).toMatchObject({ born: false, ok: true });

    const plain = await serveHere((_req, res) => res.end('plain'));
    expect(await (await fetch(plain.url)).text()).toBe('plain');
  });

  it('gives requests and responses room for their properties, so that V8 keeps them fast', async () => {
    const program = `
      const { default: express } = await import('express');
      const { serve } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)});
      const seen = [];
      const app = express();
      app.get('/', (req, res) => {
        seen.push(%HasFastProperties(req) && %HasFastProperties(res));
        res.json({});
      });
      const { url, close } = await serve(app, { port: 0, log: { info() {}, warn() {}, error() {}, fatal() {} } });
      for (let n = 0; n < 50; n += 1) await (await fetch(url)).text();
      console.log(seen.every(Boolean));
      await close();`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--allow-natives-syntax', '--input-type=module', '--eval', program],
      { cwd: import.meta.dirname },
    );
    expect(stdout.trim()).toBe('true');
  });

  it.each(['yes', 1, null])('refuses fastPrototypes: %s', async (fastPrototypes) => {
    const options: object = { port: 0, fastPrototypes };
    await expect(serveHere(express(), options)).rejects.toThrow('"fastPrototypes" must be true or false');
  });

  it('refuses fastPrototypes: true for a plain listener', async () => {
    const plain = serveHere((_req, res) => res.end(), { fastPrototypes: true });
    await expect(plain).rejects.toThrow('"fastPrototypes" needs an Express app');
  });
});

interface Served {
  readonly url: string;
  readonly events: string[];
  /** The lines of pino-http, without what differs from run to run. */
  logged(): unknown[];
}

async function served(fastPrototypes: boolean): Promise<Served> {
  const lines: string[] = [];
  const events: string[] = [];
  const app = everyFeatureApp({ write: (line) => void lines.push(line) }, events);
  const { url } = await serveHere(app, { fastPrototypes });
  return { url, events, logged: () => lines.map((line) => withoutChance(JSON.parse(line))) };
}

function withoutChance(line: {
  time?: number;
  responseTime?: number;
  req?: { remotePort?: number };
  err?: object;
}) {
  delete line.time;
  delete line.responseTime;
  delete line.req?.remotePort;
  return line;
}

async function transcripts({ url }: Served, requests: readonly string[]): Promise<string[]> {
  const texts: string[] = [];
  for (const text of requests) {
    const connection = await rawConnection(url);
    connection.socket.write(text);
    // The last request on the connection; the server closes it when that is answered.
    connection.socket.write('GET /empty HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    texts.push(withoutDates((await connection.ended()).text));
  }
  return texts;
}

function withoutDates(text: string): string {
  return text
    .replaceAll(/^Date: .*$/gm, 'Date: now')
    .replaceAll(/"timestamp":"[^"]*"/g, '"timestamp":"now"')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'uuid');
}

async function socketStory(fastPrototypes: boolean, transport: 'polling' | 'websocket'): Promise<object> {
  const { url } = await serveHere(everyFeatureApp({ write: () => undefined }, []), {
    fastPrototypes,
    attach(server) {
      const sockets = new SocketServer(server, { cors: { origin: 'https://app.example' } });
      sockets.engine.use(sessions);
      sockets.on('connection', (socket) => {
        const { request } = socket;
        socket.emit('seen', { name: request.constructor.name, session: 'session' in request });
        socket.on('echo', (words: string, reply: (words: string) => void) => reply(words));
      });
    },
  });
  const client = io(url, { transports: [transport], forceNew: true });
  onTestFinished(() => void client.close());
  const seen = await new Promise((resolve) => {
    client.once('seen', resolve);
  });
  const echo: unknown = await client.timeout(5_000).emitWithAck('echo', 'hello');
  const http = await fetch(`${url}/json`);
  await http.arrayBuffer();
  return { seen, echo, http: http.status };
}

/** An app that says whether its requests were born with its prototypes. */
function prototypeReporter(): Express {
  const app = express();
  // The last thing that Express does before it sets the prototypes is to set a header field.
  const born: boolean[] = [];
  Reflect.set(
    app.response,
    'setHeader',
    function setHeader(this: ServerResponse, name: string, value: string) {
      if (name === 'X-Powered-By') born.push(true);
      return ServerResponse.prototype.setHeader.call(this, name, value);
    },
  );
  app.get('/', (req, res) => {
    res.json({ born: born.length > 0, name: req.constructor.name, ok: req.app === app });
  });
  return app;
}

/** `fetch` knows no way to accept a certificate that nobody vouches for. */
async function getJson(url: string): Promise<unknown> {
  const [response] = await once(httpsGet(url, { agent: false, rejectUnauthorized: false }), 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
