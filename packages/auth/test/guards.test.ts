import { describe, expect, it } from 'vitest';
import type { RequestHandler } from 'express';
import {
  authenticate,
  principalOf,
  requireFresh,
  requirePrincipal,
  requireRole,
  requireScope,
  session,
  type SessionUser,
} from '../src/index.js';
import { asker, type Answer } from './auth-support.js';

type Role = 'admin' | 'editor';

async function answerTo(user: SessionUser | undefined, guard: RequestHandler): Promise<Answer> {
  const ask = await asker(authenticate([session(() => user)], { optional: true }), guard);
  return ask();
}

describe('requireRole', () => {
  it('lets in who has one of the roles', async () => {
    const guard = requireRole<Role>('admin', 'editor');
    for (const roles of [['admin'], ['editor', 'x']]) {
      expect(await answerTo({ subject: 'u_1', roles }, guard)).toMatchObject({ status: 200 });
    }
  });

  it('answers 403 with a challenge to who has none of them', async () => {
    for (const roles of [undefined, [], ['administrator'], ['Admin'], ['__proto__']]) {
      expect(await answerTo({ subject: 'u_1', roles }, requireRole<Role>('admin', 'editor'))).toMatchObject({
        status: 403,
        code: 'insufficient_role',
        challenge: 'Bearer error="insufficient_scope"',
        error: { details: { roles: ['admin', 'editor'] } },
      });
    }
  });

  it('does not compile with a role that there is none of', () => {
    // @ts-expect-error -- that is the point
    expect(requireRole<Role>('amdin')).toBeTypeOf('function');
  });
});

describe('requireScope', () => {
  it('lets in who has all of the scopes', async () => {
    const user = { subject: 'u_1', scopes: ['search', 'history', 'x'] };
    expect(await answerTo(user, requireScope('search', 'history'))).toMatchObject({ status: 200 });
  });

  it('answers 403 and says which scopes it takes', async () => {
    for (const scopes of [undefined, [], ['search'], ['search history']]) {
      expect(await answerTo({ subject: 'u_1', scopes }, requireScope('search', 'history'))).toMatchObject({
        status: 403,
        code: 'insufficient_scope',
        challenge: 'Bearer error="insufficient_scope", scope="search history"',
        error: { details: { scopes: ['search', 'history'] } },
      });
    }
  });
});

describe('requireFresh', () => {
  it('lets in who has signed in lately', async () => {
    const user = { subject: 'u_1', authenticatedAtMs: Date.now() - 1_000 };
    expect(await answerTo(user, requireFresh(60_000))).toMatchObject({ status: 200 });
  });

  it('asks everybody else to sign in again, as RFC 9470 says', async () => {
    for (const authenticatedAtMs of [undefined, Date.now() - 61_000, 0, Number.NaN]) {
      expect(await answerTo({ subject: 'u_1', authenticatedAtMs }, requireFresh(60_000))).toMatchObject({
        status: 401,
        code: 'insufficient_user_authentication',
        challenge:
          'Bearer error="insufficient_user_authentication", error_description="Sign in again", max_age="60"',
      });
    }
  });
});

describe('every guard', () => {
  it.each([
    ['requirePrincipal', requirePrincipal()],
    ['requireRole', requireRole('admin')],
    ['requireScope', requireScope('search')],
    ['requireFresh', requireFresh(1_000)],
    [
      'principalOf',
      ((req, _res, next) => {
        principalOf(req);
        next();
      }) satisfies RequestHandler,
    ],
  ] as [string, RequestHandler][])(
    'answers the bare 401 where nobody is signed in: %s',
    async (_name, guard) => {
      const answer = { status: 401, code: 'authentication_required', challenge: 'Bearer' };
      expect(await answerTo(undefined, guard)).toMatchObject(answer);
      const ask = await asker(guard);
      expect(await ask()).toMatchObject(answer);
    },
  );

  it('is not in the way of somebody', async () => {
    expect(await answerTo({ subject: 'u_1' }, requirePrincipal())).toMatchObject({ status: 200 });
  });

  it.each([
    [() => requireRole(), 'requireRole: "roles" must be one word or more, got none'],
    [() => requireRole(''), 'requireRole: "roles" must be words, got ""'],
    [() => requireRole(['admin'] as never), 'requireRole: "roles" must be words, got an array'],
    [() => requireScope(), 'requireScope: "scopes" must be one word or more, got none'],
    [() => requireScope('search history'), 'requireScope: "scopes" must be words without spaces and quotes'],
    [() => requireScope('a"b'), 'requireScope: "scopes" must be words without spaces and quotes'],
    [() => requireFresh(0), 'requireFresh: "maxAgeMs" must be an integer from 1'],
    [() => requireFresh('5m' as never), 'requireFresh: "maxAgeMs" must be an integer from 1'],
  ])('refuses wrong words at construction: %#', (make, message) => {
    expect(make).toThrow(message);
  });
});
