import { expect, it, onTestFinished } from 'vitest';
import { listen, testClock } from '@signalbox/testing';
import express from 'express';
import { checkNginx, startNginx } from '../../../test/support/nginx.js';
import { byApiKey, byPrincipal, memoryStore, zones } from '../src/index.js';

const limits = zones({
  zones: {
    api: '10/s burst 20',
    plain: '5/s',
    slid: '5/s sliding',
    login: '5/15m',
    fast: '5000/s burst 100',
    one: '1/s burst 0',
    keyed: { rate: '2/s burst 5', key: byApiKey() },
    failures: { rate: '5/15m', count: 'failures' },
    planned: { plans: { guest: '1/s' }, plan: () => 'guest' },
    costly: { rate: '9/s', cost: 3 },
    watched: { rate: '3/s', shadow: true },
    personal: { rate: '1/s', key: byPrincipal() },
  },
});

it('zones().nginx() says in nginx what it can, and never less than the app allows', () => {
  const lines = limits.nginx().split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'limit_req_status 429;',
      'limit_req_zone $binary_remote_addr zone=api:10m rate=10r/s;',
      '#   limit_req zone=api burst=20 nodelay;',
      'limit_req_zone $binary_remote_addr zone=plain:10m rate=5r/s;',
      '#   limit_req zone=plain burst=9 nodelay;',
      '#   limit_req zone=slid burst=4 nodelay;',
      'limit_req_zone $binary_remote_addr zone=login:10m rate=1r/m;',
      'limit_req_zone $binary_remote_addr zone=fast:10m rate=5000r/s;',
      '#   limit_req zone=one;',
      'limit_req_zone $http_x_api_key zone=keyed:10m rate=2r/s;',
      '# failures: 5/15m. It counts failures, which nginx cannot.',
      "# planned: 1/s. Its rate depends on the caller's plan, which nginx does not know.",
      '# costly: 9/s. Its requests differ in cost, which nginx does not know.',
      '# watched: 3/s. It refuses nobody, and only tells whom it would refuse.',
      '# personal: 1/s. It is counted by a key that only the app can read.',
    ]),
  );
});

it('zones().nginx() is what nginx accepts, with each limit_req in a location', async () => {
  const text = limits.nginx();
  const uses = [...text.matchAll(/^# {3}(limit_req .*)$/gm)].map(([, line]) => line);
  expect(uses).toHaveLength(7);
  await checkNginx(`${text}
    server {
      listen 127.0.0.1:1;
      ${uses.map((line, index) => `location /${index} { ${line} return 204; }`).join('\n')}
    }`);
});

it('zones().nginx() lets through what comes as one window ends and the next begins, as the app does', async () => {
  const clock = testClock(1_000_000);
  const windows = zones({
    store: memoryStore({ now: clock.now }),
    zones: { plain: '4/m' },
  });
  const app = express();
  app.get('/limited', windows.zone('plain'), (_req, res) => res.end());
  const behind = await listen(app);
  const nginx = await startNginx(
    ({ port }) => `${windows.nginx()}
      server {
        listen 127.0.0.1:${port};
        location / { return 204; }
        location /limited { ${/limit_req zone=.*/.exec(windows.nginx())?.[0]} proxy_pass ${behind}; }
      }`,
  );
  onTestFinished(() => nginx.stop());
  const statuses: number[] = [];
  const send = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent += 1) statuses.push((await fetch(`${nginx.url}/limited`)).status);
  };
  await send(1);
  clock.advance(59_000);
  await send(3);
  clock.advance(2_000);
  await send(4);
  expect(statuses).toEqual(Array.from({ length: 8 }, () => 200));
  await send(1);
  expect(statuses.at(-1)).toBe(429);
});
