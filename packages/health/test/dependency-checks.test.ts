import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { start, listen } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { httpCheck, postgresCheck, redisCheck, s3Check } from '../src/index.js';
import { freePort, opened, ping, quick, startRedis, until, verdictOf } from './support.js';

describe('redisCheck', () => {
  it('follows a real Redis that answers, stops answering and answers again', async () => {
    const redis = await startRedis();
    const run = redisCheck((signal) => ping(redis.port, signal));
    const handle = opened({ checks: [quick('redis', run, { timeoutMs: 100 })] });
    const status = (): unknown => handle.report().services['redis']?.status;

    await until(() => status() === 'healthy');
    redis.stop();
    await until(() => status() === 'unhealthy');
    expect(handle.report().services['redis']?.last_error?.message).toBe('timed out after 100 ms');
    redis.goOn();
    await until(() => status() === 'healthy');
  });

  it('asks a client by ping()', async () => {
    expect(await verdictOf(redisCheck({ ping: () => Promise.resolve('PONG') }))).toMatchObject({
      status: 'healthy',
    });
    const refuses = { ping: () => Promise.reject(new Error('NOAUTH Authentication required.')) };
    expect(await verdictOf(redisCheck(refuses))).toMatchObject({
      status: 'unhealthy',
      error: 'NOAUTH Authentication required.',
    });
  });

  it('prefers check(), keeping `this`, and shows its figures or takes its verdict', async () => {
    const figures = {
      role: 'master',
      check(): unknown {
        return Promise.resolve({ role: this.role });
      },
      ping: () => Promise.reject(new Error('not asked')),
    };
    expect(await verdictOf(redisCheck(figures))).toMatchObject({
      status: 'healthy',
      details: { role: 'master' },
    });
    const judges = { check: () => ({ status: 'degraded', reason: 'evicts keys' }) };
    expect(await verdictOf(redisCheck(judges))).toMatchObject({ status: 'degraded', error: 'evicts keys' });
  });
});

describe('postgresCheck', () => {
  it('asks SELECT 1, keeping `this`', async () => {
    const pool = {
      asked: [] as string[],
      query(text: string): Promise<unknown> {
        this.asked.push(text);
        return Promise.resolve({ rows: [{ '?column?': 1 }] });
      },
    };
    expect(await verdictOf(postgresCheck(pool))).toEqual({ status: 'healthy', error: '', details: null });
    expect(pool.asked[0]).toBe('SELECT 1');
  });

  it('fails as the query does', async () => {
    const pool = { query: () => Promise.reject(new Error('too many clients already')) };
    expect(await verdictOf(postgresCheck(pool))).toMatchObject({
      status: 'unhealthy',
      error: 'too many clients already',
    });
  });
});

describe('httpCheck', () => {
  const app = express();
  app.get('/ok', (_req, res) => void res.send('x'.repeat(100_000)));
  app.get('/broken', (_req, res) => void res.status(503).send('no'));
  app.get('/moved', (_req, res) => res.redirect('/ok'));
  app.get('/private', (req, res) => {
    const [user, token] = [req.get('authorization'), req.get('x-token')];
    const expected = `Basic ${Buffer.from('app:p@ss').toString('base64')}`;
    res.sendStatus(user === expected && token === 't' ? 204 : 401);
  });
  app.get('/hangs', () => undefined);

  it('is healthy on 2xx, and not on other statuses or a redirect', async () => {
    const url = await listen(app);
    expect((await verdictOf(httpCheck(`${url}/ok`))).status).toBe('healthy');
    expect((await verdictOf(httpCheck(new URL(`${url}/ok`), { method: 'HEAD' }))).status).toBe('healthy');
    expect((await verdictOf(httpCheck(`${url}/broken`))).error).toBe('answered 503');
    expect((await verdictOf(httpCheck(`${url}/moved`))).error).toBe('answered 302');
    expect((await verdictOf(httpCheck(`${url}/moved`, { expectStatus: [302] }))).status).toBe('healthy');
  });

  it('sends header fields, and the credentials of the URL as Basic', async () => {
    const url = new URL(`${await listen(app)}/private`);
    expect((await verdictOf(httpCheck(url))).error).toBe('answered 401');
    url.username = 'app';
    url.password = 'p@ss';
    expect((await verdictOf(httpCheck(url, { headers: { 'X-Token': 't' } }))).status).toBe('healthy');
  });

  it('takes a percent sign in a password for what it is, where nobody has encoded it', async () => {
    const seen: unknown[] = [];
    const asked = express().get('/', (req, res) => {
      seen.push(req.get('authorization'));
      res.end();
    });
    const url = (await listen(asked)).replace('//', '//app:5%of%40@');
    expect((await verdictOf(httpCheck(url))).status).toBe('healthy');
    expect(seen[0]).toBe(`Basic ${Buffer.from('app:5%of@').toString('base64')}`);
  });

  it('fails with the reason when nobody listens, and by timeout when nobody answers', async () => {
    const port = await freePort();
    const refused = await verdictOf(httpCheck(`http://127.0.0.1:${port}/`));
    expect(refused.error).toBe(`fetch failed: connect ECONNREFUSED 127.0.0.1:${port}`);

    const run = httpCheck(`${await listen(app)}/hangs`);
    const handle = opened({ checks: [quick('it', run, { timeoutMs: 20 })] });
    await until(() => handle.report().services['it']?.status === 'unhealthy');
    expect(handle.report().services['it']?.last_error?.message).toBe('timed out after 20 ms');
  });
});

describe('s3Check', () => {
  const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' };

  /** A storage with one bucket that recomputes each signature by itself. */
  async function startStorage(secret: string): Promise<string> {
    const server = createServer((req, res) => {
      const isSigned =
        signatureOf(req, secret) === /Signature=([0-9a-f]+)/.exec(req.headers.authorization ?? '')?.[1];
      if (!isSigned) res.statusCode = 403;
      else if (req.url !== '/uploads') res.statusCode = 404;
      res.end();
    });
    const { url, close } = await start(server);
    onTestFinished(close);
    return url;
  }

  it('is healthy when the bucket is there and the signature holds', async () => {
    const endpoint = await startStorage(keys.secretAccessKey);
    const options = { ...keys, endpoint, bucket: 'uploads', region: 'eu-central-1' };
    expect(await verdictOf(s3Check(options))).toMatchObject({ status: 'healthy', error: '' });
    expect(await verdictOf(s3Check({ ...options, sessionToken: 'abc' }))).toMatchObject({
      status: 'healthy',
    });
  });

  it('says what the status means when it is not', async () => {
    const endpoint = await startStorage(keys.secretAccessKey);
    const missing = await verdictOf(s3Check({ ...keys, endpoint, bucket: 'other' }));
    expect(missing.error).toBe('answered 404: there is no such bucket');

    const refused = await verdictOf(
      s3Check({ ...keys, endpoint, bucket: 'uploads', secretAccessKey: 'wrong' }),
    );
    expect(refused.error).toBe('answered 403: the credentials are refused or may not list the bucket');
  });
});

/** AWS Signature Version 4, as its documentation tells it, of a request without a query or body. */
function signatureOf(req: IncomingMessage, secret: string): string {
  const { authorization = '' } = req.headers;
  const [, date = '', region = '', names = ''] =
    /Credential=[^/]+\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+)/.exec(authorization) ?? [];
  const fields = names.split(';').map((name) => `${name}:${String(req.headers[name])}\n`);
  const payload = String(req.headers['x-amz-content-sha256']);
  const canonical = [req.method, req.url, '', fields.join(''), names, payload].join('\n');
  const hash = createHash('sha256').update(canonical).digest('hex');
  const text = [
    'AWS4-HMAC-SHA256',
    req.headers['x-amz-date'],
    `${date}/${region}/s3/aws4_request`,
    hash,
  ].join('\n');

  const hmac = (key: string | Buffer, data: string): Buffer =>
    createHmac('sha256', key).update(data).digest();
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), 's3'), 'aws4_request');
  return hmac(key, text).toString('hex');
}
