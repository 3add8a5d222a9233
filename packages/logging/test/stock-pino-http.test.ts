import { createRequire } from 'node:module';
import { requestContext } from '@signalbox/context';
import { listen } from '@signalbox/testing';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createLogger, requestLogger } from '../src/index.js';
import { recorder, type Recorder } from './recorder.js';

// Not imported: its typings would declare `req.id` anew for every test of the workspace.
const pinoHttp = createRequire(import.meta.url)('pino-http') as (options: object) => RequestHandler;

/** The same app and the same request under either logger: a handler throws, and the client is signed in. */
async function failSignedIn(log: Recorder, requestLog: RequestHandler): Promise<void> {
  const app = express().use(requestContext(), requestLog);
  app.get('/account', () => {
    throw new Error('the account could not be read', {
      cause: new Error('connection reset by the database'),
    });
  });
  app.use(((error: Error, _req, res, _next) => {
    if ('err' in res) res.err = error;
    res.status(500).set('Set-Cookie', 'sid=set-secret').json({ error: 'internal' });
  }) satisfies ErrorRequestHandler);

  await fetch(`${await listen(app)}/account?token=url-secret`, {
    headers: { authorization: 'Bearer header-secret', cookie: 'sid=cookie-secret' },
  });
  await log.line();
}

describe('a handler that throws', () => {
  it('under stock pino-http: a line at info with an error made up, and every secret in clear', async () => {
    const log = recorder();
    await failSignedIn(log, pinoHttp({ logger: pino({}, log) }));

    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({ level: 30, err: { message: 'failed with status code 500' } });
    expect(log.text).not.toContain('the account could not be read');
    for (const secret of ['header-secret', 'cookie-secret', 'set-secret', 'url-secret']) {
      expect(log.text).toContain(secret);
    }
  });

  it('under requestLogger: a line at error with the real error and its cause, and no secret', async () => {
    const log = recorder();
    await failSignedIn(log, requestLogger({ logger: createLogger({ destination: log }) }));

    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatchObject({
      level: 'error',
      status: 500,
      err: {
        message: 'the account could not be read',
        cause: { message: 'connection reset by the database' },
      },
    });
    expect(log.text).not.toContain('failed with status code');
    expect(log.text).not.toContain('-secret');
  });
});
