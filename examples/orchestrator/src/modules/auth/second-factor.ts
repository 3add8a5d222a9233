import { NotFoundError, UnprocessableContentError } from '@signalbox/errors';
import { describeRoute, validate } from '@signalbox/validation';
import { type RequestHandler, Router } from 'express';
import { create as createQrCode } from 'qrcode';
import { z } from 'zod';
import type { Background } from '../../background.js';
import type { Identity } from '../../identity.js';
import { Code } from './fields.js';

const Proof = z.strictObject({ code: Code });

/** `/second-factor`: codes of an authenticator app beside the password. */
export function secondFactorRouter(
  identity: Identity,
  loginLimit: RequestHandler,
  background: Background,
): Router {
  const { factors, totp } = identity;
  const note = identity.audit.noteIn(background);
  const router = Router();
  const tags = ['identity'];
  router.use(identity.account);

  router.get(
    '/',
    describeRoute({
      summary: 'Whether you have a second factor',
      tags,
      responses: { 200: { schema: z.object({ isOn: z.boolean() }) } },
    }),
    async (req, res) => {
      const isOn = await factors.isOn(identity.asker(req).id);
      res.set('Cache-Control', 'no-store').json({ isOn });
    },
  );

  router.post(
    '/',
    identity.fresh,
    describeRoute({
      summary: 'Begin to add a second factor',
      tags,
      responses: {
        200: {
          description: 'For the authenticator: the secret, a link, and a QR code of it',
          schema: z.object({
            secret: z.string(),
            uri: z.string(),
            qrCode: z
              .object({ size: z.number(), path: z.string() })
              .meta({ description: 'Squares of 1 × 1 in a drawing of `size`, as the path of an SVG' }),
          }),
        },
        409: { description: '`second_factor_exists`' },
      },
    }),
    async (req, res) => {
      const { id: userId, email } = identity.asker(req);
      const secret = await factors.begin(userId);
      const uri = totp.uri(email ?? userId, secret);
      res.set('Cache-Control', 'no-store').json({ secret, uri, qrCode: drawingOf(uri) });
    },
  );

  router.post(
    '/confirm',
    loginLimit,
    validate(
      { body: Proof },
      {
        describe: {
          summary: 'Add the second factor, with a first code of it',
          tags,
          responses: {
            200: {
              description: 'Codes for when the authenticator is lost, which are never shown again',
              schema: z.object({ recoveryCodes: z.array(z.string()) }),
            },
          },
        },
      },
      async (req, res) => {
        const { id: userId } = identity.asker(req);
        const recoveryCodes = await factors.confirm(userId, req.valid.body.code);
        if (recoveryCodes === undefined) throw wrongCode();
        note('second_factor_added', userId);
        res.set('Cache-Control', 'no-store').json({ recoveryCodes });
      },
    ),
  );

  router.delete(
    '/',
    loginLimit,
    validate(
      { body: Proof },
      {
        describe: {
          summary: 'Remove the second factor, with a code of it',
          tags,
          responses: { 204: { description: 'Removed' }, 404: { description: 'There is none' } },
        },
      },
      async (req, res) => {
        const { id: userId } = identity.asker(req);
        if (!(await factors.isOn(userId))) throw new NotFoundError('There is no second factor');
        if ((await factors.prove(userId, req.valid.body.code)) === undefined) throw wrongCode();
        await factors.remove(userId);
        note('second_factor_removed', userId);
        res.status(204).end();
      },
    ),
  );
  return router;
}

function wrongCode(): UnprocessableContentError {
  return new UnprocessableContentError('The code is wrong, or was used before', {
    code: 'invalid_code',
    details: [{ in: 'body', pointer: '/code', message: 'is wrong, or was used before' }],
  });
}

/** A path, so that the page needs neither markup from outside nor `data:` in its policy. */
function drawingOf(text: string): { size: number; path: string } {
  const { size, data } = createQrCode(text, { errorCorrectionLevel: 'M' }).modules;
  const squares = Array.from(data, (isDark, at) =>
    isDark ? `M${at % size} ${Math.floor(at / size)}h1v1h-1z` : '',
  );
  return { size, path: squares.join('') };
}
