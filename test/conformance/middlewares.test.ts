/**
 * An app behind the middlewares of the packages answers as it does without them, whatever ordinary middleware stands above
 * or below, and whatever way its handlers answer in.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { deadline, requestContext } from '@signalbox/context';
import { errorHandler } from '@signalbox/errors';
import { createLogger, requestLogger } from '@signalbox/logging';
import { metrics } from '@signalbox/metrics';
import { zones } from '@signalbox/rate-limit';
import { cors, idempotency, securityHeaders } from '@signalbox/security';
import { sessions } from '@signalbox/sessions';
import { listen } from '@signalbox/testing';
import { deprecated } from '@signalbox/versioning';
import { timed } from '@signalbox/compose';
import compression from 'compression';
import stockCors from 'cors';
import express, { type RequestHandler } from 'express';
import multer from 'multer';
import { pinoHttp } from 'pino-http';
import { Registry } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';

const FILE = fileURLToPath(import.meta.url);
const LONG = 'a line of text\n'.repeat(200);

const addToSession: RequestHandler = (req, _res, next) => {
  req.session.looks = (req.session.looks ?? 0) + 1;
  next();
};

declare module 'express-session' {
  interface SessionData {
    looks: number;
  }
}

/** The packages' middlewares that touch a response, each with something to do. */
function ours(): RequestHandler[] {
  const session = sessions({ secrets: 'a secret of at least 32 bytes, for tests' });
  const measured = metrics({ registry: new Registry(), process: false, features: false });
  onTestFinished(async () => {
    session.close();
    await measured.close();
  });
  return [
    requestContext(),
    requestLogger({ logger: createLogger({ root: false, destination: { write: () => undefined } }) }),
    measured,
    deadline(10_000),
    securityHeaders('api'),
    cors({ origins: ['https://app.example'] }),
    session,
    addToSession,
    zones({ zones: { failures: { rate: '1000/s', count: 'failures' } } }).zone('failures'),
    timed({ meta: false }),
    idempotency({ scope: () => 'me' }),
    deprecated({ since: '2025-01-31', successor: '/v2' }),
  ];
}

type Note = (what: string) => void;
type Call = (...args: unknown[]) => never;

const isContent = (chunk: unknown): chunk is string | Uint8Array =>
  typeof chunk === 'string' || chunk instanceof Uint8Array;

/** Counts what is sent, as it is given to the response. */
function countBytes(note: Note): RequestHandler {
  return (_req, res, next) => {
    let bytes = 0;
    for (const method of ['write', 'end'] as const) {
      const inner = Reflect.get(res, method) as Call;
      Reflect.set(res, method, (...args: unknown[]) => {
        if (isContent(args[0])) bytes += Buffer.byteLength(args[0]);
        return Reflect.apply(inner, res, args);
      });
    }
    // Errors name their request, and only one app has a name for it.
    res.on('finish', () => note(`${res.statusCode}, ${res.statusCode < 400 ? bytes : 'some'} bytes`));
    next();
  };
}

function removeField(): RequestHandler {
  return (_req, res, next) => {
    const writeHead = Reflect.get(res, 'writeHead') as Call;
    Reflect.set(res, 'writeHead', (...args: unknown[]) => {
      res.removeHeader('X-Secret');
      return Reflect.apply(writeHead, res, args);
    });
    next();
  };
}

/** As what puts a script into pages does. */
function gatherBody(): RequestHandler {
  return (_req, res, next) => {
    const chunks: Uint8Array[] = [];
    const end = Reflect.get(res, 'end') as Call;
    const gather = (chunk: unknown): boolean => {
      if (isContent(chunk)) chunks.push(Buffer.from(chunk as string));
      return true;
    };
    Reflect.set(res, 'write', gather);
    Reflect.set(res, 'end', (chunk: unknown) => {
      gather(chunk);
      return Reflect.apply(end, res, [Buffer.concat(chunks)]);
    });
    next();
  };
}

/** Ordinary middlewares, and what they note of each answer. */
const MIDDLEWARES: Readonly<Record<string, (note: Note) => RequestHandler>> = {
  compression: () => compression({ threshold: 0 }),
  'pino-http': (note) => {
    const message = (_req: unknown, res: { statusCode: number }): string => `logged ${res.statusCode}`;
    const options = { customSuccessMessage: message, customErrorMessage: message };
    return pinoHttp(options, { write: (line: string) => note(/logged \d+/.exec(line)?.[0] ?? line) });
  },
  cors: () => stockCors({ origin: true }),
  'a counter of bytes': countBytes,
  'what removes a field as the head is sent': removeField,
  'what gathers the body': gatherBody,
};

interface Asking {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const FORM = '--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nfile\r\n--b--\r\n';
const upload = (body: string): Asking => ({
  body,
  headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
});
const fail = (): Error => Object.assign(new Error('refused'), { status: 418 });

const HANDLERS: Readonly<Record<string, RequestHandler | RequestHandler[]>> = {
  json: (_req, res) => void res.set('X-Secret', '1').status(201).json({ LONG }),
  html: (_req, res) => void res.send(`<p>${LONG}</p>`),
  bytes: (_req, res) => void res.type('text').send(Buffer.from(LONG)),
  end: (_req, res) => void res.end('bye'),
  nothing: (_req, res) => void res.status(201).end(),
  noContent: (_req, res) => void res.sendStatus(204),
  redirect: (_req, res) => res.redirect(303, '/elsewhere'),
  cookies: (_req, res) => res.cookie('a', '1').cookie('b', '2').send('x'),
  writes(_req, res) {
    res.type('text').write('a', () => undefined);
    res.write(Buffer.from('b'));
    res.end('c');
  },
  withLength(_req, res) {
    res.type('text').set('Content-Length', '2').write('a');
    res.end('b');
  },
  headFirst(_req, res) {
    res.type('text').flushHeaders();
    setImmediate(() => res.end('later'));
  },
  writeHead: (_req, res) =>
    void res.writeHead(201, { 'Content-Type': 'text/plain', 'X-Secret': '1' }).end('a'),
  writeHeadList: (_req, res) => void res.writeHead(200, ['Content-Type', 'text/html']).end(LONG),
  writeHeadPhrase: (_req, res) => void res.writeHead(202, 'Fine').end('a'),
  trailers(_req, res) {
    res.set('Trailer', 'X-T').write('a');
    res.addTrailers({ 'X-T': 'v' });
    res.end();
  },
  piped: (_req, res) => void createReadStream(FILE).pipe(res.type('text')),
  pipeline: (_req, res) => void pipeline(createReadStream(FILE), res.type('text'), () => undefined),
  sendFile: (_req, res) => res.sendFile(FILE),
  download: (_req, res) => res.download(FILE, 'name.txt'),
  noFile: (_req, res) => res.sendFile('/nowhere'),
  nextError: (_req, res, next) => next(res.set('ETag', '"1"') && fail()),
  throws() {
    throw fail();
  },
  rejects: async () => Promise.reject(fail()),
  parsed: [express.json(), (req, res) => void res.json(req.body)],
  upload: [multer().single('f'), (req, res) => void res.json({ size: req.file?.size })],
  echo: (req, res) => void req.pipe(res),
  unread: (_req, res) => void res.send('no'),
};

/** What is asked of each handler besides a plain POST. */
const ASKED: Readonly<Record<string, readonly Asking[]>> = {
  json: [{ method: 'GET', headers: { 'If-None-Match': '*' } }],
  html: [{ method: 'HEAD' }],
  sendFile: [{ method: 'HEAD' }, { method: 'GET', headers: { Range: 'bytes=2-9' } }],
  parsed: [
    { headers: JSON_TYPE, body: '{"a":1}' },
    { headers: JSON_TYPE, body: '{"a"' },
  ],
  upload: [upload(FORM), upload(FORM.slice(0, 60)), upload('')],
  echo: [{ body: LONG }],
  unread: [{ body: LONG }],
};

interface Served {
  url: string;
  /** What the middleware noted, while requests are answered. */
  notes: string[];
}

async function serve(stack: (note: Note) => RequestHandler[]): Promise<Served> {
  const notes: string[] = [];
  const app = express().disable('x-powered-by').set('env', 'test');
  app.use(...stack((what) => notes.push(what)));
  for (const [name, handler] of Object.entries(HANDLERS)) app.all(`/${name}`, ...[handler].flat());
  app.use(errorHandler());
  return { url: await listen(app), notes };
}

/** Fields of one message, of its connection and its time. */
const OF_ONE = new Set(['date', 'keep-alive', 'connection', 'transfer-encoding', 'vary', 'set-cookie']);

interface Noticed {
  readonly status: string;
  readonly fields: Record<string, unknown>;
  readonly cookies: readonly string[];
  readonly vary: readonly string[];
  readonly body: string;
  readonly trailers: unknown;
}

async function ask(url: string, agent: Agent, { method = 'POST', headers, body }: Asking, key: string) {
  const sent = request(url, {
    agent,
    method,
    headers: { 'Accept-Encoding': 'gzip', Accept: '*/*', 'Idempotency-Key': key, ...headers },
  });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks = (await answer.toArray()) as Buffer[];
  const content = Buffer.concat(chunks);
  const { vary = '', 'set-cookie': cookies = [], ...others } = answer.headers;
  // That of an error counts the id of the request, which only one of the two has.
  if ((answer.statusCode ?? 0) >= 400) delete others['content-length'];
  const isPacked = answer.headers['content-encoding'] === 'gzip' && content.length > 0;
  const noticed: Noticed = {
    status: `${answer.statusCode} ${answer.statusMessage}`,
    fields: Object.fromEntries(Object.entries(others).filter(([name]) => !OF_ONE.has(name))),
    cookies,
    vary: vary.split(/, */),
    body: (isPacked ? gunzipSync(content) : content)
      .toString()
      .replace(/,"(?:timestamp|requestId)":"[^"]*"/g, ''),
    trailers: answer.trailers,
  };
  return {
    noticed,
    isReused: sent.reusedSocket,
    isReplayed: answer.headers['idempotency-replayed'] === 'true',
  };
}

/** What describes content, and so is to be there in both or in none. */
const OF_CONTENT =
  /^(?:content-(?!security)|etag|last-modified|location|accept-ranges|cache-control|x-secret)/;

/** What ours add besides is left out: they say so. */
function asWithout(ours: Noticed, plain: Noticed): Noticed {
  const isKept = ([name]: [string, unknown]): boolean => name in plain.fields || OF_CONTENT.test(name);
  const fields = Object.fromEntries(Object.entries(ours.fields).filter(isKept));
  // With a session's cookie it is for nobody else.
  const { 'cache-control': control, ...others } = fields;
  const { 'cache-control': stated } = plain.fields;
  const isSame =
    [control].join(', ').replace(/^private(?:, |$)/, '') ===
    [stated].join(', ').replace(/^public(?:, |$)/, '');
  return {
    ...ours,
    fields: !isSame ? fields : stated === undefined ? others : { ...others, 'cache-control': stated },
    cookies: ours.cookies.filter((cookie) => !cookie.startsWith('sid=')),
    vary: plain.vary.filter((name) => name === '' || ours.vary.includes(name)),
  };
}

describe.each(Object.entries(MIDDLEWARES))('with %s', (_name, middleware) => {
  it.each(['above', 'below'])(
    'mounted %s the packages, every handler answers as without them, and a repetition alike',
    async (place) => {
      const warnings: string[] = [];
      const hear = ({ message }: Error): void => void warnings.push(message);
      process.on('warning', hear);
      onTestFinished(() => void process.off('warning', hear));
      const agents = [0, 1].map(() => new Agent({ keepAlive: true, maxSockets: 1 })) as [Agent, Agent];
      onTestFinished(() => agents.forEach((agent) => agent.destroy()));
      const plain = await serve((note) => [middleware(note)]);
      const behind = await serve((note) =>
        place === 'above' ? [middleware(note), ...ours()] : [...ours(), middleware(note)],
      );

      for (const name of Object.keys(HANDLERS)) {
        for (const [index, asked] of [{}, ...(ASKED[name] ?? [])].entries()) {
          const key = `${name}-${index}`;
          const expected = await ask(`${plain.url}/${name}`, agents[0], asked, key);
          const found = await ask(`${behind.url}/${name}`, agents[1], asked, key);
          expect.soft(asWithout(found.noticed, expected.noticed), key).toEqual(expected.noticed);
          expect.soft(found.isReused, `connection of ${key}`).toBe(expected.isReused);

          const isUpload = asked.headers?.['Content-Type'] !== undefined;
          if (asked.method !== undefined || isUpload || expected.noticed.status.startsWith('5')) continue;
          const repeated = await ask(`${behind.url}/${name}`, agents[1], asked, key);
          expect.soft(repeated.isReplayed, `${key}, again`).toBe(true);
          expect.soft(repeated.noticed.body, `${key}, again`).toBe(expected.noticed.body);
        }
      }
      await expect.poll(() => new Set(behind.notes)).toEqual(new Set(plain.notes));
      expect(warnings).toEqual([]);
    },
  );
});

it.each([
  ['that is cut off', FORM.slice(0, 60)],
  ['without a part', ''],
])('an upload %s is the client’s fault, as multer tells of it', async (_what, body) => {
  const { url } = await serve(() => [stockCors()]);
  const agent = new Agent();
  const { noticed } = await ask(`${url}/upload`, agent, upload(body), 'key');
  expect(noticed.status).toBe('400 Bad Request');
  expect(JSON.parse(noticed.body)).toMatchObject({ error: { type: 'malformed_body' } });
});
