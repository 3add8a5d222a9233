import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { IncomingMessage, ServerResponse } from 'node:http';
import compression from 'compression';
import cookieParser from 'cookie-parser';
import cors from 'cors';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import session from 'express-session';
import helmet from 'helmet';
import type { DestinationStream } from 'pino';
import { pinoHttp } from 'pino-http';

declare module 'express-session' {
  interface SessionData {
    visits?: number;
  }
}

const FOLDER = fileURLToPath(new URL('fixtures/', import.meta.url));

/** Shared with Socket.IO's engine in the test. */
export const sessions = session({
  secret: 'a secret of the test',
  resave: false,
  saveUninitialized: false,
  genid: () => 'always-the-same-id',
});

/** Uses what an Express app can use, and answers the same to the same requests every time. */
export function everyFeatureApp(log: DestinationStream, events: string[]): Express {
  const app = express();
  app.set('trust proxy', 1);
  app.set('env', 'test');
  app.set('subdomain offset', 1);
  app.set('views', FOLDER);
  app.engine('txt', (_path, options, done) => done(null, `${Reflect.get(options, 'name')} by a template`));
  app.locals['name'] = 'rendered';

  app.use(pinoHttp({ genReqId: () => 'fixed' }, log));
  app.use(helmet());
  app.use(cors({ origin: 'https://app.example', credentials: true }));
  app.use(compression({ threshold: 200 }));
  app.use(cookieParser('another secret of the test'));
  app.use('/static', express.static(FOLDER, { maxAge: '1h' }));
  app.use(sessions);
  app.use(express.json(), express.urlencoded({ extended: true }), express.text(), express.raw());

  addAnswers(app);
  addRequests(app);
  addStreams(app, events);
  addRouters(app);
  addFailures(app);
  return app;
}

function addAnswers(app: Express): void {
  app.get('/json', (_req, res) => void res.json({ ok: true, list: [1, 2, 3] }));
  app.get('/text', (_req, res) => void res.send('plain words'));
  app.get('/buffer', (_req, res) => void res.type('png').send(Buffer.from([1, 2, 3, 4])));
  app.get('/null', (_req, res) => void res.json(null));
  app.get('/status/:code', (req, res) => void res.sendStatus(Number(req.params.code)));
  app.get('/empty', (_req, res) => void res.status(204).end());
  app.get('/redirect', (_req, res) => res.redirect(303, '/elsewhere?a=ü'));
  app.get('/jsonp', (_req, res) => void res.jsonp({ padded: '</script>' }));
  app.get('/long', (_req, res) => void res.send('compressible '.repeat(400)));
  app.get('/render', (_req, res) => res.render('hello.txt'));
  app.get('/file', (_req, res) => res.sendFile('hello.txt', { root: FOLDER }));
  app.get('/download', (_req, res) => res.download(`${FOLDER}hello.txt`, 'grüße.txt'));
  app.get('/format', (_req, res) => {
    res.format({
      text: () => res.send('text'),
      html: () => res.send('<p>html'),
      json: () => res.json('json'),
    });
  });
  app.get('/headers', (_req, res) => {
    res.set('X-One', '1').append('X-Many', ['a', 'b']).vary('Accept-Language').location('/there');
    res.links({ next: '/page/2' }).attachment('name.csv').removeHeader('X-One');
    res.send(`${res.get('x-many')} ${res.headersSent} ${res.statusMessage}`);
  });
  app.get('/write-head', (_req, res) => {
    res.statusMessage = 'Very Well';
    res.writeHead(202, { 'X-Raw': 'yes', 'Content-Type': 'text/plain' });
    res.write('first ');
    res.end('second');
  });
  app.get('/early-hints', (_req, res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => res.send('after hints'));
  });
  app.get('/cookies', (_req, res) => {
    res.cookie('plain', 'ä b', { httpOnly: true, path: '/', sameSite: 'lax' });
    res.cookie('signed', { deep: 1 }, { signed: true }).clearCookie('old').send('set');
  });
  app.get('/session', (req, res) => {
    req.session.visits = (req.session.visits ?? 0) + 1;
    res.json({ visits: req.session.visits, id: req.sessionID });
  });
  app.get('/end-session', (req, res) => {
    req.session.destroy(() => res.send('destroyed'));
  });
}

function addRequests(app: Express): void {
  app.get('/request', (req, res) => {
    const { ip, ips, protocol, secure, hostname, host, subdomains, path, query, xhr, fresh, stale } = req;
    const { originalUrl, baseUrl, url, method, cookies, signedCookies, httpVersion, rawHeaders } = req;
    res.json({
      from: [ip, ips, protocol, secure, hostname, host, subdomains],
      target: [path, query, originalUrl, baseUrl, url, method, httpVersion],
      more: [xhr, fresh, stale, cookies, signedCookies, rawHeaders],
      accepts: [req.accepts(['html', 'json']), req.acceptsLanguages('de', 'en'), req.acceptsEncodings('br')],
      range: req.range(100),
      header: req.get('referrer'),
      route: Reflect.get(req, 'route').path,
    });
  });
  app.get('/prototypes', (req, res) => {
    res.locals['seen'] = true;
    res.json({
      instances: [req instanceof IncomingMessage, res instanceof ServerResponse],
      names: [req.constructor.name, res.constructor.name],
      inspected: [inspect(req, { depth: -1 }), inspect(res, { depth: -1 })],
      constructors: [req.constructor === IncomingMessage, res.constructor === ServerResponse],
      // The app's own: the response reads them where an app has been mounted on another one, too.
      prototypes: [Object.getPrototypeOf(req) === app.request, Object.getPrototypeOf(res) === app.response],
      links: [req.app === app, res.app === app, req.res === res, res.req === req, res.locals['seen']],
      own: [Object.keys(req), Object.keys(res), 'app' in req, Object.hasOwn(req, 'app')],
      enumerated: [enumerated(req), enumerated(res)],
      streams: [req.readableFlowing, req.readableHighWaterMark, res.writableHighWaterMark, res.writable],
      listeners: [res.listenerCount('finish'), res.eventNames().map(String), req.eventNames().map(String)],
    });
  });
  app.post('/echo', (req, res) => {
    const body: unknown = Buffer.isBuffer(req.body) ? `buffer ${req.body.toString('hex')}` : req.body;
    res.status(201).json({ body: body ?? 'none', is: req.is(['json', 'text/*', 'urlencoded']) });
  });
  app.post('/read', async (req, res) => {
    let size = 0;
    for await (const chunk of req) size += (chunk as Buffer).length;
    res.json({ size, complete: req.complete, trailers: req.trailers, rawTrailers: req.rawTrailers });
  });
  app.all('/any', (req, res) => void res.send(`any ${req.method}`));
}

function addStreams(app: Express, events: string[]): void {
  app.get('/stream', (_req, res) => {
    res.type('text').write('one ');
    setTimeout(() => res.write('two '), 5);
    setTimeout(() => res.end('three'), 10);
  });
  app.get('/pipe', async (_req, res) => {
    await pipeline(Readable.from(['a'.repeat(70_000), 'b'.repeat(70_000)]), res);
  });
  app.get('/trailers', (_req, res) => {
    res.set('Trailer', 'X-Checksum').type('text').write('body');
    res.addTrailers({ 'X-Checksum': 'abc' });
    res.end();
  });
  app.get('/break-off', (_req, res) => {
    res.type('text').write('begun');
    setTimeout(() => res.destroy(), 10);
  });
  app.post('/aborted', (req, res) => {
    req.on('aborted', () => events.push('request aborted'));
    req.on('error', (error) => events.push(`request error ${String(Reflect.get(error, 'code'))}`));
    req.on('close', () => events.push(`request closed, complete ${req.complete}`));
    res.on('finish', () => events.push('response finished'));
    res.on('close', () => {
      res.send('too late');
      events.push(`response closed, ended ${res.writableFinished}`);
    });
    req.resume();
    events.push('handler ran');
  });
}

function addRouters(app: Express): void {
  const inner = express.Router({ mergeParams: true });
  inner.param('leaf', (req, _res, next, value) => {
    req.headers['x-param'] = String(value).toUpperCase();
    next();
  });
  inner.get('/:leaf', (req, res) => {
    res.json({ params: req.params, base: req.baseUrl, url: req.url, param: req.headers['x-param'] });
  });
  app.use('/tree/:root', inner);

  const sub = express();
  sub.disable('x-powered-by');
  sub.set('json spaces', 2);
  sub.get('/', (req, res) => {
    const own = [Object.getPrototypeOf(req) === sub.request, req.app === sub, req.app.mountpath, sub.path()];
    res.json({ own, trust: req.app.enabled('trust proxy'), ip: req.ip });
  });
  app.use('/sub', sub);
  app.use('/sub', (req, res, next) => {
    if (req.path !== '/after') return next();
    res.json({ back: Object.getPrototypeOf(req) === app.request });
  });
}

function addFailures(app: Express): void {
  app.get('/throw', () => {
    throw Object.assign(new Error('thrown'), { status: 418, expose: true });
  });
  app.get('/reject', async () => {
    await Promise.reject(new Error('rejected'));
  });
  app.get('/late', (_req, res, next) => {
    res.type('text').write('begun');
    setTimeout(() => next(new Error('too late for a status')), 10);
  });
  app.get('/handled', (_req, _res, next) => next(new Error('handled')));
  app.use('/handled', (err: Error, _req: Request, res: Response, _next: NextFunction) => {
    res.status(503).set('Retry-After', '1').json({ error: err.message });
  });
}

function enumerated(object: object): string[] {
  const names: string[] = [];
  for (const name in object) names.push(name);
  return names;
}
