import type { Totp } from '@signalbox/auth';
import { ConflictError, ServiceUnavailableError } from '@signalbox/errors';
import type { Database, Transaction } from '@signalbox/postgres';
import type { Sealed } from './sealed.js';

/** By what somebody proved to have the second factor. */
export type SecondFactorProof = 'code' | 'recovery_code';

export interface SecondFactors {
  isOn(userId: string): Promise<boolean>;
  /**
   * Makes a new secret, which counts once {@link confirm} has seen a code of it.
   *
   * @throws {ConflictError} `second_factor_exists`
   */
  begin(userId: string): Promise<string>;
  /**
   * The recovery codes, to be shown once; `undefined` where the code is wrong.
   *
   * @throws {ServiceUnavailableError} `second_factor_unavailable`
   */
  confirm(userId: string, code: string): Promise<readonly string[] | undefined>;
  /**
   * Uses a code up; `undefined` where it is wrong, or was used before. What an older key had sealed is sealed anew then.
   *
   * @throws {ServiceUnavailableError} `second_factor_unavailable`
   */
  prove(userId: string, code: string): Promise<SecondFactorProof | undefined>;
  remove(userId: string): Promise<boolean>;
}

interface FactorRow {
  secret: Uint8Array;
  confirmed_at: Date | null;
  last_step: string;
}

/** Second factors by time (RFC 6238), with recovery codes for who has lost theirs. */
export function secondFactors(database: Database, totp: Totp, secrets: Sealed): SecondFactors {
  async function find(tx: Transaction, userId: string): Promise<FactorRow | undefined> {
    // Locked, so that of two attempts with the same code one comes second.
    const { rows } = await tx.query<FactorRow>(
      'select secret, confirmed_at, last_step::text from second_factors where user_id = $1 for update',
      [userId],
    );
    return rows[0];
  }

  /** The secret, and how it shall be kept from now on. */
  function openedOf({ secret: kept }: FactorRow): { secret: string; box: Uint8Array } {
    const opened = secrets.open(kept);
    if (opened === undefined) throw cannotBeChecked();
    const { text: secret, isByOlderKey } = opened;
    return { secret, box: isByOlderKey ? secrets.seal(secret) : kept };
  }

  async function useRecoveryCode(
    tx: Transaction,
    userId: string,
    code: string,
    secret: string,
  ): Promise<boolean> {
    const { rows } = await tx.query<{ code_hash: string }>(
      'select code_hash from recovery_codes where user_id = $1',
      [userId],
    );
    const hash = totp.recoveryHash(
      code,
      rows.map(({ code_hash: kept }) => kept),
      secret,
    );
    if (hash === undefined) return false;
    await tx.query('delete from recovery_codes where user_id = $1 and code_hash = $2', [userId, hash]);
    return true;
  }

  return {
    async isOn(userId) {
      const { rowCount } = await database.query(
        'select 1 from second_factors where user_id = $1 and confirmed_at is not null',
        [userId],
      );
      return rowCount > 0;
    },

    async begin(userId) {
      const secret = totp.secret();
      const { rowCount } = await database.query(
        `insert into second_factors (user_id, secret) values ($1, $2)
         on conflict (user_id) do update set secret = excluded.secret, last_step = 0
         where second_factors.confirmed_at is null`,
        [userId, secrets.seal(secret)],
      );
      if (rowCount === 0) {
        throw new ConflictError('There is a second factor already; remove it first', {
          code: 'second_factor_exists',
        });
      }
      return secret;
    },

    confirm(userId, code) {
      return database.transaction(async (tx) => {
        const row = await find(tx, userId);
        if (row === undefined || row.confirmed_at !== null) return undefined;
        const { secret, box } = openedOf(row);
        const step = totp.verify(secret, code, Number(row.last_step));
        if (step === undefined) return undefined;
        await tx.query(
          'update second_factors set confirmed_at = now(), last_step = $2, secret = $3 where user_id = $1',
          [userId, step, box],
        );
        // Keyed by the secret of the account, which is sealed anew: nobody could hash them anew.
        const { codes, hashes } = totp.recoveryCodes(10, secret);
        await tx.query('delete from recovery_codes where user_id = $1', [userId]);
        await tx.query('insert into recovery_codes (user_id, code_hash) select $1, unnest($2::text[])', [
          userId,
          hashes,
        ]);
        return codes;
      });
    },

    prove(userId, code) {
      return database.transaction(async (tx) => {
        const row = await find(tx, userId);
        if (row === undefined || row.confirmed_at === null) return undefined;
        const { secret, box } = openedOf(row);
        const step = totp.verify(secret, code, Number(row.last_step));
        if (step === undefined && !(await useRecoveryCode(tx, userId, code, secret))) return undefined;
        await tx.query('update second_factors set last_step = $2, secret = $3 where user_id = $1', [
          userId,
          step ?? row.last_step,
          box,
        ]);
        return step === undefined ? 'recovery_code' : 'code';
      });
    },

    remove(userId) {
      return database.transaction(async (tx) => {
        await tx.query('delete from recovery_codes where user_id = $1', [userId]);
        const { rowCount } = await tx.query('delete from second_factors where user_id = $1', [userId]);
        return rowCount > 0;
      });
    },
  };
}

/** Without its secret no code can be checked, and without a code nobody is let in. The cause is for the log. */
function cannotBeChecked(): ServiceUnavailableError {
  return new ServiceUnavailableError(
    'The second factor cannot be checked, and only who runs this site can mend that.',
    {
      code: 'second_factor_unavailable',
      expose: true,
      cause: new Error(
        'A second factor was sealed under a secret that is not in SECRET_KEYS any more. Put that back, at the end of ' +
          'the list. Where it is lost, delete the rows of the account in recovery_codes and second_factors: the ' +
          'password alone signs in then, so tell its owner.',
      ),
    },
  );
}
