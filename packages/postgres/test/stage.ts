import type { TestContext } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../../../test/support/fault-proxy.js';
import { startPostgres, type PostgresOptions, type PostgresServer } from '../../../test/support/postgres.js';
import { waitUntil } from '../../../test/support/program.js';
import type { Database } from '../src/index.js';

/** Starts what a test needs, and sees to it that it is gone afterwards; also for tests that run side by side. */
export interface Stage {
  postgres(options?: PostgresOptions): Promise<PostgresServer>;
  proxy(to: { port: number }): Promise<FaultProxy>;
  /** Closes the database, or the pool, when the test is over. */
  closing<Closable extends { close(): Promise<void> } | { end(): Promise<void> }>(
    closable: Closable,
  ): Closable;
}

export function stageOf({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Stage {
  return {
    async postgres(options) {
      const server = await startPostgres(options);
      onTestFinished(() => server.stop());
      return server;
    },
    async proxy(to) {
      const proxy = await startFaultProxy({ to: to.port });
      onTestFinished(() => proxy.stop());
      return proxy;
    },
    closing(closable) {
      onTestFinished(() => ('close' in closable ? closable.close() : closable.end()));
      return closable;
    },
  };
}

/** A server's URL, through a proxy. */
export function through(proxy: FaultProxy): string {
  return `postgres://postgres@${proxy.address}/postgres`;
}

/** Polls until it is so. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  if (!(await waitUntil(condition, timeoutMs))) throw new Error(`still not so after ${timeoutMs} ms`);
}

/** What a promise rejects with. */
export async function errorOf<Failure = Error & { code: string; reason: string }>(
  promise: Promise<unknown>,
): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    return error as Failure;
  }
  throw new Error('it did not reject');
}

/** Asks until there is an answer. */
export function answers(db: Database, timeoutMs?: number): Promise<void> {
  const isAnswered = (): Promise<boolean> =>
    db.query('SELECT 1').then(
      () => true,
      () => false,
    );
  return until(isAnswered, timeoutMs);
}

/** Statements that the server is running, those of others. */
export async function runningStatements(db: Database, marker: string): Promise<number> {
  const { rows } = await db.query<{ count: string }>(
    `SELECT count(*) AS count FROM pg_stat_activity
     WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE $1`,
    [`%${marker}%`],
  );
  return Number(rows[0]?.count);
}
