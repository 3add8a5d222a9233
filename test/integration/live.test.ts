import { Agent, createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from '@signalbox/testing';
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  accountOf,
  adminOf,
  ADMIN_SETTINGS,
  guestOf,
  postJson,
  signInOf,
  type Credentials,
} from '../support/identity.js';
import { balancer, startNginx, type NginxServer } from '../support/nginx.js';
import { startOrchestrator, WITHOUT_ACCOUNTS, type RunningOrchestrator } from '../support/orchestrator.js';
import { startRedis, type RedisServer } from '../support/redis.js';

interface Told {
  event: string;
  payload: { id?: string; seq?: number; stage?: string } & Record<string, unknown>;
}

let redis: RedisServer;
let nodes: RunningOrchestrator[];
let nginx: NginxServer;
let settings: Record<string, string>;
/** How long the instance takes. */
let takesMs = 0;

beforeAll(async () => {
  const instance = createServer((req, res) => {
    if (!req.url?.startsWith('/search')) return void res.end('OK');
    const results = [{ url: 'https://a.example/', title: 'From afar', content: 'x' }];
    setTimeout(
      () => res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ results })),
      takesMs,
    );
  });
  redis = await startRedis();
  settings = {
    ...ADMIN_SETTINGS,
    SECRET_KEYS: 'one secret for all processes of this test',
    PUBLIC_URL: 'http://127.0.0.1:8889',
    REDIS_URL: redis.url,
    SEARXNG_URLS: await listen(instance),
    TRUST_PROXY: 'loopback',
  };
  nodes = await Promise.all([startOrchestrator(settings), startOrchestrator(settings)]);
  const urls = nodes.map(({ url }) => url);
  nginx = await startNginx(({ port }) => balancer(urls, port, { failSeconds: 30 }));
});
afterAll(async () => {
  await nginx.stop();
  await Promise.all(nodes.map(({ program }) => program.stop()));
  await redis.stop();
});

/** Addresses that `ip_hash`, which goes by the first three parts, sends to different nodes. */
const HERE = '127.0.1.1';
const THERE = '127.0.2.1';

/** A socket behind nginx, and all that it is told. */
async function connect(
  { authorization = '' }: Credentials,
  {
    from = HERE,
    url = nginx.url,
    ...options
  }: { from?: string; url?: string; extraHeaders?: Credentials } = {},
): Promise<{ socket: Socket; told: Told[] }> {
  const token = authorization.replace('Bearer ', '');
  const socket = io(url, {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
    // The types mean browsers.
    agent: new Agent({ localAddress: from }) as unknown as string,
    ...(token === '' ? {} : { auth: { token } }),
    ...options,
  });
  onTestFinished(() => void socket.disconnect());
  const told: Told[] = [];
  socket.onAny((event: string, payload: Told['payload']) => told.push({ event, payload }));
  await new Promise<void>((resolve, reject) => {
    socket.once('connected', () => resolve());
    socket.once('connect_error', reject);
  });
  return { socket, told };
}

/** An API key of an account, as a request sends it. */
async function keyOf(
  { bearer }: { bearer: Credentials },
  url: string,
  scopes: readonly string[],
  expiresInDays?: number,
): Promise<Credentials> {
  const made = await postJson(`${url}/auth/keys`, { name: 'a', scopes, expiresInDays }, bearer);
  const { key } = (await made.json()) as { key: string };
  return { authorization: `Bearer ${key}` };
}

/** Which node has so many sockets of this visitor. */
async function socketsAt(node: RunningOrchestrator): Promise<number> {
  const { bearer } = await adminOf(node.url);
  const overview = await fetch(`${node.url}/admin/overview`, { headers: bearer });
  return ((await overview.json()) as { sockets: { sockets: number } }).sockets.sockets;
}

const searchEvents = (told: Told[]): Told[] => told.filter(({ event }) => event.startsWith('search_'));

describe('a search over a socket', () => {
  it('tells its real stages, with numbers, and has its result over HTTP too', async () => {
    takesMs = 200;
    const who = await guestOf(nginx.url);
    const { socket, told } = await connect(who);
    const { id } = (await socket.emitWithAck('search', { q: 'signal boxes' })) as { id: string };
    await eventually(() => told.at(-1)?.event === 'search_complete');

    const events = searchEvents(told);
    expect(events.map(({ payload }) => [payload.id, payload.seq])).toEqual(events.map((_, i) => [id, i + 1]));
    expect(events[0]).toMatchObject({ event: 'search_started', payload: { query: 'signal boxes' } });
    expect(events.slice(1, -1).map(({ event, payload }) => [event, payload.stage])).toEqual([
      ['search_progress', 'preparing'],
      ['search_progress', 'asking searxng'],
      ['search_progress', 'sorting'],
    ]);
    const result = events.at(-1)?.payload;
    expect(result).toMatchObject({
      query: 'signal boxes',
      source: 'searxng',
      results: [{ title: 'From afar' }],
    });
    const over = await fetch(`${nginx.url}/api/v2/searches/${id}`, { headers: who });
    expect(await over.json()).toMatchObject({ id, state: 'complete', result: { query: 'signal boxes' } });

    const stranger = await guestOf(nginx.url);
    expect((await fetch(`${nginx.url}/api/v2/searches/${id}`, { headers: stranger })).status).toBe(404);
    const other = await connect(stranger);
    expect(await other.socket.emitWithAck('resume', { id, after: 0 })).toMatchObject({
      error: { code: 404, type: 'job_not_found' },
    });
  });

  it('that was begun over HTTP is followed by its id', async () => {
    takesMs = 300;
    const who = await guestOf(nginx.url);
    const { socket, told } = await connect(who, { from: THERE });
    const begun = await postJson(`${nginx.url}/api/v1/searches`, { q: 'over http' }, who);
    expect(begun.status).toBe(202);
    const { id } = (await begun.json()) as { id: string };
    expect(begun.headers.get('location')).toBe(`/api/v1/searches/${id}`);
    await socket.emitWithAck('resume', { id, after: 0 });
    await eventually(() => told.at(-1)?.event === 'search_complete');
    expect(searchEvents(told).map(({ payload }) => payload.seq)).toEqual([1, 2, 3, 4, 5]);
  });

  it('goes on when its node is killed: the client comes to the other and misses nothing', async () => {
    takesMs = 4_000;
    const who = await guestOf(nginx.url);
    const { socket, told } = await connect(who);
    socket.on('connected', () => {
      const { id, seq } = searchEvents(told).at(-1)?.payload ?? {};
      if (id !== undefined) socket.emit('resume', { id, after: seq });
    });
    await socket.emitWithAck('search', { q: 'survives' });
    await eventually(() => told.some(({ payload }) => payload.stage === 'asking searxng'));
    const counts = await Promise.all(nodes.map(socketsAt));
    const at = counts.findIndex((count) => count > 0);
    await nodes[at]?.program.kill();

    await eventually(() => told.at(-1)?.event === 'search_complete', 20_000);
    const numbers = searchEvents(told).map(({ payload }) => payload.seq);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    takesMs = 0;
    nodes[at] = await startOrchestrator({ ...settings, PORT: new URL(nodes[at]?.url ?? '').port });
  }, 60_000);

  it.each([
    ['no query', {}, 422],
    ['an empty one', { q: ' ' }, 422],
    ['one that is too long', { q: 'x'.repeat(1_001) }, 422],
    ['another field', { q: 'a', page: 2 }, 422],
    ['a text', 'express', 422],
    ['nothing', null, 422],
  ])('is refused with %s as over HTTP', async (_what, payload, code) => {
    const { socket } = await connect(await guestOf(nginx.url));
    expect(await socket.emitWithAck('search', payload)).toMatchObject({
      error: { code, type: 'validation_failed' },
    });
  });

  it('has the limit of a guest, too, where one searches', async () => {
    const limited = await startOrchestrator({
      ...WITHOUT_ACCOUNTS,
      NODE_ENV: 'development',
      SECRET_KEYS: 'd'.repeat(40),
      RATE_SEARCH: '1000/s',
    });
    onTestFinished(() => limited.program.stop().then(() => undefined));
    const { socket } = await connect(await guestOf(limited.url), { url: limited.url });
    const errors: { type: string; details: object }[] = [];
    for (let i = 0; i < 40; i += 1) {
      const { error } = (await socket.emitWithAck('search', { q: 'express' })) as {
        error?: { type: string; details: object };
      };
      if (error !== undefined) errors.push(error);
    }
    const refused = errors.filter(({ type }) => type === 'rate_limited');
    // One a second, and ten more at once.
    expect(refused.length).toBeGreaterThan(5);
    expect(refused[0]).toMatchObject({ details: { zone: 'guest', limit: 1 } });
  }, 30_000);

  it('has the limit of a key, too, where one comes with one', async () => {
    const limited = await startOrchestrator({
      NODE_ENV: 'development',
      SECRET_KEYS: 'd'.repeat(40),
      RATE_SEARCH: '1000/s',
    });
    onTestFinished(() => limited.program.stop().then(() => undefined));
    const key = await keyOf(await accountOf(limited.url), limited.url, ['search']);
    const { socket } = await connect(key, { url: limited.url });
    const answers = (await Promise.all(
      Array.from({ length: 30 }, () => socket.emitWithAck('search', { q: 'express' })),
    )) as { error?: { type: string; details: object } }[];
    const refused = answers.filter(({ error }) => error?.type === 'rate_limited');
    // Five a second, and twenty more at once.
    expect(refused.length).toBeGreaterThan(2);
    expect(refused[0]).toMatchObject({ error: { details: { zone: 'key', limit: 5 } } });
  }, 60_000);

  it('has the limit of a search', async () => {
    const limited = await startOrchestrator({ ...WITHOUT_ACCOUNTS, RATE_SEARCH: '2/m' });
    onTestFinished(() => limited.program.stop().then(() => undefined));
    const { socket } = await connect(await guestOf(limited.url), { url: limited.url });
    const answers: unknown[] = [];
    for (let i = 0; i < 3; i += 1) answers.push(await socket.emitWithAck('search', { q: 'a' }));
    expect(answers).toEqual([
      { id: expect.any(String) },
      { id: expect.any(String) },
      { error: expect.objectContaining({ code: 429, type: 'rate_limited' }) },
    ]);
  }, 30_000);
});

describe('a socket', () => {
  it.each([
    ['nothing', {}],
    ['a token that is none', { authorization: 'Bearer nonsense' }],
  ])('is not opened to who brings %s', async (_what, who) => {
    await expect(connect(who)).rejects.toMatchObject({ data: { error: { code: 401 } } });
  });

  it('is opened by a key that may search, until it ends; and by no other', async () => {
    // Each node has accounts of its own here.
    const url = String(nodes[0]?.url);
    const ada = await accountOf(url);
    const { told } = await connect(await keyOf(ada, url, ['search'], 1), { url });
    expect(told[0]).toMatchObject({ event: 'connected', payload: { subject: ada.id } });
    const DAY_MS = 86_400_000;
    expect(Number(told[0]?.payload['expiresAt']) - Date.now()).toBeGreaterThan(DAY_MS - 60_000);

    const other = await keyOf(ada, url, ['history']);
    const overHttp = await postJson(`${url}/api/v1/searches`, { q: 'a' }, other);
    expect(overHttp.status).toBe(403);
    await expect(connect(other, { url })).rejects.toMatchObject({
      data: { error: { code: 403, type: 'insufficient_scope' } },
    });
  });

  it('is not opened to a page of another site, and to one of ours by its cookie', async () => {
    const { cookie } = await accountOf(nginx.url);
    const foreign = { cookie, origin: 'https://evil.example' };
    await expect(connect({}, { extraHeaders: foreign })).rejects.toThrow();
    const own = { cookie, origin: 'http://127.0.0.1:8889' };
    const { socket } = await connect({}, { extraHeaders: own });
    expect(socket.connected).toBe(true);
  });

  it('ends with the session that it was opened by, in seven days', async () => {
    const { cookie } = await accountOf(nginx.url);
    const { told } = await connect({}, { extraHeaders: { cookie } });
    const leftMs = Number(told[0]?.payload['expiresAt']) - Date.now();
    const WEEK_MS = 7 * 86_400_000;
    expect(leftMs).toBeGreaterThan(WEEK_MS - 60_000);
    expect(leftMs).toBeLessThanOrEqual(WEEK_MS);
  });

  it('ends within a second when its owner signs out on another node', async () => {
    const ada = await accountOf(nginx.url);
    const again = await signInOf(nginx.url, ada);
    const here = await connect(ada.bearer, { from: HERE });
    const there = await connect(ada.bearer, { from: THERE });
    const other = await connect(again.bearer, { from: THERE });
    const ended = [here, there].map(
      ({ socket }) => new Promise((resolve) => socket.once('disconnect', resolve)),
    );
    const startedAt = performance.now();
    await fetch(`${nginx.url}/auth/logout`, { method: 'POST', headers: ada.bearer });
    await Promise.all(ended);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await pause(50);
    expect(other.socket.connected).toBe(true);
  });

  it('enters the rooms that are open to it, and no other', async () => {
    const { socket } = await connect(await guestOf(nginx.url));
    expect(await socket.emitWithAck('join', { room: 'search_status' })).not.toHaveProperty('error');
    for (const room of ['operations', 'user:u_1', '']) {
      expect(await socket.emitWithAck('join', { room })).toHaveProperty('error');
    }
    const admin = await connect((await adminOf(nginx.url)).bearer);
    expect(await admin.socket.emitWithAck('join', { room: 'operations' })).not.toHaveProperty('error');
  });
});
