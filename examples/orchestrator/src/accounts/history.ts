import type { Database } from '@signalbox/postgres';

/** One search that somebody wanted kept. */
export interface PastSearch {
  readonly id: string;
  readonly query: string;
  readonly searchedAt: string;
}

export interface History {
  /** Keeps a search of who wants that, and says whether they do. */
  add(userId: string, query: string): Promise<boolean>;
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
      const { rows } = await database.query<{ added: number }>(
        `with added as (
           insert into searches (user_id, query) select id, $2 from users where id = $1 and keeps_history
           returning id
         ), removed as (
           delete from searches where user_id = $1 and id <= (
             select id from searches where user_id = $1 order by id desc offset ${MAX_KEPT - 1} limit 1
           ) and exists (select from added)
         )
         select count(*)::int as added from added`,
        [userId, query],
      );
      return rows[0]?.added === 1;
    },

    async list(userId, { limit, before }) {
      const { rows } = await database.query<{ id: string; query: string; searched_at: Date }>(
        `select id::text, query, searched_at from searches
         where user_id = $1 and ($2::bigint is null or id < $2::bigint)
         -- Of the table, which is a number: what is selected above is text.
         order by searches.id desc limit $3`,
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
