import { wrongSecret } from '@signalbox/options';
import type { CheckFunction } from './check.js';

/** What a Postgres client must have, as pg's pools and clients, PGlite and postgres packages do. */
export interface PostgresLike {
  query(text: string): unknown;
}

/**
 * Asks Postgres for `SELECT 1` on a connection of the pool. Set the pool's `connectionTimeoutMillis`
 * and `query_timeout`: a query that is never answered is not followed by another.
 *
 * @throws {TypeError} when `pool` has no `query()`
 */
export function postgresCheck(pool: PostgresLike): CheckFunction {
  if (typeof pool?.query !== 'function') {
    throw wrongSecret('postgresCheck', 'pool', 'an object with query()', pool);
  }

  return async function askPostgres() {
    await pool.query('SELECT 1');
  };
}
