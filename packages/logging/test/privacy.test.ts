import { requestContext } from '@signalbox/context';
import { listen, testClock } from '@signalbox/testing';
import express from 'express';
import { describe, expect, it } from 'vitest';
import { createLogger, requestLogger, type PrivacyOptions } from '../src/index.js';
import { recorder, type Line, type Recorder } from './recorder.js';

const KEY = 'a key of at least thirty-two bytes';
const NOON = Date.UTC(2025, 5, 1, 12);

async function privateServer(privacy: true | PrivacyOptions): Promise<{ url: string; log: Recorder }> {
  const log = recorder();
  const app = express().set('trust proxy', 'loopback');
  app.use(
    requestContext(),
    requestLogger({ logger: createLogger({ destination: log }), privacy, slowMs: 0.001 }),
  );
  app.get('/people/:name', (_req, res) => res.end());
  return { url: await listen(app), log };
}

async function visitor(
  server: { url: string; log: Recorder },
  address: string,
  userAgent: string,
): Promise<unknown> {
  const before = server.log.lines.length;
  await fetch(`${server.url}/people/ada`, {
    headers: { 'x-forwarded-for': address, 'user-agent': userAgent },
  });
  const isNew = (line: Line): boolean => server.log.lines.indexOf(line) >= before && 'visitor' in line;
  return (await server.log.line(isNew))['visitor'];
}

describe('privacy mode', () => {
  it('keeps address, user agent, path and query out of every line', async () => {
    const { url, log } = await privateServer(true);
    const headers = { 'x-forwarded-for': '203.0.113.9', 'user-agent': 'Rare Browser 7' };
    await fetch(`${url}/people/lovelace?q=my+illness`, { headers });
    await fetch(`${url}/secret/place?page=2`, { headers });
    await log.line((line) => line['msg'] === 'GET unmatched 404');

    expect(log.lines.map((line) => String(line['msg'])).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'GET /people/:name 200',
      'GET unmatched 404',
      expect.stringMatching(/^Slow request: GET \/people\/:name took \d+ms$/) as string,
      expect.stringMatching(/^Slow request: GET unmatched took \d+ms$/) as string,
    ]);
    for (const told of ['203.0.113.9', 'Rare', 'lovelace', 'illness', 'secret', 'page', '127.0.0.1']) {
      expect(log.text).not.toContain(told);
    }
  });

  it('gives a visitor one name for the day, and another on the next, by UTC', async () => {
    const clock = testClock(NOON);
    const server = await privateServer({ now: clock.now });
    const name = await visitor(server, '203.0.113.9', 'A');

    expect(name).toMatch(/^[\w-]{16}$/);
    clock.advance(11 * 3_600_000);
    expect(await visitor(server, '203.0.113.9', 'A')).toBe(name);
    clock.advance(3_600_000);
    expect(await visitor(server, '203.0.113.9', 'A')).not.toBe(name);
  });

  it('tells visitors apart by address and by user agent', async () => {
    const server = await privateServer(true);
    const names = [
      await visitor(server, '203.0.113.9', 'A'),
      await visitor(server, '203.0.113.9', 'B'),
      await visitor(server, '203.0.113.10', 'A'),
    ];
    expect(new Set(names).size).toBe(3);
  });

  it('agrees between processes that share a key, and only between those', async () => {
    const { now } = testClock(NOON);
    const servers = await Promise.all([
      privateServer({ key: KEY, now }),
      privateServer({ key: Buffer.from(KEY), now }),
      privateServer({ key: `${KEY}!`, now }),
      privateServer({ now }),
    ]);
    const [one, other, ...strangers] = await Promise.all(
      servers.map((server) => visitor(server, '203.0.113.9', 'A')),
    );
    expect(other).toBe(one);
    expect(new Set([one, ...strangers]).size).toBe(3);
  });
});
