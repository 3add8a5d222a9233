import type { DatabaseReport, PoolStats, QueryOptions, QueryResult } from './database.js';

/** What a check asks. */
export interface Checked {
  query<Row>(text: string, values: readonly unknown[], options: QueryOptions): Promise<QueryResult<Row>>;
  stats(): PoolStats;
}

/** How long a check may take when nobody says, in milliseconds. */
const CHECK_MS = 2_000;

const QUESTION = `SELECT pg_is_in_recovery() AS "isReplica",
  current_setting('transaction_read_only') = 'on' AS "isReadOnly",
  current_setting('server_version') AS "version"`;

interface Answer {
  isReplica: boolean;
  isReadOnly: boolean;
  version: string;
}

/** A server that answers may take no writes, as after a failover. */
export async function checkDatabase(db: Checked, signal: AbortSignal | undefined): Promise<DatabaseReport> {
  const startedAt = performance.now();
  try {
    const { rows } = await db.query<Answer>(QUESTION, [], { signal, timeoutMs: CHECK_MS });
    const [answer] = rows;
    const details = {
      latencyMs: Math.round((performance.now() - startedAt) * 10) / 10,
      role: answer?.isReplica === true ? 'replica' : 'primary',
      version: answer?.version,
      pool: db.stats(),
    };
    if (answer?.isReadOnly !== true) return { status: 'healthy', details };
    return { status: 'degraded', reason: 'it takes no writes', details };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { status: 'unhealthy', reason, details: { pool: db.stats() } };
  }
}
