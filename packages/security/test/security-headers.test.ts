import { listen } from '@signalbox/testing';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { describe, expect, it } from 'vitest';
import { cspNonce, securityHeaders, type SecurityHeadersOptions } from '../src/index.js';

function appWith(options?: 'api' | 'html' | SecurityHeadersOptions, trustProxy: unknown = false): Express {
  const app = express();
  app.set('trust proxy', trustProxy);
  app.use(securityHeaders(options));
  app.get('/', (_req, res) => void res.send('ok'));
  return app;
}

async function headersOf(app: Express, sent: Record<string, string> = {}): Promise<Headers> {
  return (await fetch(await listen(app), { headers: sent })).headers;
}

const policyOf = async (options?: 'api' | 'html' | SecurityHeadersOptions): Promise<string | null> =>
  (await headersOf(appWith(options))).get('content-security-policy');

describe('securityHeaders', () => {
  it('sets what helmet sets', async () => {
    const app = express();
    app.use(helmet({ contentSecurityPolicy: false }));
    app.get('/', (_req, res) => void res.send('ok'));
    const expected = Object.fromEntries(await headersOf(app));
    const ours = Object.fromEntries(await headersOf(appWith({ https: true })));

    expect(ours).toMatchObject({
      ...expected,
      date: expect.any(String),
      'x-frame-options': 'DENY',
      'referrer-policy': 'same-origin',
    });
    expect(ours).not.toHaveProperty('x-powered-by');
  });

  it('lets pages load their own files and nothing else', async () => {
    expect(await policyOf()).toBe(await policyOf('html'));
    expect(await policyOf('html')).toBe(
      "default-src 'self';base-uri 'none';form-action 'self';frame-ancestors 'none';img-src 'self' data:;object-src 'none';script-src-attr 'none'",
    );
  });

  it('lets answers of an API do nothing', async () => {
    const headers = await headersOf(appWith('api'));

    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
    );
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('promises https only where visitors come by it', async () => {
    const hsts = 'strict-transport-security';
    const forwarded = { 'X-Forwarded-Proto': 'https' };

    expect((await headersOf(appWith())).get(hsts)).toBeNull();
    expect((await headersOf(appWith(), forwarded)).get(hsts)).toBeNull();
    expect((await headersOf(appWith('html', 'loopback'), forwarded)).get(hsts)).toContain('max-age=31536000');
    expect((await headersOf(appWith({ https: true }))).get(hsts)).toContain('max-age=31536000');
    expect((await headersOf(appWith({ https: false }, 'loopback'), forwarded)).get(hsts)).toBeNull();
  });

  it('asks browsers to upgrade only where https is there', async () => {
    expect(await policyOf({ https: true })).toContain(';upgrade-insecure-requests');
    expect(await policyOf({ https: false })).not.toContain('upgrade-insecure-requests');
    expect(await policyOf({ https: true, profile: 'api' })).not.toContain('upgrade-insecure-requests');
  });

  it('takes directives over those of the profile, in either spelling', async () => {
    const policy = await policyOf({
      directives: { imgSrc: null, 'font-src': "'none'", defaultSrc: ["'self'", 'https://cdn.example'] },
    });

    expect(policy).toContain("default-src 'self' https://cdn.example;");
    expect(policy).toContain(";font-src 'none'");
    expect(policy).not.toContain('img-src');
  });

  it('takes sources that depend on the request', async () => {
    const app = appWith({
      directives: { 'connect-src': ["'self'", (req) => `https://${req.headers.host}`] },
    });
    const url = await listen(app);

    expect((await fetch(url)).headers.get('content-security-policy')).toContain(
      `;connect-src 'self' ${url.replace('http:', 'https:')}`,
    );
  });

  it("takes helmet's own options, by whichever of their names", async () => {
    const options = {
      frameguard: { action: 'sameorigin' },
      hsts: { maxAge: 60 },
      xPoweredBy: false,
    } as const;
    const headers = await headersOf(appWith({ https: true, helmet: options }));

    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('strict-transport-security')).toBe('max-age=60; includeSubDomains');
    expect(headers.get('x-powered-by')).toBe('Express');
    expect(
      (await headersOf(appWith({ https: false, helmet: options }))).get('strict-transport-security'),
    ).toBeNull();
  });

  it('only reports where it is asked to, and says where', async () => {
    const headers = await headersOf(appWith({ profile: 'api', reportOnly: true, reportTo: '/csp-reports' }));

    expect(headers.get('content-security-policy')).toBeNull();
    expect(headers.get('content-security-policy-report-only')).toBe(
      "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none';report-uri /csp-reports;report-to csp",
    );
    expect(headers.get('reporting-endpoints')).toBe('csp="/csp-reports"');
  });

  it.each([
    ['page', '"profile" must be "api" or "html", got "page"'],
    [null, '"options" must be an object, got null'],
    [{ https: 'yes' }, '"https" must be true or false, got "yes"'],
    [{ profil: 'api' }, '"profil" is not an option; did you mean "profile"?'],
    [{ directives: [] }, '"directives" must be an object, got an array'],
    [{ directives: { 'script-src': ['self'] } }, '"self" should be quoted'],
    [{ directives: { 'script src': ["'self'"] } }, 'invalid directive name'],
    [{ directives: { 'script-src': ['a;b'] } }, 'invalid directive value'],
    [{ directives: { defaultSrc: null } }, 'needs a default-src'],
    [{ reportOnly: 1 }, '"reportOnly" must be true or false, got 1'],
    [{ reportTo: 'csp' }, '"reportTo" must be a path such as /csp-reports, or a URL, got "csp"'],
    [{ reportTo: '//evil.example' }, '"reportTo" must be a path'],
    [{ reportTo: '/csp;script-src *' }, '"reportTo" must be a path'],
    [{ reportTo: '/csp", evil="/x' }, '"reportTo" must be a path'],
    [{ helmet: { contentSecurityPolicy: false } }, '"helmet.contentSecurityPolicy" is set by "directives"'],
    [{ https: true, helmet: { hsts: { maxAge: -1 } } }, 'not a valid value for maxAge'],
    [{ helmet: { referrerPolicy: { policy: 'none' } } }, 'unexpected policy token'],
  ])('refuses %j', (options, message) => {
    const build = (): unknown => securityHeaders(options as SecurityHeadersOptions);

    expect(build).toThrow(TypeError);
    expect(build).toThrow(/^securityHeaders: /);
    expect(build).toThrow(message);
  });
});

describe('cspNonce', () => {
  async function policyWithNonce(options: SecurityHeadersOptions, header = 'content-security-policy') {
    const app = express();
    app.use(securityHeaders(options));
    app.get('/', (_req, res) => void res.json([cspNonce(res), cspNonce(res)]));
    const answer = await fetch(await listen(app));
    const [nonce = '', again] = (await answer.json()) as string[];
    expect(again).toBe(nonce);
    expect(Buffer.from(nonce, 'base64')).toHaveLength(16);
    return answer.headers.get(header)?.replaceAll(nonce, 'N');
  }

  it('is let through for scripts and styles, and only once asked for', async () => {
    expect(await policyWithNonce({})).toMatch(/;script-src 'self' 'nonce-N';style-src 'self' 'nonce-N'$/);
    expect(await policyOf({})).not.toContain('nonce');
  });

  it('takes the place of none', async () => {
    expect(await policyWithNonce({ profile: 'api' })).toContain(";script-src 'nonce-N';style-src 'nonce-N'");
  });

  it("leaves 'unsafe-inline' in force, which a nonce would switch off", async () => {
    const directives = { 'style-src': ["'unsafe-inline'"], 'script-src-elem': ["'self'"] };
    const policy = await policyWithNonce({ directives });

    expect(policy).toContain(";style-src 'unsafe-inline';");
    expect(policy).toContain(";script-src-elem 'self' 'nonce-N'");
  });

  it('is let through where a policy only reports, and where there is none', async () => {
    const policy = await policyWithNonce({ reportOnly: true }, 'content-security-policy-report-only');
    expect(policy).toContain("'nonce-N'");

    const app = express();
    app.get('/', (_req, res) => void res.send(cspNonce(res)));
    expect(await (await fetch(await listen(app))).text()).toMatch(/^[\w+/]{22}==$/);
  });

  it('is another for each response', async () => {
    const app = appWith();
    app.get('/nonce', (_req, res) => void res.send(cspNonce(res)));
    const url = await listen(app);
    const ask = async (): Promise<string> => (await fetch(`${url}/nonce`)).text();

    expect(await ask()).not.toBe(await ask());
  });

  it('is too late once the headers were sent', async () => {
    const app = express();
    app.get('/', (_req, res) => {
      res.write('sent');
      expect(() => cspNonce(res)).toThrow('cspNonce: the headers were sent already');
      res.end();
    });

    expect((await fetch(await listen(app))).status).toBe(200);
  });
});
