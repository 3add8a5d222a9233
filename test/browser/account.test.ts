import { EventEmitter, once } from 'node:events';
import { Secret, TOTP } from 'otpauth';
import type { Locator, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, type TestBrowser, type Visitor } from '../support/browser.js';
import { accountOf } from '../support/identity.js';
import { startReady, startOrchestrator, type RunningOrchestrator } from '../support/orchestrator.js';
import { startRedis } from '../support/redis.js';

let browser: TestBrowser;
let running: RunningOrchestrator;

beforeAll(async () => {
  [browser, running] = await Promise.all([launchBrowser(), startReady()]);
});
afterAll(async () => {
  await browser.close();
  await running.program.stop();
});

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

async function signIn(page: Page, email: string, password: string): Promise<void> {
  await button(page, 'Sign in').first().click();
  await page.getByLabel('E-mail address').fill(email);
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill(password);
  await page.keyboard.press('Enter');
}

/** What was asked for is there once the server can say again who asks. */
async function tryAgainUntil(page: Page, wanted: Locator): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    const again = button(page, 'Try again');
    if (await again.isVisible()) await again.click();
    return wanted.isVisible();
  };
  await expect.poll(isThere, { timeout: 15_000 }).toBe(true);
}

/** Opens the page of somebody who has an account and is signed in to it. */
async function visitAccount(): Promise<Visitor & { email: string; password: string }> {
  const { email, password } = await accountOf(running.url);
  const visitor = await browser.visit(running.url);
  await signIn(visitor.page, email, password);
  await visitor.page.getByRole('link', { name: email }).waitFor();
  return { ...visitor, email, password };
}

/** Lets answers of the server wait, as they were when they were asked for, until they are released. */
class HeldAnswers {
  readonly #events = new EventEmitter();
  #isReleased = false;

  /** A handler for `page.route`. */
  readonly hold = async (route: Route): Promise<void> => {
    const response = await route.fetch();
    const released = this.#isReleased ? undefined : once(this.#events, 'released');
    this.#events.emit('held');
    await released;
    await route.fulfill({ response });
  };

  /** Resolves when the next answer is here, and waits. */
  readonly held = (): Promise<unknown> => once(this.#events, 'held');

  readonly release = (): void => {
    this.#isReleased = true;
    this.#events.emit('released');
  };
}

describe('who is not signed in', () => {
  it('is asked who is searching, goes on as a guest, and gets the results', async () => {
    const { page, errors, screenshot, close } = await browser.visit(`${running.url}/?q=express`);
    await page.getByRole('heading', { name: 'Who is searching?' }).waitFor();
    await screenshot('who');
    await button(page, 'Go on as a guest').first().click();
    await page.locator('.result').first().waitFor();

    await page.getByRole('link', { name: 'Guest' }).click();
    await page.getByRole('heading', { name: 'You are here as a guest' }).waitFor();
    await page.getByText('This device').waitFor();
    expect(await page.getByRole('heading', { name: 'API keys' }).isVisible()).toBe(false);
    expect(errors).toEqual([]);
    await close();
  });

  it('makes an account by keyboard alone, with what is wrong beside its field, and signs out', async () => {
    const { page, errors, screenshot, close } = await browser.visit(running.url);
    await button(page, 'Sign in').first().focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await screenshot('sign-in');
    await button(page, 'Make an account').focus();
    await page.keyboard.press('Enter');

    await page.keyboard.type('not an address');
    await page.keyboard.press('Tab');
    await page.keyboard.type('a long and quiet night');
    await page.keyboard.press('Enter');
    const email = page.getByLabel('E-mail address');
    await page.getByText('This must be an e-mail address.').waitFor();
    expect(await email.getAttribute('aria-invalid')).toBe('true');
    expect(await page.evaluate('document.activeElement.id')).toBe('email');
    await screenshot('register-problem');

    await email.fill('keyboard@example.org');
    await page.getByRole('textbox', { name: 'Password', exact: true }).fill('password1');
    await page.keyboard.press('Enter');
    await page.getByText(/tried first/).waitFor();
    await page.getByRole('textbox', { name: 'Password', exact: true }).fill('a long and quiet night');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'keyboard@example.org' }).waitFor();
    expect(await page.getByRole('dialog').isVisible()).toBe(false);

    await button(page, 'Sign out').focus();
    await page.keyboard.press('Enter');
    await button(page, 'Sign in').first().waitFor();
    // The browser itself notes the two refusals.
    expect(errors.filter((error) => !error.includes('422'))).toEqual([]);
    await close();
  });

  it('is signed in at the next try where an account was made and could not be signed in to', async () => {
    const { page, close } = await browser.visit(running.url);
    await page.route('**/auth/login', (route) => route.fulfill({ status: 503, json: {} }), { times: 1 });
    await button(page, 'Sign in').first().click();
    await button(page, 'Make an account').click();
    await page.getByLabel('E-mail address').fill('unlucky@example.org');
    await page.getByRole('textbox', { name: 'Password', exact: true }).fill('three quiet green signals');
    await page.keyboard.press('Enter');
    await page.getByText('That cannot be done at the moment.').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'unlucky@example.org' }).waitFor();
    await close();
  });

  it('is told that the password is wrong, and for how long there is no trying again', async () => {
    const strict = await startOrchestrator({ RATE_LOGIN: '2/m' });
    try {
      const { page, screenshot, close } = await browser.visit(strict.url);
      await signIn(page, 'somebody@example.org', 'not the password');
      await page.getByText('The address or the password is wrong').waitFor();
      for (let n = 0; n < 2; n += 1) {
        await page.keyboard.press('Enter');
        await expect.poll(() => page.locator('#identity-form').getAttribute('aria-busy')).toBe('false');
      }
      await page.getByText(/Too many attempts\. Try again in \d+ seconds?\./).waitFor();
      await screenshot('sign-in-limit');
      await close();
    } finally {
      await strict.program.stop();
    }
  }, 40_000);

  it('chooses a new password with the link of a letter', async () => {
    const developing = await startOrchestrator({ NODE_ENV: 'development', SECRET_KEYS: 'd'.repeat(40) });
    try {
      const { email } = await accountOf(developing.url);
      const { page, close } = await browser.visit(developing.url);
      await button(page, 'Sign in').first().click();
      await button(page, 'Forgot the password?').click();
      await page.getByLabel('E-mail address').fill(email);
      await page.keyboard.press('Enter');
      await page.getByText(/A link is on its way/).waitFor();
      // In development letters are logged.
      const [, token = ''] = await developing.program.waitFor(/#reset=([\w-]{43})/);

      // In a page that is open, and in a new one.
      await page.goto(`${developing.url}/#reset=${token}`);
      await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
      await page.goto('about:blank');
      await page.goto(`${developing.url}/#reset=${token}`);
      await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
      expect(page.url()).not.toContain(token);
      await page.getByRole('textbox', { name: 'New password' }).fill('a brand new winter song');
      await page.keyboard.press('Enter');
      await page.getByText('The new password is set.').waitFor();
      await page.getByLabel('E-mail address').fill(email);
      await page.getByRole('textbox', { name: 'Password', exact: true }).fill('a brand new winter song');
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: email }).waitFor();
      await close();
    } finally {
      await developing.program.stop();
    }
  }, 40_000);
});

describe('the account', () => {
  it('lists where one is signed in, and ends the others', async () => {
    const first = await visitAccount();
    const second = await browser.visit(running.url);
    await signIn(second.page, first.email, first.password);
    await second.page.getByRole('link', { name: first.email }).waitFor();
    const { page, screenshot } = first;
    await page.getByRole('link', { name: first.email }).click();
    await page.getByText('This device').waitFor();
    await screenshot('account');
    // The third is of the program that made the account.
    expect(await page.locator('#sessions li').count()).toBe(3);

    await page.getByRole('button', { name: /^End the session on Chrome/ }).click();
    await page.getByText('The session is ended.').waitFor();
    expect(await page.locator('#sessions li').count()).toBe(2);
    await second.page.goto(`${running.url}/?q=express`);
    await second.page.getByRole('heading', { name: 'Who is searching?' }).waitFor();
    await Promise.all([first.close(), second.close()]);
  });

  it('makes a key that is shown once, and revokes it', async () => {
    const { page, email, screenshot, errors, close } = await visitAccount();
    await page.getByRole('link', { name: email }).click();
    await page.getByLabel('Name', { exact: true }).fill('indexer');
    await button(page, 'Make a key').click();
    await page.getByText('This is the key.').waitFor();
    const key = (await page.locator('#made-key-text').textContent()) ?? '';
    await screenshot('key');
    const search = `${running.url}/api/v1/search?q=express`;
    expect((await fetch(search, { headers: { 'X-API-Key': key } })).status).toBe(200);

    await page.reload();
    await page.getByText('indexer').waitFor();
    expect(await page.getByText(key).isVisible()).toBe(false);
    await button(page, 'Revoke the key indexer').click();
    await page.getByText('The key is revoked.').waitFor();
    expect((await fetch(search, { headers: { 'X-API-Key': key } })).status).toBe(401);
    expect(errors).toEqual([]);
    await close();
  });

  it('adds a second factor with a QR code, signs in with it, and takes it away', async () => {
    const { page, email, password, screenshot, close } = await visitAccount();
    await page.getByRole('link', { name: email }).click();
    await button(page, 'Add a second factor').click();
    await page.getByRole('img', { name: 'QR code of the secret' }).waitFor();
    await screenshot('second-factor');
    const secret = ((await page.locator('#factor-secret').textContent()) ?? '').replaceAll(' ', '');
    const authenticator = new TOTP({ secret: Secret.fromBase32(secret) });
    await page.getByLabel('Code', { exact: true }).fill('123');
    await page.keyboard.press('Enter');
    await page.getByText(/This must be a code of six digits/).waitFor();
    await page
      .getByLabel('Code', { exact: true })
      .fill(authenticator.generate({ timestamp: Date.now() - 30_000 }));
    await page.keyboard.press('Enter');
    await page.getByText('The second factor is on.').waitFor();
    await screenshot('recovery-codes');
    const [recovery = ''] = await page.locator('#recovery-codes li').allTextContents();

    await button(page, 'Sign out').click();
    await signIn(page, email, password);
    await page.getByLabel(/^Code of your authenticator/).fill(authenticator.generate());
    await screenshot('sign-in-code');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: email }).click();
    await page.getByLabel('A code, to remove it').fill(recovery);
    await page.keyboard.press('Enter');
    await page.getByText('The second factor is off.').waitFor();
    await close();
  });

  it('is shown as another tab has left it', async () => {
    const { page, context, email, close } = await visitAccount();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('link', { name: email }).click();
    await page.getByText('This device').waitFor();
    const other = await context.newPage();
    await other.goto(running.url);
    await button(other, 'Sign out').click();
    await button(page, 'Sign in').waitFor();
    expect(await page.locator('#account').isVisible()).toBe(false);
    expect(await page.locator('#live').isVisible()).toBe(false);

    const somebody = await accountOf(running.url);
    await signIn(other, somebody.email, somebody.password);
    await other.getByRole('link', { name: somebody.email }).waitFor();
    await page.evaluate("window.dispatchEvent(new Event('focus'))");
    await page.getByRole('link', { name: somebody.email }).click();
    await page.getByRole('heading', { name: somebody.email }).waitFor();
    await close();
  });

  it('shows nothing of who was signed in there before', async () => {
    const { page, context, email, close } = await visitAccount();
    await page.getByRole('link', { name: email }).click();
    await page.getByLabel('Keep my searches for me').check();
    await page.getByText('Your searches are kept from now on.').waitFor();
    await page.getByLabel('Name', { exact: true }).fill('indexer');
    await button(page, 'Make a key').click();
    await button(page, 'Revoke the key indexer').waitFor();
    await context.request.get(`${running.url}/api/v2/search?q=graceful+shutdown`);
    await page.reload();
    await page.getByRole('link', { name: 'graceful shutdown' }).waitFor();
    await page.getByLabel('Name', { exact: true }).fill('crawler');
    await button(page, 'Make a key').click();
    const made = await page.locator('#made-key-text').getByText(/^sbx_/).textContent();

    const somebody = await accountOf(running.url);
    await page.route(/\/(api|auth)\/.*(history|keys|sessions|second-factor)/, (route) =>
      route.fulfill({ status: 503, json: { error: { type: 'database_unavailable', message: 'Later' } } }),
    );
    const other = await context.newPage();
    await other.goto(running.url);
    await button(other, 'Sign out').click();
    await button(page, 'Sign in').waitFor();
    // Not to a look behind the page either.
    const content = await page.content();
    expect([made, email].filter((secret) => content.includes(secret ?? ''))).toEqual([]);
    await signIn(other, somebody.email, somebody.password);
    await other.getByRole('link', { name: somebody.email }).waitFor();
    await page.evaluate("window.dispatchEvent(new Event('focus'))");
    await page.getByRole('link', { name: somebody.email }).click();
    await page.getByText('That cannot be done at the moment.').waitFor();
    for (const list of ['#sessions', '#keys', '#history']) {
      expect([list, await page.locator(`${list} li`).count()]).toEqual([list, 0]);
    }
    await close();
  });

  it('says so where the browser does not let a page copy, as without TLS', async () => {
    const { page, email, close } = await visitAccount();
    await page.getByRole('link', { name: email }).click();
    await page.getByLabel('Name', { exact: true }).fill('indexer');
    await button(page, 'Make a key').click();
    await button(page, 'Revoke the key indexer').waitFor();
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await button(page, 'Copy the key').click();
    await page.getByText('The browser does not let this page copy: mark it, and copy it by hand.').waitFor();
    await close();
  });

  it('keeps the searches of who wants that, and deletes them', async () => {
    const { page, email, close } = await visitAccount();
    await page.getByRole('link', { name: email }).click();
    await page.getByLabel('Keep my searches for me').check();
    await page.getByText('Your searches are kept from now on.').waitFor();
    await page.goto(`${running.url}/?q=graceful+shutdown`);
    await page.locator('.result').first().waitFor();
    await page.getByRole('link', { name: email }).click();
    await page.getByRole('link', { name: 'graceful shutdown' }).waitFor();
    await button(page, 'Delete them').click();
    await page.getByText('They are deleted.').waitFor();
    expect(await page.locator('#history li').count()).toBe(0);
    await close();
  });

  it('lets nobody choose before it knows what was chosen, and shows the newest answer', async () => {
    const { page, email, close } = await visitAccount();
    const late = new HeldAnswers();
    await page.route('**/api/v2/history', late.hold);
    await page.route('**/auth/second-factor', late.hold);
    await page.getByRole('link', { name: email }).click();
    await page.getByText('This device').waitFor();
    const keep = page.getByLabel('Keep my searches for me');
    expect(await keep.isDisabled()).toBe(true);
    expect(await button(page, 'Add a second factor').isVisible()).toBe(false);
    late.release();
    await keep.check();
    await page.getByText('Your searches are kept from now on.').waitFor();
    await button(page, 'Add a second factor').waitFor();

    // A list that was asked for before a key was made arrives after it.
    const earlier = new HeldAnswers();
    await page.route('**/auth/keys', earlier.hold, { times: 1 });
    await Promise.all([earlier.held(), page.reload()]);
    await page.getByLabel('Name', { exact: true }).fill('indexer');
    await button(page, 'Make a key').click();
    await button(page, 'Revoke the key indexer').waitFor();
    const answered = page.waitForResponse((response) => response.url().endsWith('/auth/keys'));
    earlier.release();
    await (await answered).finished();
    await page.evaluate('new Promise((resolve) => setTimeout(resolve))');
    expect(await button(page, 'Revoke the key indexer').isVisible()).toBe(true);
    await close();
  });

  it.each([
    ['narrow', { viewport: { width: 360, height: 740 } }],
    ['dark', { colorScheme: 'dark' as const }],
  ])('fits, and can be read: %s', async (name, options) => {
    const { email, password } = await accountOf(running.url);
    const { page, screenshot, close } = await browser.visit(running.url, options);
    await signIn(page, email, password);
    await page.getByRole('link', { name: email }).click();
    await page.getByText('This device').waitFor();
    await screenshot(`account-${name}`);
    expect(await page.evaluate(TOO_WIDE)).toEqual([]);
    await close();
  });
});

/** What is wider than the window. */
const TOO_WIDE = `[...document.querySelectorAll('body *')]
  .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((element) => element.outerHTML.slice(0, 120))`;

describe('the session', () => {
  it('has a cookie that no script sees and no other site sends', async () => {
    const { page, context, close } = await visitAccount();
    const [cookie] = (await context.cookies()).filter(({ name }) => name.endsWith('sid'));
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
    expect(await page.evaluate('document.cookie')).not.toContain('sid');
    // Another site: a form that is sent from there arrives without the cookie, and is refused.
    await page.goto('about:blank');
    await page.evaluate(
      `fetch('${running.url}/auth/logout', { method: 'POST', credentials: 'include', mode: 'no-cors' }).catch(() => undefined)`,
    );
    await page.goto(running.url);
    await button(page, 'Sign out').waitFor();
    await close();
  });

  it('stays while Redis is gone, and the page says in words that it must wait', async () => {
    const redis = await startRedis();
    const shared = await startOrchestrator({ REDIS_URL: redis.url });
    try {
      const { page, screenshot, close } = await browser.visitAsGuest(shared.url);
      await button(page, 'Sign out').waitFor();
      redis.pause();
      const session = await page.request.get(`${shared.url}/auth/session`);
      expect(session.status()).toBe(503);
      // Over a socket that is open already a search would go on.
      await page.goto(`${shared.url}/?q=express`);
      await page.getByRole('heading', { name: 'Not at the moment' }).waitFor();
      await screenshot('session-store-gone');
      redis.resume();
      await tryAgainUntil(page, page.locator('.result').first());
      await button(page, 'Sign out').waitFor();
      expect(await button(page, 'Sign in').first().isVisible()).toBe(false);

      // What was asked for is not given up for the start page.
      redis.pause();
      expect((await page.request.get(`${shared.url}/auth/session`)).status()).toBe(503);
      await page.goto(`${shared.url}/#account`);
      await page.getByRole('heading', { name: 'Not at the moment' }).waitFor();
      redis.resume();
      await tryAgainUntil(page, page.getByRole('heading', { name: 'You are here as a guest' }));
      expect(await page.getByRole('heading', { name: 'Not at the moment' }).isVisible()).toBe(false);
      await close();
    } finally {
      await shared.program.stop();
      await redis.stop();
    }
  }, 40_000);
});
