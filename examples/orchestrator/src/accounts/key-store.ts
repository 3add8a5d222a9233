import type { KeyStore, StoredKey } from '@signalbox/auth';
import type { Database } from '@signalbox/postgres';

interface KeyRow {
  id: string;
  hash: string;
  user_id: string;
  name: string;
  scopes: string[];
  roles: string[];
  plan: string | null;
  created_at: Date;
  expires_at: Date | null;
  last_used_at: Date | null;
}

/** Keeps API keys beside the accounts that they belong to. */
export function keyStore(database: Database): KeyStore {
  return {
    add(key, max) {
      return database.transaction(async (tx) => {
        // Whoever creates a key of the same account meanwhile waits here, so that the count below stays true.
        await tx.query('select 1 from users where id = $1 for update', [key.subject]);
        const { rowCount } = await tx.query(
          `insert into api_keys (id, hash, user_id, name, scopes, roles, plan, created_at, expires_at)
           select $1, $2, $3, $4, $5, $6, $7, $8, $9
           where (
             select count(*) from api_keys
             where user_id = $3 and (expires_at is null or expires_at > $8::timestamptz)
           ) < $10::int`,
          [
            key.id,
            key.hash,
            key.subject,
            key.name,
            key.scopes,
            key.roles,
            key.plan ?? null,
            key.createdAt,
            key.expiresAt ?? null,
            max,
          ],
        );
        return rowCount === 1;
      });
    },

    async find(id) {
      const { rows } = await database.query<KeyRow>('select * from api_keys where id = $1', [id]);
      return rows[0] && keyOf(rows[0]);
    },

    async list(subject) {
      const { rows } = await database.query<KeyRow>(
        'select * from api_keys where user_id = $1 order by created_at, id',
        [subject],
      );
      return rows.map(keyOf);
    },

    async remove(id, subject) {
      const { rowCount } = await database.query('delete from api_keys where id = $1 and user_id = $2', [
        id,
        subject,
      ]);
      return rowCount === 1;
    },

    async removeAll(subject) {
      const { rows } = await database.query<{ id: string }>(
        'delete from api_keys where user_id = $1 returning id',
        [subject],
      );
      return rows.map(({ id }) => id);
    },

    async rehash(id, from, to) {
      const { rowCount } = await database.query('update api_keys set hash = $3 where id = $1 and hash = $2', [
        id,
        from,
        to,
      ]);
      return rowCount === 1;
    },

    async touch(id, at) {
      await database.query(
        'update api_keys set last_used_at = greatest(last_used_at, $2::timestamptz) where id = $1',
        [id, at],
      );
    },
  };
}

function keyOf(row: KeyRow): StoredKey {
  return {
    id: row.id,
    hash: row.hash,
    subject: row.user_id,
    name: row.name,
    scopes: row.scopes,
    roles: row.roles,
    plan: row.plan ?? undefined,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}
