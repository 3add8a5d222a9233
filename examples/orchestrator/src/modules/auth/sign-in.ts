import { randomUUID } from 'node:crypto';
import { ForbiddenError, UnauthorizedError, UnprocessableContentError } from '@signalbox/errors';
import { describeRoute, validate } from '@signalbox/validation';
import { type RequestHandler, Router } from 'express';
import { z } from 'zod';
import type { UserWithPassword } from '../../accounts/users.js';
import { weaknessOf } from '../../accounts/weakness.js';
import type { Background } from '../../background.js';
import type { Identity } from '../../identity.js';
import { Code, Email, Password, SignedIn, UserAnswer } from './fields.js';

const Registration = z.strictObject({ email: Email, password: Password });
const Login = z.strictObject({
  email: Email,
  password: Password,
  code: Code.optional().meta({ description: 'Of the authenticator, or a recovery code' }),
});
const Refresh = z.strictObject({ refreshToken: z.string('must be text').max(8_192) });

export interface SignInParts {
  loginLimit: RequestHandler;
  registrationLimit: RequestHandler;
  guestLimit: RequestHandler;
  /** Answers a repeated request as the first one. */
  once: RequestHandler;
  background: Background;
}

/** Beside the second factor: what lets somebody in, and out again. */
export function signInRouter(
  identity: Identity,
  { loginLimit, registrationLimit, guestLimit, once, background }: SignInParts,
): Router {
  const { users, passwords, factors, tokens } = identity;
  const note = identity.audit.noteIn(background);
  const router = Router();
  const tags = ['identity'];

  /** The hash of the password, with what it costs now; the old one where it is another password by now. */
  async function rehashed(
    { id, passwordHash }: UserWithPassword,
    password: string,
    signal: AbortSignal,
  ): Promise<string> {
    if (!passwords.needsRehash(passwordHash)) return passwordHash;
    const better = await passwords.hash(password, { signal });
    if (await users.setPassword(id, passwordHash, better)) return better;
    // Somebody was faster: most often the same person in another tab.
    const current = await users.passwordHash(id);
    const isSame = current !== undefined && (await passwords.verify(password, current, { signal }));
    return isSame ? current : passwordHash;
  }

  const registration = validate(
    { body: Registration },
    {
      describe: {
        summary: 'Register',
        tags,
        responses: {
          201: { description: 'Registered; sign in next', schema: z.object({ user: UserAnswer }) },
          409: { description: 'There is an account with this address' },
          422: { description: 'Something is missing or wrong, or the password is weak' },
        },
      },
    },
  );
  router.post(
    '/register',
    registration,
    (req, _res, next) => {
      const { email, password } = registration.read(req).body;
      refuseWeak(password, email);
      next();
    },
    // Who has mistyped may try again.
    registrationLimit,
    once,
    async (req, res) => {
      const { email, password } = registration.read(req).body;
      const passwordHash = await passwords.hash(password, { signal: req.signal });
      const user = await users.create({ email, passwordHash });
      note('registered', user.id);
      res.status(201).json({ user: answerOf(user) });
    },
  );

  router.post(
    '/login',
    loginLimit,
    validate(
      { body: Login },
      {
        describe: {
          summary: 'Sign in',
          tags,
          responses: {
            200: { description: 'Signed in; also sets the session cookie', schema: SignedIn },
            401: { description: '`invalid_credentials`' },
            403: { description: '`second_factor_required`: again, with `code`' },
            503: { description: '`second_factor_unavailable`: nobody is let in without it' },
          },
        },
      },
      async (req, res) => {
        const { email, password, code } = req.valid.body;
        const user = await users.byEmail(email);
        // Takes the same time for who does not exist.
        if (!(await passwords.verify(password, user?.passwordHash, { signal: req.signal })) || !user) {
          note('sign_in_failed', user?.id);
          throw wrongCredentials();
        }
        if (await factors.isOn(user.id)) {
          if (code === undefined) throw secondFactorRequired();
          const proof = await factors.prove(user.id, code);
          if (proof === undefined) {
            note('sign_in_failed', user.id, { at: 'second_factor' });
            throw wrongCredentials('The code is wrong, or was used before');
          }
          if (proof === 'recovery_code') note('recovery_code_used', user.id);
        }
        const kept = await rehashed(user, password, req.signal);
        const answer = await identity.signIn(req, user);
        // Whoever changed the password while it was checked has ended all sign-ins, and may have missed this one.
        if ((await users.passwordHash(user.id)) !== kept) {
          await identity.signOut(req, user.id);
          throw wrongCredentials();
        }
        note('signed_in', user.id);
        res.set('Cache-Control', 'no-store').json(answer);
      },
    ),
  );

  router.post(
    '/guest',
    guestLimit,
    describeRoute({
      summary: 'Go on as a guest',
      tags,
      responses: { 200: { description: 'Signed in for 30 minutes, with small limits', schema: SignedIn } },
    }),
    async (req, res) => {
      const guest = { id: `guest_${randomUUID()}`, email: undefined, roles: ['guest'] as const };
      res.set('Cache-Control', 'no-store').json(await identity.signIn(req, guest));
    },
  );

  router.get(
    '/session',
    describeRoute({
      summary: 'Who is signed in, if anybody',
      tags,
      responses: {
        200: { schema: z.object({ user: UserAnswer.nullable() }) },
        503: { description: 'It cannot be known now: nobody is signed out by that' },
      },
    }),
    (req, res, next) =>
      identity.required(req, res, (error?: unknown) => {
        if (error !== undefined && !(error instanceof UnauthorizedError)) return next(error);
        const user = req.auth === undefined ? null : answerOf(identity.asker(req));
        res.set('Cache-Control', 'no-store').json({ user });
      }),
  );

  router.post(
    '/refresh',
    validate(
      { body: Refresh },
      {
        describe: {
          summary: 'Exchange a refresh token for a new pair',
          tags,
          responses: {
            200: { description: 'The new pair', schema: SignedIn.omit({ user: true }) },
            401: { description: '`token_reused`, `token_expired` or `invalid_token`' },
          },
        },
      },
      async (req, res) => {
        const { accessToken, refreshToken, expiresIn } = await tokens.refresh(req.valid.body.refreshToken);
        res.set('Cache-Control', 'no-store').json({ accessToken, refreshToken, expiresIn });
      },
    ),
  );

  router.post(
    '/logout',
    identity.required,
    describeRoute({
      summary: 'Sign out',
      tags,
      responses: { 204: { description: 'Signed out: session, access and refresh token are dead' } },
    }),
    async (req, res) => {
      const { id } = identity.asker(req);
      await identity.signOut(req);
      note('signed_out', id);
      res.status(204).end();
    },
  );
  return router;
}

/** @throws {UnprocessableContentError} `weak_password`, pointing at the field */
export function refuseWeak(password: string, email: string | undefined): void {
  const problem = weaknessOf(password, email);
  if (problem === undefined) return;
  throw new UnprocessableContentError(problem.message, {
    code: 'weak_password',
    details: [{ in: 'body', pointer: '/password', message: problem.message }],
  });
}

function answerOf(user: { id: string; email?: string | undefined; roles: readonly string[] }) {
  return { id: user.id, email: user.email, roles: user.roles };
}

function wrongCredentials(message = 'The address or the password is wrong'): UnauthorizedError {
  return new UnauthorizedError(message, { code: 'invalid_credentials' });
}

function secondFactorRequired(): ForbiddenError {
  return new ForbiddenError('The code of your authenticator is needed, too', {
    code: 'second_factor_required',
  });
}
