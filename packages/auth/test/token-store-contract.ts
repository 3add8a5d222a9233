import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Rotated, Rotation, TokenStore, VerifiedToken } from '../src/index.js';

const HOUR_MS = 3_600_000;

/** What every store does. `wait` lets time pass on the store's clock. */
export function itKeepsTheTokenStoreContract(
  openStore: () => TokenStore,
  wait: (ms: number) => Promise<void>,
): void {
  interface SignIn {
    subject: string;
    chain: string;
    family: string;
    id: string;
    issuedAtMs: number;
  }

  async function signIn(subject: string = randomUUID(), ttlMs = HOUR_MS): Promise<SignIn> {
    const [chain, id] = [randomUUID(), randomUUID()];
    const issuedAtMs = await openStore().open(subject, chain, id, ttlMs);
    return { subject, chain, family: chain, id, issuedAtMs };
  }

  function rotate(token: SignIn, more: Partial<Rotation> = {}): Promise<Rotated> {
    const successorId = randomUUID();
    const rotation = { successorId, successor: `{"of":"${successorId}"}`, graceMs: 10_000 };
    return openStore().rotate({ ...token, ...rotation, ttlMs: HOUR_MS, goneMs: HOUR_MS, ...more });
  }

  /** The refresh token that followed. */
  function successorOf(token: SignIn, rotated: Rotated): SignIn {
    if (!('successor' in rotated)) throw new Error(`it was not refreshed but ${rotated.outcome}`);
    const { of } = JSON.parse(rotated.successor) as { of: string };
    return { ...token, id: of, issuedAtMs: rotated.issuedAtMs };
  }

  async function isRevoked({
    subject,
    family,
    id,
    issuedAtMs,
  }: Partial<SignIn> & { subject: string }): Promise<boolean> {
    const token = { subject, family, id, issuedAtMs: issuedAtMs ?? 0 };
    return openStore().isRevoked(token as VerifiedToken);
  }

  describe('a refresh', () => {
    it('follows the one before', async () => {
      let token = await signIn();
      for (let times = 0; times < 5; times++) {
        const rotated = await rotate(token);
        expect(rotated.outcome).toBe('rotated');
        token = successorOf(token, rotated);
        expect(await isRevoked(token)).toBe(false);
      }
    });

    it('gives one successor to all that come at once', async () => {
      const token = await signIn();
      const answers = await Promise.all(Array.from({ length: 50 }, () => rotate(token)));
      expect(answers.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1);
      expect(answers.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(49);
      expect(new Set(answers.map((answer) => JSON.stringify({ ...answer, outcome: '' }))).size).toBe(1);
    });

    it('gives the same successor within the grace, also when that was used meanwhile', async () => {
      const token = await signIn();
      const first = await rotate(token);
      const second = successorOf(token, first);
      const third = successorOf(second, await rotate(second));
      expect(await rotate(token)).toEqual({ ...first, outcome: 'repeated' });
      expect((await rotate(third)).outcome).toBe('rotated');
    });

    it('ends the family when the token comes again after the grace', async () => {
      const token = await signIn();
      const other = await signIn(token.subject);
      const successor = successorOf(token, await rotate(token, { graceMs: 60 }));
      await wait(80);
      expect(await isRevoked(successor)).toBe(false);
      expect(await rotate(token)).toEqual({ outcome: 'reused' });
      expect(await rotate(token)).toEqual({ outcome: 'revoked' });
      expect(await rotate(successor)).toEqual({ outcome: 'revoked' });
      expect(await isRevoked(successor)).toBe(true);
      expect(await isRevoked(other)).toBe(false);
      expect((await rotate(other)).outcome).toBe('rotated');
    });

    it('without a grace takes each token once', async () => {
      const token = await signIn();
      expect((await rotate(token, { graceMs: 0 })).outcome).toBe('rotated');
      expect((await rotate(token, { graceMs: 0 })).outcome).toBe('reused');
    });

    it('is refused for a chain that is unknown, or forgotten since', async () => {
      const token = await signIn(undefined, 50);
      expect(await rotate({ ...token, chain: randomUUID() })).toEqual({ outcome: 'revoked' });
      expect(await rotate({ ...token, subject: randomUUID() })).toEqual({ outcome: 'revoked' });
      await wait(70);
      expect(await rotate(token)).toEqual({ outcome: 'revoked' });
    });

    it('keeps whatever a successor is made of', async () => {
      const token = await signIn();
      const successor = JSON.stringify({ text: ' a  b \u0000 ü 😀 \ud800', list: [], big: 2 ** 53 - 1 });
      expect(await rotate(token, { successor })).toMatchObject({ outcome: 'rotated', successor });
      expect(await rotate(token)).toMatchObject({ outcome: 'repeated', successor });
    });
  });

  describe('a revocation', () => {
    it('of a family ends it, and no other', async () => {
      const token = await signIn();
      const other = await signIn(token.subject);
      await openStore().revoke(token.subject, token.family, HOUR_MS);
      await openStore().revoke(token.subject, token.family, HOUR_MS);
      expect(await isRevoked(token)).toBe(true);
      expect(await rotate(token)).toEqual({ outcome: 'revoked' });
      expect(await isRevoked(other)).toBe(false);
    });

    it('of a family ends all of its chains', async () => {
      const one = await signIn();
      const other = { ...(await signIn(one.subject)), family: one.family };
      const next = successorOf(one, await rotate(one));
      expect((await rotate(other)).outcome).toBe('rotated');
      await openStore().revoke(one.subject, one.family, HOUR_MS);
      for (const token of [one, next, other]) {
        expect(await isRevoked(token)).toBe(true);
        expect(await rotate(token)).toEqual({ outcome: 'revoked' });
      }
    });

    it('of a family also ends what would be given again', async () => {
      const token = await signIn();
      await rotate(token);
      await openStore().revoke(token.subject, token.family, HOUR_MS);
      expect(await rotate(token)).toEqual({ outcome: 'revoked' });
    });

    it('of one token lasts as long as it is told to', async () => {
      const subject = randomUUID();
      await openStore().revoke(subject, 'this', 50);
      expect(await isRevoked({ subject, id: 'this' })).toBe(true);
      expect(await isRevoked({ subject, id: 'that' })).toBe(false);
      expect(await isRevoked({ subject: randomUUID(), id: 'this' })).toBe(false);
      expect(await isRevoked({ subject })).toBe(false);
      await wait(70);
      expect(await isRevoked({ subject, id: 'this' })).toBe(false);
    });

    it('of a subject ends all that was issued before, and nothing that is issued right after', async () => {
      const before = [await signIn()];
      const [{ subject }] = before as [SignIn];
      for (let times = 0; times < 20; times++) {
        before.push(await signIn(subject));
        const marked = await openStore().revokeSubject(subject, false, HOUR_MS);
        expect(marked).toBeGreaterThanOrEqual(before.at(-1)?.issuedAtMs ?? Infinity);
        const after = await signIn(subject);
        for (const token of before) expect(await isRevoked(token)).toBe(true);
        expect(await isRevoked(after)).toBe(false);
        expect((await rotate(after)).outcome).toBe('rotated');
      }
      for (const token of before) expect(await rotate(token)).toEqual({ outcome: 'revoked' });
    });

    it('of a subject can leave the sign-ins, so that access tokens alone are made anew', async () => {
      const token = await signIn();
      await openStore().revokeSubject(token.subject, true, HOUR_MS);
      expect(await isRevoked(token)).toBe(true);
      const successor = successorOf(token, await rotate(token));
      expect(await isRevoked(successor)).toBe(false);

      await openStore().revokeSubject(token.subject, false, HOUR_MS);
      await openStore().revokeSubject(token.subject, true, HOUR_MS);
      expect(await rotate(successor)).toEqual({ outcome: 'revoked' });
    });

    it('does not mind what subjects and ids are called', async () => {
      const names = ['__proto__', 'constructor', '', ' ', 'a}{b', '*', '😀', 'x'.repeat(10_000)];
      for (const name of names) {
        const token = await signIn(name);
        expect(await isRevoked(token)).toBe(false);
        await openStore().revoke(name, name, HOUR_MS);
        expect(await isRevoked({ subject: name, id: name, issuedAtMs: token.issuedAtMs })).toBe(true);
        expect(await isRevoked(token)).toBe(false);
      }
    });
  });
}
