// A server whose handlers answer or fail after their deadline. It tells on stdout what its error
// handlers hear; on stderr there must be nothing.

import { EventEmitter, once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { deadline, requestContext } from '@signalbox/context';
import express, { Router } from 'express';

/** What a handler does too late, each in a callback of its own where nobody catches. */
const lateWrites = {
  json: (_req, res) => res.status(200).json({ late: true }),
  send: (_req, res) => res.send('late'),
  redirect: (_req, res) => res.redirect('/late'),
  cookie: (_req, res) => res.cookie('late', '1').end(),
  sendStatus: (_req, res) => res.sendStatus(204),
  sendFile: (_req, res) => res.sendFile(import.meta.filename),
  format: (_req, res) => res.format({ 'text/plain': () => res.send('late') }),
  headers: (_req, res) => {
    res.setHeader('X-Late', '1');
    res.appendHeader('X-Late', '2');
    res.removeHeader('Content-Type');
    res.set({ 'X-Late': '3' }).type('html').vary('Late');
    res.writeHead(200, { 'X-Late': '4' });
    res.flushHeaders();
  },
  write: (_req, res) => {
    res.write('late');
    res.write('later');
    res.end('latest');
    res.end();
  },
  pipe: (_req, res) => Readable.from(['late', 'later']).pipe(res),
  destroy: (_req, res) => res.destroy(new Error('late')),
};

/** Ways to fail too late, returned or thrown inside the handler. */
const lateFailures = {
  rejects: async () => {
    throw new Error('late');
  },
  writesInAnAsyncFunction: async (_req, res) => {
    res.json({ late: true });
  },
  pipelineInAnAsyncFunction: async (_req, res) => {
    await pipeline(Readable.from(['late']), res);
  },
  nextError: (_req, _res, next) => next(new Error('late')),
  nextTwice: (_req, _res, next) => {
    next(new Error('late'));
    next(new Error('later'));
  },
  next: (_req, _res, next) => next(),
  nextRoute: (_req, _res, next) => next('route'),
  nextRouter: (_req, _res, next) => next('router'),
};

const happenings = new EventEmitter().setMaxListeners(0);
const happened = new Set();

/** Tells, a little later, that the late deed is done. */
const done = (req) =>
  setTimeout(() => {
    happened.add(req.originalUrl);
    happenings.emit(req.originalUrl);
  }, 10);

/** Too late is once the answer is out, or once its connection is free again. */
const moments = ['finish', 'close'];

const handlers = Router();
for (const moment of moments) {
  for (const [what, write] of Object.entries(lateWrites)) {
    handlers.get(`/${moment}/${what}`, (req, res) => {
      res.once(moment, () => {
        done(req);
        setImmediate(write, req, res);
      });
    });
  }
  for (const [what, fail] of Object.entries(lateFailures)) {
    handlers.get(`/${moment}/${what}`, async (req, res, next) => {
      await once(res, moment);
      done(req);
      await fail(req, res, next);
    });
  }
}
handlers.get('/abort/upstream', async (req, res) => {
  res.once('close', () => done(req));
  await sleep(10_000, undefined, { signal: req.signal });
});
handlers.get('/abort/pipeline', async (req, res) => {
  res.once('close', () => done(req));
  await pipeline(new PassThrough(), res, { signal: req.signal });
});
handlers.get('/abort/write', (req, res) => {
  req.signal.addEventListener('abort', () => {
    done(req);
    res.status(200).json({ late: true });
  });
});

const errorHandler = (name) => (error, req, res, next) => {
  console.log(`${name} heard of ${req.originalUrl}: ${error.message}`);
  if (res.headersSent) return next(error);
  res.status(error.status ?? 500).json({ code: error.code });
};

const inTime = deadline(30);
const app = express();
app.use(requestContext());
app.get('/ping', (_req, res) => res.send('pong'));
app.get('/after', async (req, res) => {
  if (!happened.has(req.query.url)) await once(happenings, req.query.url);
  res.send('happened');
});
app.use('/plain', inTime, handlers);
app.use('/nested', inTime, Router().use(handlers, errorHandler('inner')));
app.use('/mounted', express().use(inTime, handlers));
app.use(errorHandler('outer'));
// Its errors meet none but Express' own handler.
app.use('/unhandled', inTime, handlers);
app.get('/begun', inTime, (_req, res) => void res.write('begun'));

const server = app.listen(0, '127.0.0.1', () => {
  const whats = handlers.stack.map((layer) => layer.route.path);
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}`, whats }));
});
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
