import { z } from 'zod';

/** What people type, as it is compared: without spaces around it, and in lower case. */
export const Email = z
  .string('must be an e-mail address')
  .trim()
  .max(254, 'must have at most 254 characters')
  .toLowerCase()
  .pipe(z.email('must be an e-mail address'));

/** Judged where one is chosen; anything may be tried. */
export const Password = z
  .string('must be text')
  .min(1, 'must not be empty')
  .max(1_024, 'must have at most 1024 characters');

export const Code = z
  .string('must be text')
  .trim()
  .min(6, 'must be a code of six digits or a recovery code')
  .max(40, 'must be a code of six digits or a recovery code');

export const UserAnswer = z.object({
  id: z.string(),
  email: z.string().optional().meta({ description: 'Guests have none' }),
  roles: z.array(z.enum(['guest', 'user', 'admin'])),
});

export const SignedIn = z.object({
  user: UserAnswer,
  accessToken: z.string(),
  refreshToken: z.string(),
  expiresIn: z.number().meta({ description: 'Seconds until the access token expires' }),
});
