import { UnauthorizedError, UnprocessableContentError } from '@signalbox/errors';
import { validate } from '@signalbox/validation';
import { type RequestHandler, Router } from 'express';
import { z } from 'zod';
import type { Background } from '../../background.js';
import type { Identity } from '../../identity.js';
import type { Mail } from '../../mail.js';
import { Email, Password } from './fields.js';
import { refuseWeak } from './sign-in.js';

const Forgot = z.strictObject({ email: Email });
const Reset = z.strictObject({
  token: z.string('must be text').regex(/^[\w-]{43}$/, 'must be the token of a link'),
  password: Password,
});
const Change = z.strictObject({ password: Password, newPassword: Password });

export interface PasswordRouterOptions {
  identity: Identity;
  mail: Mail;
  background: Background;
  publicUrl: () => string;
  /** How often letters are sent to one address. */
  letterLimit: RequestHandler;
  loginLimit: RequestHandler;
}

/** A password that was forgotten, or is to be another. */
export function passwordRouter(options: PasswordRouterOptions): Router {
  const { identity, mail, background, publicUrl, letterLimit, loginLimit } = options;
  const { users, audit, passwords, resets, database } = identity;
  const note = audit.noteIn(background);
  const router = Router();
  const tags = ['identity'];

  async function sendLink(email: string): Promise<void> {
    const user = await users.byEmail(email);
    if (user === undefined) return;
    const token = await resets.create(user.id);
    note('password_reset_asked', user.id);
    await mail.send({
      to: user.email,
      subject: 'A new password for Signalbox',
      text:
        `Somebody, hopefully you, asked for a new password. Within the hour, follow this link to choose one:\n\n` +
        `${publicUrl()}/#reset=${token}\n\nIf it was not you, there is nothing to do: the old one stays.`,
    });
  }

  const forgotten = validate(
    { body: Forgot },
    {
      describe: {
        summary: 'Ask for a link to choose a new password',
        tags,
        responses: { 202: { description: 'A link is on its way, if there is such an account' } },
      },
    },
  );
  // What is no address gets no letter, and does not count as one.
  router.post('/forgot', forgotten, letterLimit, (req, res) => {
    // Not waited for: the time would tell whether there is such an account.
    background.run('a letter', sendLink(forgotten.read(req).body.email));
    res.status(202).json({ message: 'If there is such an account, a link is on its way' });
  });

  router.post(
    '/reset',
    loginLimit,
    validate(
      { body: Reset },
      {
        describe: {
          summary: 'Choose a new password with a link',
          tags,
          responses: {
            204: { description: 'Done; signed out everywhere' },
            401: { description: '`invalid_reset_token`' },
          },
        },
      },
      async (req, res) => {
        const { token, password } = req.valid.body;
        refuseWeak(password, undefined);
        const passwordHash = await passwords.hash(password, { signal: req.signal });
        const userId = await database.transaction(async (tx) => {
          const owner = await resets.redeem(token, tx);
          if (owner === undefined) return undefined;
          const { rows } = await tx.query<{ email: string }>(
            'update users set password_hash = $2 where id = $1 returning email',
            [owner, passwordHash],
          );
          // Whose it is was not known before. The link is good for another try.
          refuseWeak(password, rows[0]?.email);
          await audit.record('password_changed', owner, { within: tx });
          // Where that cannot be done, nothing is: the link is good for another try.
          await identity.signOutEverywhere(owner);
          return owner;
        });
        if (userId === undefined) {
          throw new UnauthorizedError('The link is wrong, was used, or is older than an hour', {
            code: 'invalid_reset_token',
          });
        }
        // Once more: until a moment ago the old password let in.
        await identity.signOutEverywhere(userId);
        res.status(204).end();
      },
    ),
  );

  router.post(
    '/change',
    identity.account,
    loginLimit,
    validate(
      { body: Change },
      {
        describe: {
          summary: 'Change the password',
          tags,
          responses: { 204: { description: 'Done; all other sessions are ended' } },
        },
      },
      async (req, res) => {
        const { password, newPassword } = req.valid.body;
        const { id: userId, email } = identity.asker(req);
        const { signal } = req;
        const from = await users.passwordHash(userId);
        if (from === undefined || !(await passwords.verify(password, from, { signal })))
          throw wrongPassword();
        refuseWeak(newPassword, email);
        const to = await passwords.hash(newPassword, { signal });
        await database.transaction(async (tx) => {
          if (!(await users.setPassword(userId, from, to, tx))) throw wrongPassword();
          await resets.forget(userId, tx);
          await audit.record('password_changed', userId, { within: tx });
          // Where that cannot be done, nothing is.
          await identity.signOutOthers(req);
        });
        // Once more: until a moment ago the old password let in.
        await identity.signOutOthers(req);
        res.status(204).end();
      },
    ),
  );
  return router;
}

function wrongPassword(): UnprocessableContentError {
  return new UnprocessableContentError('The password is wrong', {
    code: 'invalid_credentials',
    details: [{ in: 'body', pointer: '/password', message: 'is wrong' }],
  });
}
