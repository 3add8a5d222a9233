import { errorHandler } from '@signalbox/errors';
import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { send } from '../../../test/support/send.js';
import {
  allowFrom,
  cors,
  cspReports,
  csrf,
  httpsOnly,
  idempotency,
  securityHeaders,
  trustProxy,
} from '../src/index.js';

/** Everything at once, behind a proxy. */
function appWithAll(): Express {
  const forgery = csrf({
    secrets: 'a secret of at least thirty-two bytes',
    publicUrl: 'https://app.example',
    origins: ['https://*.example.org'],
  });
  const app = express();
  app.set('trust proxy', trustProxy('loopback'));
  app.use(securityHeaders('api'));
  app.use(
    cors({
      origins: ['https://*.example.org', () => true],
      paths: { '/closed': false, '/open': { origins: '*' } },
    }),
  );
  app.post('/csp-reports', cspReports());
  app.use('/admin', allowFrom(['127.0.0.0/8', '::1']));
  app.use('/https', httpsOnly({ publicUrl: 'https://app.example', hosts: ['www.app.example'] }));
  app.get('/auth/csrf', forgery.route());
  app.use(forgery, express.json(), idempotency());
  app.use((req, res) => void res.status(200).json({ path: req.path }));
  app.use(errorHandler());
  return app;
}

/** What `node:http` is willing to send: any byte but control characters. */
const text = fc
  .array(
    fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f),
    { maxLength: 200 },
  )
  .map((codes) => String.fromCharCode(...codes));
const nasty = fc.oneof(
  text,
  fc.constantFrom(
    '',
    'null',
    '__proto__',
    'constructor',
    'j:{"a":1}',
    's:x.y',
    '%00',
    '%',
    '%E0%A4%A',
    '=',
    ';;;',
    '"',
    'csrf=; csrf-id=',
    '__Host-csrf=a.b; __Host-csrf-id=',
    `__Host-csrf=${'a'.repeat(4_000)}`,
    '::ffff:127.0.0.1',
    '127.0.0.1, , ,',
    'https://xn--.example.org',
    `https://${'a.'.repeat(1_500)}example.org`,
    'x'.repeat(6_000),
  ),
);
const fields = fc.record(
  {
    Origin: nasty,
    Referer: nasty,
    Cookie: nasty,
    Host: nasty,
    'Sec-Fetch-Site': nasty,
    'X-CSRF-Token': nasty,
    'X-Forwarded-For': nasty,
    'X-Forwarded-Proto': nasty,
    'X-Forwarded-Host': nasty,
    'Idempotency-Key': nasty,
    'Access-Control-Request-Method': nasty,
    'Access-Control-Request-Headers': nasty,
    'Content-Type': fc.oneof(nasty, fc.constantFrom('application/json', 'application/csp-report')),
  },
  { requiredKeys: ['Host'] },
);

describe('hostile input', () => {
  it('is refused or answered, and never a 500', { timeout: 30_000 }, async () => {
    const url = await listen(appWithAll());
    const paths = ['/', '/admin', '/https', '/auth/csrf', '/csp-reports', '/closed/x', '/open', '//x', '/%'];
    await fc.assert(
      fc.asyncProperty(
        fields,
        fc.constantFrom('GET', 'POST', 'OPTIONS', 'DELETE'),
        fc.constantFrom(...paths),
        fc.oneof(nasty, fc.json()),
        async (headers, method, path, body) => {
          const sent = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
          const answer = await send(url, {
            method,
            path,
            headers: sent,
            body: method === 'GET' ? undefined : body,
          });
          expect(answer.status, answer.text).toBeLessThan(500);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('of giant header fields is refused by the server itself', async () => {
    const url = await listen(appWithAll());
    for (const name of ['Origin', 'Cookie', 'X-CSRF-Token', 'Idempotency-Key', 'X-Forwarded-For']) {
      const answer = await send(url, { method: 'POST', headers: { [name]: 'x'.repeat(20_000) } });
      expect(answer.status).toBe(431);
    }
  });

  it('of a cookie field with very many pairs is read in no time', async () => {
    const url = await listen(appWithAll());
    const headers = { Cookie: 'a=;'.repeat(4_000), 'X-CSRF-Token': 'x' };

    expect((await send(url, { method: 'POST', headers })).status).toBe(403);
  });
});
