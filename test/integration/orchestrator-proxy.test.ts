import { createServer } from 'node:http';
import { listen } from '@signalbox/testing';
import { expect, it, onTestFinished } from 'vitest';
import { guestOf } from '../support/identity.js';
import { startOrchestrator, WITHOUT_ACCOUNTS } from '../support/orchestrator.js';

it('SearXNG behind /proxy sets no cookie of the app, and lets nobody read', async () => {
  const instance = await listen(
    createServer((_req, res) => {
      res.setHeader('Set-Cookie', ['__Host-sid=theirs; Path=/; Secure', 'sid=theirs; Path=/', 'theme=dark']);
      res.setHeader('Access-Control-Allow-Origin', '*').setHeader('Cache-Control', 'public').end('page');
    }),
  );
  const { url, program } = await startOrchestrator({ ...WITHOUT_ACCOUNTS, SEARXNG_URLS: instance });
  onTestFinished(async () => void (await program.stop()));
  const guest = await guestOf(url);
  const answer = await fetch(`${url}/proxy/`, { headers: { ...guest, origin: 'https://elsewhere.example' } });

  expect([answer.status, await answer.text()]).toEqual([200, 'page']);
  expect(answer.headers.getSetCookie()).toEqual([]);
  expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  expect(answer.headers.get('cache-control')).toBe('private, no-cache');
});
