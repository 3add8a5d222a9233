import { errorHandler } from '@signalbox/errors';
import { signals } from '@signalbox/signals';
import { listen } from '@signalbox/testing';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, type TestBrowser } from '../../../test/support/browser.js';
import { heard } from '../../../test/support/heard.js';
import { cors, cspNonce, cspReports, csrf, securityHeaders } from '../src/index.js';

let browser: TestBrowser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

interface Site {
  url: string;
  /** What arrived at `/change` and was let through, by the name that the page gave it. */
  changes: string[];
  /** `Sec-Fetch-Site`, `Origin` and the session of the last request to `/change`. */
  seen: { site?: string | undefined; origin?: string | undefined; session?: string | undefined };
}

/** An app that signs everybody in, with a cookie that browsers send wherever they may. */
async function startSite(
  options: { hidesMetadata?: boolean; origins?: readonly string[] } = {},
): Promise<Site> {
  const { hidesMetadata = false, origins = [] } = options;
  const changes: string[] = [];
  const seen: Site['seen'] = {};
  let url = '';
  const protection = csrf({
    secrets: 'a secret of at least thirty-two bytes',
    publicUrl: () => url,
    origins,
    session: sessionOf,
  });

  const app = express();
  app.use(securityHeaders({ profile: 'html', directives: { 'script-src': ["'unsafe-eval'"] } }));
  app.use(cors({ origins }));
  app.use(express.urlencoded());
  app.get('/', (req, res) => {
    if (sessionOf(req) === undefined) res.cookie('sid', 'one', { httpOnly: true, sameSite: 'lax' });
    res.send(page('', url));
  });
  app.get('/auth/csrf', protection.route());
  app.use((req, _res, next) => {
    if (req.path === '/change') {
      seen.site = req.headers['sec-fetch-site'];
      seen.origin = req.headers.origin;
      seen.session = sessionOf(req);
    }
    // As an old browser behind a proxy that takes away what it does not know.
    if (hidesMetadata) {
      delete req.headers['sec-fetch-site'];
      delete req.headers.origin;
    }
    next();
  });
  app.use(protection);
  app.post('/rotate', (req, res) => {
    res.cookie('sid', 'two', { httpOnly: true, sameSite: 'lax' });
    req.headers.cookie = 'sid=two';
    res.json({ csrfToken: protection.rotate(req, res) });
  });
  app.post('/change', (req, res) => {
    changes.push((req.body as { name?: string } | undefined)?.name ?? 'fetch');
    res.send('<p id=done>changed</p>');
  });
  app.use(errorHandler());
  url = await listen(app);
  return { url, changes, seen };
}

function sessionOf({ headers }: express.Request): string | undefined {
  return /(?:^|; )sid=(\w+)/.exec(headers.cookie ?? '')?.[1];
}

function page(action: string, url: string): string {
  return `<!doctype html><form method=post action="${action}/change"><input name=name value=form>
    <button>Change</button></form><p>${url}</p>`;
}

/**
 * A page of another origin on the same machine. By its other name that is another site to browsers, which keep the
 * cookies of the first to themselves; by the same name and another port it is the same site, and they send them.
 */
async function startAttacker(target: string, host: 'localhost' | '127.0.0.1'): Promise<string> {
  const app = express();
  app.get('/', (_req, res) => void res.send(page(target, target)));
  return (await listen(app)).replace('127.0.0.1', host);
}

/** As a script of the page does it. */
const fetchChange = (url: string, headers: Record<string, string> = {}): string =>
  `fetch(${JSON.stringify(`${url}/change`)}, { method: 'POST', credentials: 'include', headers: ${JSON.stringify(headers)} })
    .then((answer) => answer.status, (error) => error.name)`;

const fetchToken = `fetch('/auth/csrf').then((answer) => answer.json()).then((body) => body.csrfToken)`;

describe('csrf, as a browser sees it', () => {
  it("lets through the form and the script of the app's own page", async () => {
    const site = await startSite();
    const { page, close } = await browser.visit(site.url);

    expect(await page.evaluate(fetchChange(''))).toBe(200);
    await page.getByRole('button').click();
    await page.locator('#done').waitFor();

    expect(site.changes).toEqual(['fetch', 'form']);
    expect(site.seen).toEqual({ site: 'same-origin', origin: site.url, session: 'one' });
    await close();
  });

  it.each([
    ['of another site', 'localhost', 'cross-site', undefined],
    ['of another origin, for which it sends the cookies', '127.0.0.1', 'same-site', 'one'],
  ] as const)('stops the form and the script of a page %s', async (_what, host, site, session) => {
    const victim = await startSite();
    const { page, close } = await browser.visit(victim.url);
    await page.goto(await startAttacker(victim.url, host));

    expect(await page.evaluate(fetchChange(victim.url))).toBe('TypeError');
    expect(victim.seen).toMatchObject({ site, session });
    await page.getByRole('button').click();
    await page.getByText('The request comes from a page of another site.').waitFor();
    expect(victim.seen).toMatchObject({ site, session });

    expect(victim.changes).toEqual([]);
    await close();
  });

  it('lets through a page of another site that is listed', async () => {
    const friend = await startAttacker('', 'localhost');
    const site = await startSite({ origins: [friend] });
    const { page, close } = await browser.visit(friend);

    expect(await page.evaluate(fetchChange(site.url))).toBe(200);
    expect(site.changes).toEqual(['fetch']);
    await close();
  });

  it('asks for a token where the browser says nothing, and takes the one of the page', async () => {
    const site = await startSite({ hidesMetadata: true });
    const { page, close } = await browser.visit(site.url);

    expect(await page.evaluate(fetchChange(''))).toBe(403);
    const token = String(await page.evaluate(fetchToken));
    expect(await page.evaluate(fetchChange('', { 'x-csrf-token': token }))).toBe(200);

    await page.evaluate(`
      const field = document.createElement('input');
      Object.assign(field, { type: 'hidden', name: '_csrf', value: ${JSON.stringify(token)} });
      document.forms[0].append(field);`);
    await page.getByRole('button').click();
    await page.locator('#done').waitFor();
    expect(site.changes).toEqual(['fetch', 'form']);
    await close();
  });

  it('takes the rotated token and no longer the one from before', async () => {
    const site = await startSite({ hidesMetadata: true });
    const { page, close } = await browser.visit(site.url);
    const before = String(await page.evaluate(fetchToken));
    const after = String(
      await page.evaluate(
        `fetch('/rotate', { method: 'POST', headers: { 'x-csrf-token': ${JSON.stringify(before)} } })
          .then((answer) => answer.json()).then((body) => body.csrfToken)`,
      ),
    );

    expect(await page.evaluate(fetchChange('', { 'x-csrf-token': before }))).toBe(403);
    expect(await page.evaluate(fetchChange('', { 'x-csrf-token': after }))).toBe(200);
    await close();
  });

  it.each(['localhost', '127.0.0.1'] as const)(
    'stops a form of %s where the browser says nothing: that page knows no token',
    async (host) => {
      const site = await startSite({ hidesMetadata: true });
      const { page, close } = await browser.visit(site.url);
      await page.evaluate(fetchToken);
      await page.goto(await startAttacker(site.url, host));
      await page.getByRole('button').click();

      await page.getByText('brings no CSRF token').waitFor();
      expect(site.changes).toEqual([]);
      await close();
    },
  );
});

describe('the policy, as a browser sees it', () => {
  it('runs the script with the nonce, refuses the other, and reports that', async () => {
    const findings = heard(signals.securityFinding);
    const app = express();
    // Without the newer way, by which Chromium gathers reports for a minute.
    app.use(securityHeaders({ reportTo: '/csp-reports', directives: { 'report-to': null } }));
    app.post('/csp-reports', cspReports());
    app.get('/', (_req, res) => {
      res.send(`<!doctype html><title>before</title>
        <script>document.title = 'injected'</script>
        <script nonce="${cspNonce(res)}">document.title += ', ours'</script>`);
    });
    const { page, close } = await browser.visit(await listen(app));

    expect(await page.title()).toBe('before, ours');
    await expect
      .poll(() => findings, { timeout: 10_000 })
      .toEqual([{ kind: 'csp_report', rule: 'script-src-elem', enforced: true }]);
    await close();
  });
});
