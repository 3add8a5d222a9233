import type { Database } from '@signalbox/postgres';

/** One search that somebody wanted kept. */
export interface PastSearch {
  readonly id: string;
  readonly query: string;
  readonly searchedAt: string;
}

export interface History {
  add(userId: string, query: string): Promise<void>;
  /** The newest first; `before` is the id of the last one of the page before. */
  list(userId: string, page: { limit: number; before?: string | undefined }): Promise<PastSearch[]>;
  /** Says how many there were. */
  clear(userId: string): Promise<number>;
}

/** Of somebody who searches more, the oldest go. */
const MAX_KEPT = 1_000;

export function history(database: Database): History {
  return {
    async add(userId, query) {
      await database.query(
        `with added as (insert into searches (user_id, query) values ($1, $2))
         delete from searches where user_id = $1 and id <= (
           select id from searches where user_id = $1 order by id desc offset ${MAX_KEPT - 1} limit 1
         )`,
        [userId, query],
      );
    },

    async list(userId, { limit, before }) {
      const { rows } = await database.query<{ id: string; query: string; searched_at: Date }>(
        `select id::text, query, searched_at from searches
         where user_id = $1 and ($2::bigint is null or id < $2::bigint)
         order by id desc limit $3`,
        [userId, before ?? null, limit],
      );
      return rows.map((row) => ({
        id: row.id,
        query: row.query,
        searchedAt: row.searched_at.toISOString(),
      }));
    },

    async clear(userId) {
      const { rowCount } = await database.query('delete from searches where user_id = $1', [userId]);
      return rowCount;
    },
  };
}
