import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { requestContext } from '@signalbox/context';
import { testClock } from '@signalbox/testing';
import { Router, type RequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.js';
import { deprecated, versions } from '../src/index.js';
import { get, listening, routerOf, says, send, serving } from './support.js';

const JULY = Date.parse('2026-07-01T00:00:00Z');
const OPTIONS = { since: '2026-01-31', sunset: '2026-12-31T12:00:00Z', successor: '/api/v2' };

/** The two versions, the first of them deprecated. */
function api(deprecation: RequestHandler) {
  return versions(
    { v1: [deprecation, routerOf('v1', '/search', '/me')], v2: routerOf('v2', '/search') },
    { default: 'v2' },
  );
}

/** Counts the warnings of the process with the code until the test ends. */
function warnings(code: string): string[] {
  const seen: string[] = [];
  const listener = (warning: Error & { code?: string }): void => {
    if (warning.code === code) seen.push(warning.message);
  };
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  return seen;
}

describe('deprecated', () => {
  it('says since when, until when, and what to use instead', async () => {
    const clock = testClock(JULY);
    const url = await serving(
      api(
        deprecated({
          ...OPTIONS,
          link: { deprecation: 'https://example.org/deprecation', sunset: '/docs/sunset' },
          message: 'v1 ends in 2026',
          now: clock.now,
        }),
      ),
    );
    const { status, headers } = await get(`${url}/v1/search`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      deprecation: '@1769817600',
      sunset: 'Thu, 31 Dec 2026 12:00:00 GMT',
      link: '<https://example.org/deprecation>; rel="deprecation", </docs/sunset>; rel="sunset", </api/v2>; rel="successor-version"',
      'x-api-deprecation': 'v1 ends in 2026',
      'x-api-deprecation-date': '2026-01-31',
    });
  });

  it('says it however the version was asked for, also where there is nothing, and of no other version', async () => {
    const clock = testClock(JULY);
    const url = await serving(api(deprecated({ ...OPTIONS, now: clock.now })));
    const isDeprecated = async (path: string, headers = {}) =>
      'deprecation' in (await get(url + path, headers)).headers;
    expect(await isDeprecated('/search', { 'x-api-version': 'v1' })).toBe(true);
    expect(await isDeprecated('/v1/nope')).toBe(true);
    expect(await isDeprecated('/v2/search')).toBe(false);
    expect(await isDeprecated('/search')).toBe(false);
    // Inherited from v1, and part of v2 all the same.
    expect((await get(`${url}/v2/me`)).body).toMatchObject({ from: 'v1', version: 'v2' });
    expect(await isDeprecated('/v2/me')).toBe(false);
  });

  it('of a route is said of that route, also where it is inherited', async () => {
    const old = deprecated({ since: '2026-01-01', link: '/old' });
    const v1 = Router().get('/old', old, says('v1')).get('/me', says('v1'));
    const url = await serving(versions({ v1, v2: routerOf('v2', '/search') }));
    expect((await get(`${url}/v2/old`)).headers['deprecation']).toBe('@1767225600');
    expect((await get(`${url}/v2/old`)).headers['link']).toBe('</old>; rel="deprecation"');
    expect((await get(`${url}/v2/me`)).headers['deprecation']).toBeUndefined();
  });

  it('of a route says more than that of its version', async () => {
    const route = deprecated({ since: '2026-03-01', successor: '/api/v2/found' });
    const v1 = Router()
      .use(deprecated({ since: '2026-01-31', link: '/v1' }))
      .get('/x', route, says('v1'));
    const { calls } = listening();
    const url = await serving(versions({ v1 }));
    const { headers } = await get(`${url}/v1/x`);
    expect(headers['deprecation']).toBe('@1772323200');
    expect(headers['link']).toBe('</api/v2/found>; rel="successor-version"');
    await eventually(() => calls.length > 0);
    expect(calls).toHaveLength(1);
  });

  it.each<[string, RequestHandler]>([
    ['set', (_req, res) => void res.set('Link', '</p2>; rel="next"').json({})],
    ['writeHead', (_req, res) => void res.writeHead(200, { link: '</p2>; rel="next"' }).end()],
    [
      'writeHead with several',
      (_req, res) => void res.writeHead(200, 'OK', { Link: ['</p2>; rel="next"'] }).end(),
    ],
    ['writeHead with a list', (_req, res) => void res.writeHead(200, ['Link', '</p2>; rel="next"']).end()],
    ['append', (_req, res) => void res.append('Link', '</p2>; rel="next"').end()],
    [
      'a stream',
      (_req, res) => {
        res.setHeader('Link', '</p2>; rel="next"');
        res.write('a');
        res.end('b');
      },
    ],
  ])('keeps its Link beside one that a handler gives by %s', async (_name, handler) => {
    const v1 = Router()
      .use(deprecated({ since: '2026-01-31', successor: '/api/v2' }))
      .get('/x', handler);
    const url = await serving(versions({ v1 }));
    expect((await get(`${url}/v1/x`)).headers['link']).toBe(
      '</p2>; rel="next", </api/v2>; rel="successor-version"',
    );
  });

  it('says it with errors, too', async () => {
    const v1 = Router()
      .use(deprecated({ since: '2026-01-31', successor: '/api/v2' }))
      .get('/x', () => {
        throw Object.assign(new Error('no'), { status: 409 });
      });
    const url = await serving(versions({ v1 }));
    const { status, headers } = await get(`${url}/v1/x`);
    expect(status).toBe(409);
    expect(headers['deprecation']).toBe('@1769817600');
    expect(headers['link']).toBe('</api/v2>; rel="successor-version"');
  });

  it('serves on after the sunset, with a warning', async () => {
    const seen = warnings('SIGNALBOX_SUNSET_PASSED');
    const clock = testClock(Date.parse('2026-12-31T11:59:59Z'));
    const url = await serving(api(deprecated({ ...OPTIONS, now: clock.now })));
    expect((await get(`${url}/v1/search`)).status).toBe(200);
    expect(seen).toEqual([]);
    clock.advance(1_000);
    expect((await get(`${url}/v1/search`)).status).toBe(200);
    expect((await get(`${url}/v1/search`)).headers['sunset']).toBe('Thu, 31 Dec 2026 12:00:00 GMT');
    expect(seen).toEqual(['deprecated: calls go on after the sunset of 2026-12-31T12:00:00.000Z']);
  });

  it('is gone from the sunset on where that is asked for, and what inherits from it is not', async () => {
    const { calls } = listening();
    const clock = testClock(Date.parse('2026-12-31T11:59:59Z'));
    const url = await serving(
      api(deprecated({ ...OPTIONS, link: '/why', afterSunset: 'gone', now: clock.now })),
    );
    expect((await get(`${url}/v1/search`)).status).toBe(200);
    clock.advance(1_000);
    const { status, headers, body } = await get(`${url}/v1/search`);
    expect(status).toBe(410);
    expect(body.error).toMatchObject({
      type: 'api_version_gone',
      message: 'This was switched off on 2026-12-31; use /api/v2',
      details: { sunset: '2026-12-31T12:00:00.000Z', successor: '/api/v2', deprecation: '/why' },
    });
    expect(headers['link']).toBe('</why>; rel="deprecation", </api/v2>; rel="successor-version"');
    expect((await get(`${url}/v2/me`)).body).toMatchObject({ from: 'v1' });
    // Who is refused still calls it.
    await eventually(() => calls.length === 2);
  });

  it('speaks of routes without a version however they are reached', async () => {
    const options = { since: '2026-01-31', sunset: '2026-06-30', afterSunset: 'gone' } as const;
    const neutral = Router().use('/old', deprecated(options)).get('/old', says('neutral'));
    const [v1, v2] = [routerOf('v1', '/a'), routerOf('v2', '/b')];
    const url = await serving(versions({ v1, v2 }, { default: 'v2', neutral }));
    for (const path of ['/old', '/v1/old', '/v2/old']) {
      const { status, headers } = await get(url + path);
      expect([path, status, headers['deprecation']]).toEqual([path, 410, '@1769817600']);
    }
  });

  it('tells of each call: the version, who, and the route', async () => {
    const { calls } = listening();
    const signedIn: RequestHandler = (req, _res, next) => {
      Object.assign(req, { auth: { subject: req.headers['x-user'] } });
      next();
    };
    const v1 = Router()
      .use(deprecated({ since: '2026-01-31' }))
      .get('/items/:id', says('v1'));
    const url = await serving(requestContext(), signedIn, versions({ v1, v2: Router() }, { default: 'v2' }));
    await get(`${url}/v1/items/7`, { 'x-user': 'u_1' });
    await get(`${url}/items/7`, { 'x-api-version': 'v1' });
    await get(`${url}/v1/nope`, { 'x-user': 'a\tb' });
    await get(`${url}/v2/items/7`, { 'x-user': 'u_1' });
    await eventually(() => calls.length === 3);
    expect(calls).toEqual([
      { version: 'v1', consumer: 'u_1', route: '/api/v1/items/:id' },
      { version: 'v1', consumer: 'anonymous', route: '/api/items/:id' },
      { version: 'v1', consumer: 'a?b', route: undefined },
    ]);
  });

  it('tells of nobody before the deprecation has begun, and says what is to come', async () => {
    const { calls } = listening();
    const clock = testClock(Date.parse('2026-01-30T23:59:59Z'));
    const url = await serving(api(deprecated({ ...OPTIONS, now: clock.now })));
    expect((await get(`${url}/v1/search`)).headers['deprecation']).toBe('@1769817600');
    clock.advance(1_000);
    await get(`${url}/v1/me`);
    await eventually(() => calls.length > 0);
    expect(calls.map(({ route }) => route)).toEqual(['/api/v1/me']);
  });

  it('tells of calls that were broken off', async () => {
    const { calls } = listening();
    const reached = new EventEmitter();
    const v1 = Router()
      .use(deprecated({ since: '2026-01-31' }))
      .get('/never', () => void reached.emit('handler'));
    const url = new URL(await serving(versions({ v1 })));
    const socket = connect(Number(url.port), url.hostname);
    const isReached = once(reached, 'handler');
    socket.write('GET /api/v1/never HTTP/1.1\r\nHost: x\r\n\r\n');
    await isReached;
    socket.destroy();
    await eventually(() => calls.length === 1);
    expect(calls[0]?.route).toBe('/api/v1/never');
  });

  it('stands by itself, without versions, and names who calls as it is told', async () => {
    const { calls } = listening();
    const url = await serving(
      deprecated({ since: new Date(JULY), version: 'reports', consumer: (req) => req.get('x-app') }),
      deprecatedAnswer,
    );
    const { headers } = await get(url, { 'x-app': 'billing' });
    expect(headers).toMatchObject({ deprecation: `@${JULY / 1000}`, 'x-api-deprecation': 'true' });
    expect(headers['link']).toBeUndefined();
    expect(headers['sunset']).toBeUndefined();
    await eventually(() => calls.length === 1);
    expect(calls).toEqual([{ version: 'reports', consumer: 'billing', route: undefined }]);
  });

  it('survives a consumer function that fails, and says so once', async () => {
    const { calls } = listening();
    const seen: string[] = [];
    const listener = (warning: Error): void => void seen.push(warning.message);
    process.on('warning', listener);
    onTestFinished(() => void process.off('warning', listener));
    const url = await serving(
      deprecated({
        since: '2026-01-31',
        consumer: () => {
          throw new Error('who knows');
        },
      }),
      deprecatedAnswer,
    );
    await get(url);
    await send('HEAD', url);
    await eventually(() => calls.length === 2);
    expect(calls[0]).toEqual({ version: 'unversioned', consumer: 'anonymous', route: undefined });
    await eventually(() => seen.includes('who knows'));
    expect(seen.filter((message) => message === 'who knows')).toHaveLength(1);
  });
});

const deprecatedAnswer: RequestHandler = (_req, res) => {
  res.json({});
};
