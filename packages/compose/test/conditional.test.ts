import express, { type RequestHandler } from 'express';
import { describe, expect, it } from 'vitest';
import { unless, when } from '@signalbox/compose';
import { listen } from '@signalbox/testing';
import { request } from 'node:http';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';

const refuse: RequestHandler = (_req, res) => void res.status(401).end();

async function serve(middleware: RequestHandler): Promise<(path: string) => Promise<number>> {
  const app = express();
  app.use(middleware);
  app.use((_req, res) => void res.status(200).end());
  const url = new URL(await listen(app));
  // Not fetch: it would resolve dot segments before it sends them.
  return async (path) => {
    const sent = request({ host: url.hostname, port: url.port, path, agent: false }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode ?? 0;
  };
}

describe('unless', () => {
  it('leaves out exact paths, with or without a slash and whatever the query', async () => {
    const status = await serve(unless(['/health', '/'], refuse));
    expect(await Promise.all(['/health', '/health/', '/health?x=1', '/', '/?a'].map(status))).toEqual(
      Array(5).fill(200),
    );
    expect(await Promise.all(['/healthz', '/health/x', '/HEALTH', '/health//', '/x'].map(status))).toEqual(
      Array(5).fill(401),
    );
  });

  it('leaves out what is below a prefix, and nothing that could be read as another path', async () => {
    const status = await serve(unless('/assets/*', refuse));
    expect(await Promise.all(['/assets/', '/assets/a.js', '/assets/a/b..c'].map(status))).toEqual(
      Array(3).fill(200),
    );
    const ambiguous = [
      '/assets/../admin',
      '/assets/..',
      '/assets/./x',
      '/assets/..;/admin',
      '/assets/..;a=b/admin',
      '/assets/%2e%2e/admin',
      '/assets/..%2Fadmin',
      '/assets/..%5cadmin',
      '/assets/\\..\\admin',
      '/assets',
      '/assetsx/a',
    ];
    expect(await Promise.all(ambiguous.map(status))).toEqual(Array(ambiguous.length).fill(401));
  });

  it('takes a function instead', async () => {
    const status = await serve(unless((req) => req.query['open'] === '1', refuse));
    expect(await Promise.all([status('/?open=1'), status('/')])).toEqual([200, 401]);
  });

  it.each(['health', '', '/a*b', '/*/x', '/a?b', '/a*', 7])('refuses the path %j at construction', (path) => {
    expect(() => unless([path as string], refuse)).toThrow(
      `unless: "exceptions" must be paths such as /health or /assets/*, got ${JSON.stringify(path)}`,
    );
  });

  it('refuses other bad arguments', () => {
    // @ts-expect-error: no paths
    expect(() => unless(undefined, refuse)).toThrow(
      'unless: "exceptions" must be a list of paths or a function, got undefined',
    );
    // @ts-expect-error: no middleware
    expect(() => unless('/x')).toThrow('unless: "middleware" must be a middleware, got undefined');
  });
});

describe('when', () => {
  it('runs the middleware only where the function says so', async () => {
    const status = await serve(when((req) => req.path.startsWith('/admin'), refuse));
    expect(await Promise.all([status('/admin/x'), status('/')])).toEqual([401, 200]);
  });

  it('passes on what the middleware rejects with', async () => {
    const failing: RequestHandler = async () => {
      throw Object.assign(new Error('refused'), { status: 403 });
    };
    const app = express().set('env', 'test');
    app.use(when(() => true, failing));
    expect((await fetch(await listen(app))).status).toBe(403);
  });

  it('refuses a promise as the answer, which would always be true', async () => {
    // @ts-expect-error: the answer comes too late
    const asked = when(async () => false, refuse);
    const app = express().set('env', 'test');
    app.use(asked);
    const response = await fetch(await listen(app));
    expect(response.status).toBe(500);
    expect(await response.text()).toContain('when: the predicate must answer at once, got a promise');
  });

  it('refuses bad arguments', () => {
    // @ts-expect-error: no function
    expect(() => when('/admin', refuse)).toThrow('when: "predicate" must be a function, got "/admin"');
    expect(() =>
      when(() => true, ((_e: unknown, _q: unknown, _s: unknown, _n: unknown) => undefined) as RequestHandler),
    ).toThrow('when: "middleware" must be a middleware, got an error handler');
  });
});
