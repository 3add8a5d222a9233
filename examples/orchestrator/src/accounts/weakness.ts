import { passwordProblem, type PasswordProblem } from '@signalbox/auth';

/** Why nobody may have this password here; `undefined` where it is good. */
export function weaknessOf(password: string, email: string | undefined): PasswordProblem | undefined {
  return passwordProblem(password, { email, words: ['signalbox'] });
}
