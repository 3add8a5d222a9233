import { ConflictError } from '@signalbox/errors';
import type { Identity } from '../identity.js';
import type { Settings } from '../settings.js';

/** Makes the admin account of the settings, if there is none by that address. It never changes one. */
export async function ensureAdmin(
  { ADMIN_EMAIL: email, ADMIN_PASSWORD: password }: Settings,
  { users, passwords, audit }: Pick<Identity, 'users' | 'passwords' | 'audit'>,
): Promise<void> {
  if (email === undefined || password === undefined || (await users.byEmail(email)) !== undefined) return;
  try {
    const { id } = await users.create({
      email,
      passwordHash: await passwords.hash(password),
      roles: ['user', 'admin'],
    });
    await audit.record('registered', id);
  } catch (error) {
    // Another process was first.
    if (!(error instanceof ConflictError)) throw error;
  }
}
