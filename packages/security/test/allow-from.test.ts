import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorHandler } from '@signalbox/errors';
import { signals } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { heard } from '../../../test/support/heard.js';
import { send, type Answer } from '../../../test/support/send.js';
import { allowFrom, trustProxy, type ProxyTrust } from '../src/index.js';

function appWith(addresses: readonly string[], trust: ProxyTrust | true = 'off'): Express {
  const app = express();
  app.set('trust proxy', trust === true ? true : trustProxy(trust));
  app.use('/admin', allowFrom(addresses));
  app.get('/admin', (_req, res) => void res.json({ secrets: true }));
  app.use(errorHandler());
  return app;
}

const LOOPBACK = ['127.0.0.0/8', '::1'];

async function ask(app: Express, headers: Record<string, string> = {}): Promise<Answer> {
  return send(await listen(app), { path: '/admin', headers });
}

async function askOverUnixSocket(app: Express, headers: Record<string, string> = {}): Promise<Answer> {
  const folder = mkdtempSync(join(tmpdir(), 'allow-from-'));
  const socketPath = join(folder, 'app.sock');
  const server = createServer(app).listen(socketPath);
  onTestFinished(async () => {
    server.close();
    // Not rmSync: after a socket, `require` would follow no links in this process.
    await rm(folder, { recursive: true });
  });
  await once(server, 'listening');
  return send('http://unix', { socketPath, path: '/admin', headers });
}

describe('allowFrom', () => {
  it('lets in who is on the list', async () => {
    const findings = heard(signals.securityFinding);

    expect((await ask(appWith(LOOPBACK))).status).toBe(200);
    expect(findings).toEqual([]);
  });

  it('refuses everybody else with 403 address_not_allowed, and says so', async () => {
    const findings = heard(signals.securityFinding);
    const answer = await ask(appWith(['192.0.2.0/24', '2001:db8::/32']));

    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.text)).toMatchObject({
      error: { type: 'address_not_allowed', message: 'This is not open to your address.' },
    });
    expect(findings).toEqual([{ kind: 'address', rule: 'address_not_listed', enforced: true }]);
  });

  it('refuses everybody where nobody is listed', async () => {
    expect((await ask(appWith([]))).status).toBe(403);
  });

  it.each([
    { 'X-Forwarded-For': '127.0.0.1' },
    { 'X-Forwarded-For': '203.0.113.7' },
    { 'X-Forwarded-For': '' },
    { Forwarded: 'for=127.0.0.1' },
    { 'X-Real-IP': '127.0.0.1' },
    { 'CF-Connecting-IP': '127.0.0.1' },
    { Via: '1.1 nginx' },
  ])('refuses what somebody on this machine forwards, where no proxy is trusted: %o', async (headers) => {
    const findings = heard(signals.securityFinding);

    expect((await ask(appWith(LOOPBACK), headers)).status).toBe(403);
    expect((await ask(appWith(LOOPBACK, '10.0.0.0/8'), headers)).status).toBe(403);
    expect((await ask(appWith(LOOPBACK, true), headers)).status).toBe(403);
    expect(findings).toHaveLength(3);
  });

  it.each([
    ['198.51.100.7', 200],
    ['::ffff:198.51.100.7', 200],
    ['203.0.113.7', 403],
    ['198.51.100.7, 203.0.113.7', 403],
    ['203.0.113.7, 198.51.100.7', 200],
    ['127.0.0.1', 403],
    ['unknown', 403],
    ['198.51.100.7:80', 403],
    ['198.51.100.7\t, ,', 403],
    ['::1', 403],
  ])('behind a trusted proxy that says %j answers %i', async (forwardedFor, status) => {
    const app = appWith(['198.51.100.0/24'], 'loopback');

    expect((await ask(app, { 'X-Forwarded-For': forwardedFor })).status).toBe(status);
  });

  it('is not opened by a forged address in front of the real one', async () => {
    const app = appWith(LOOPBACK, 1);

    expect((await ask(app, { 'X-Forwarded-For': '127.0.0.1, 203.0.113.7' })).status).toBe(403);
    expect((await ask(app, { 'X-Forwarded-For': '203.0.113.7, 127.0.0.1' })).status).toBe(200);
  });

  it('refuses what comes over a Unix socket, unless a trusted proxy says for whom', async () => {
    const forwarded = { 'X-Forwarded-For': '198.51.100.7' };

    expect((await askOverUnixSocket(appWith([...LOOPBACK, '198.51.100.0/24']))).status).toBe(403);
    expect((await askOverUnixSocket(appWith(['198.51.100.0/24'], 'loopback'), forwarded)).status).toBe(403);
    expect((await askOverUnixSocket(appWith(['198.51.100.0/24'], 'unix'), forwarded)).status).toBe(200);
    expect((await askOverUnixSocket(appWith(LOOPBACK, 'unix'), forwarded)).status).toBe(403);
    expect((await askOverUnixSocket(appWith(LOOPBACK, 'unix'))).status).toBe(403);
  });

  it.each(['localhost', '10.0.0.0/33', '10.0.0/8', '::1/129', 'fe80::1%eth0', '', '*'])(
    'refuses %j at construction',
    (entry) => {
      expect(() => allowFrom([entry])).toThrow(
        new TypeError(
          `allowFrom: "addresses" must be a list of addresses and networks, got ${JSON.stringify(entry)}`,
        ),
      );
    },
  );

  it('refuses what is no list', () => {
    expect(() => allowFrom('127.0.0.1' as never)).toThrow(TypeError);
  });
});
