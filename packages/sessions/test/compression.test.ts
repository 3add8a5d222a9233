import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import compression from 'compression';
import { listen } from '@signalbox/testing';
import express, { type RequestHandler, type Response } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sessions } from '../src/index.js';
import { SECRET, slowStore } from './support.js';

const write: RequestHandler = (req, _res, next) => {
  req.session.count = (req.session.count ?? 0) + 1;
  next();
};

const PLACES = {
  'before the session': (session: RequestHandler) => [compression(), session, write],
  'behind the session': (session: RequestHandler) => [session, compression(), write],
  'behind what changes the session': (session: RequestHandler) => [session, write, compression()],
};
type Place = keyof typeof PLACES;

async function serve(place: Place, ...handlers: readonly RequestHandler[]): Promise<string> {
  const session = sessions({ secrets: SECRET, store: slowStore() });
  onTestFinished(() => session.close());
  return listen(express().use(PLACES[place](session), ...handlers));
}

const LINES = Array.from({ length: 20 }, (_each, index) => `line ${index}\n`);

const WAYS: readonly [name: string, send: (res: Response) => void][] = [
  ['piped in small pieces', (res) => void Readable.from(LINES).pipe(res)],
  [
    'written as fast as it is taken',
    async (res) => {
      for (const line of LINES) if (!res.write(line)) await once(res, 'drain');
      res.end();
    },
  ],
];

describe.each(Object.keys(PLACES) as Place[])('with compression %s', (place) => {
  it.each(WAYS)('a response %s is held, and arrives whole', async (_name, sendLines) => {
    const url = await serve(place, (_req, res) => sendLines(res.type('text')));
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    expect(await answer.text()).toBe(LINES.join(''));
    expect(answer.headers.get('content-encoding')).toMatch(/^(?:gzip|br)$/);
    expect(answer.headers.get('set-cookie')).toMatch(/^sid=/);
  });

  it('an event is there as soon as it is flushed', async () => {
    const url = await serve(place, (_req, res) => {
      res.type('text/event-stream').write('data: 1\n\n');
      res.flush();
    });
    const { body } = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const events = body?.pipeThrough(new TextDecoderStream()).getReader();
    expect(await events?.read()).toEqual({ done: false, value: 'data: 1\n\n' });
    await events?.cancel();
  });

  it.each(WAYS)(
    'a response %s arrives whole, also where somebody gathers it first',
    async (_name, sendLines) => {
      // As what puts a script into pages does.
      const gather: RequestHandler = (_req, res, next) => {
        const [end, lines] = [res.end.bind(res), [] as string[]];
        res.write = (line: unknown) => lines.push(String(line)) > 0;
        res.end = () => end(lines.join(''));
        next();
      };
      const url = await serve(place, gather, (_req, res) => sendLines(res.type('text')));
      const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      expect(await answer.text()).toBe(LINES.join(''));
    },
  );

  it('a response arrives whole whose session changes while that is compressed', async () => {
    const long = randomBytes(200_000).toString('hex');
    const url = await serve(place, async (req, res) => {
      res.type('text').write('first,');
      await once(res, 'drain');
      res.write(long);
      req.session.count = 1_000;
      res.end('last');
    });
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    expect((await answer.text()) === `first,${long}last`).toBe(true);
  });
});
