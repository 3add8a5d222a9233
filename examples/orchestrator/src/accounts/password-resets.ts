import { createHash, randomBytes } from 'node:crypto';
import type { Database, Transaction } from '@signalbox/postgres';

export interface PasswordResets {
  /** A token that is good for one reset within the hour; those asked for before are good no more. */
  create(userId: string): Promise<string>;
  /**
   * Uses a token up, with all others of whose it is, and says who that is; `undefined` where it is wrong, used or too
   * old.
   */
  redeem(token: string, within: Transaction): Promise<string | undefined>;
  /** Makes all tokens of somebody worthless. */
  forget(userId: string, within: Transaction): Promise<void>;
}

// 256 random bits cannot be guessed, so their digest needs no salt and no work factor.
const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

export function passwordResets(database: Database): PasswordResets {
  return {
    async create(userId) {
      const token = randomBytes(32).toString('base64url');
      await database.transaction(async (tx) => {
        // Who asks for another one meanwhile waits here: of two the later one is good.
        await tx.query(`select pg_advisory_xact_lock(hashtextextended('password_resets ' || $1, 0))`, [
          userId,
        ]);
        await tx.query('delete from password_resets where user_id = $1 or expires_at < now()', [userId]);
        await tx.query(
          `insert into password_resets (token_hash, user_id, expires_at) values ($1, $2, now() + interval '1 hour')`,
          [digestOf(token), userId],
        );
      });
      return token;
    },

    async redeem(token, within) {
      const { rows } = await within.query<{ user_id: string; is_valid: boolean }>(
        'delete from password_resets where token_hash = $1 returning user_id, expires_at > now() as is_valid',
        [digestOf(token)],
      );
      const [used] = rows;
      if (used?.is_valid !== true) return undefined;
      await within.query('delete from password_resets where user_id = $1', [used.user_id]);
      return used.user_id;
    },

    async forget(userId, within) {
      await within.query('delete from password_resets where user_id = $1', [userId]);
    },
  };
}
