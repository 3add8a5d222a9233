import { createServer, request, type IncomingMessage } from 'node:http';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { addressList, clientAddress } from '../src/index.js';

function appThatTells(trustProxy: unknown = false): Express {
  const app = express();
  app.set('trust proxy', trustProxy);
  app.get('/', (req, res) => void res.json({ address: clientAddress(req) ?? null }));
  return app;
}

async function addressSeen(headers: Record<string, string>, trustProxy?: unknown): Promise<unknown> {
  const url = await listen(appThatTells(trustProxy));
  const answer = (await (await fetch(url, { headers })).json()) as { address: unknown };
  return answer.address;
}

describe('clientAddress', () => {
  it('is the peer where nobody forwarded the request', async () => {
    expect(await addressSeen({})).toBe('127.0.0.1');
    expect(await addressSeen({}, 'loopback')).toBe('127.0.0.1');
  });

  it.each([
    { 'X-Forwarded-For': '10.0.0.1' },
    { Forwarded: 'for=10.0.0.1' },
    { 'X-Real-IP': '10.0.0.1' },
    { Via: '1.1 proxy' },
  ])('is unknown where a peer that is not trusted sends %o', async (headers) => {
    expect(await addressSeen(headers)).toBeNull();
    expect(await addressSeen(headers, '10.0.0.0/8')).toBeNull();
  });

  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['fe80::1%eth0', 'fe80::1'],
    ['6.6.6.6, 10.1.2.3', '10.1.2.3'],
  ])('is what a trusted proxy says last: of %j it is %j', async (forwardedFor, address) => {
    expect(await addressSeen({ 'X-Forwarded-For': forwardedFor }, 'loopback')).toBe(address);
  });

  it('is unknown where a trusted proxy names the caller in a field that Express does not read', async () => {
    expect(await addressSeen({ 'X-Real-IP': '10.0.0.1' }, 'loopback')).toBeNull();
  });

  it('is unknown where everybody is trusted, for then the caller wrote it', async () => {
    expect(await addressSeen({ 'X-Forwarded-For': '127.0.0.1' }, true)).toBeNull();
  });

  it('is unknown over a Unix socket unless a trusted proxy says it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'client-address-'));
    // Not rmSync: after a socket, `require` would follow no links in this process.
    onTestFinished(() => rm(folder, { recursive: true }));
    const over = async (app: Express, headers: Record<string, string>): Promise<string> => {
      const socketPath = join(folder, `${Math.random()}.sock`);
      const server = createServer(app).listen(socketPath);
      onTestFinished(() => void server.close());
      await once(server, 'listening');
      const [res] = (await once(request({ socketPath, headers, agent: false }).end(), 'response')) as [
        IncomingMessage,
      ];
      const chunks = await res.toArray();
      return Buffer.concat(chunks).toString();
    };

    expect(await over(appThatTells(), {})).toBe('{"address":null}');
    expect(await over(appThatTells('loopback'), { 'X-Forwarded-For': '127.0.0.1' })).toBe('{"address":null}');
    expect(
      await over(
        appThatTells((address: string | undefined) => address === undefined),
        { 'X-Forwarded-For': '10.0.0.7' },
      ),
    ).toBe('{"address":"10.0.0.7"}');
  });
});

describe('addressList', () => {
  const list = addressList(['10.0.0.0/8', '10.1.0.0/16', '::1', '2001:db8::/32', '::ffff:192.0.2.7'], 'x');

  it.each(['10.255.0.1', '10.1.2.3', '::1', '2001:db8:1::1', '192.0.2.7', '::ffff:10.0.0.1', '::1%lo'])(
    'has %s, also where networks overlap',
    (address) => {
      expect(list.has(address)).toBe(true);
    },
  );

  it.each(['11.0.0.1', '::2', '2001:db9::1', '192.0.2.8', '', 'unknown', '10.0.0.1.example', undefined])(
    'does not have %s',
    (address) => {
      expect(list.has(address)).toBe(false);
    },
  );

  it('takes a network of mapped addresses for the IPv4 network that it is', () => {
    expect(addressList(['::ffff:10.0.0.0/104'], 'x').has('10.9.8.7')).toBe(true);
    expect(addressList(['::ffff:10.0.0.0/104'], 'x').has('11.9.8.7')).toBe(false);
  });

  it('is empty where nothing is listed', () => {
    expect(addressList([], 'x').has('127.0.0.1')).toBe(false);
  });

  it.each([
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '::1/129',
    'fe80::1%eth0',
    '1',
  ])('refuses %j in words that name the option', (entry) => {
    expect(() => addressList([entry], 'allowFrom: "addresses"')).toThrow(
      `allowFrom: "addresses" must be a list of addresses and networks, got ${JSON.stringify(entry)}`,
    );
  });

  it.each([undefined, '10.0.0.0/8', [7]])('refuses %j, which is no list of addresses', (entries: unknown) => {
    expect(() => addressList(entries as string[], 'x')).toThrow(TypeError);
  });
});
