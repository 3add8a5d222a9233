import { createHash } from 'node:crypto';
import { refuseUnknownOptions, requireMilliseconds, requireObject } from '@signalbox/options';
import type { Session } from './driver.js';
import { MigrationError, PostgresUnavailableError } from './errors.js';
import { prepareMigrations, type PreparedMigration } from './migration-list.js';
import type { Migration, MigrateOptions, MigrationReport } from './migration.js';
import type { DatabaseSettings } from './options.js';
import { pause } from './pause.js';
import { statementsOf } from './script.js';
import { checkSignal, inside, type Inside, type StatementResult, type Statements } from './statements.js';
import { TransactionScope } from './transaction-scope.js';

/** How often to look whether another process is done, in milliseconds. */
const LOOK_EVERY_MS = 100;

/** Runs a statement on the one connection that migrates. */
type Ask = (text: string, values?: readonly unknown[]) => Promise<StatementResult>;

interface Stage {
  readonly settings: DatabaseSettings;
  readonly statements: Statements;
  readonly session: Session;
  readonly ask: Ask;
  readonly before: SessionSettings;
}

/** Makes the function that brings a schema up to date. */
export function createMigrate(settings: DatabaseSettings, statements: Statements) {
  return async function migrate(
    source: readonly Migration[] | URL,
    options: MigrateOptions = {},
  ): Promise<MigrationReport> {
    requireObject('migrate', 'options', options);
    refuseUnknownOptions('migrate', options, ['waitMs', 'signal']);
    const { waitMs = 60_000, signal } = options;
    requireMilliseconds('migrate', 'waitMs', waitMs, 0);
    checkSignal('migrate', signal);
    const migrations = await prepareMigrations(source);

    const session = await statements.acquire({ signal });
    // Building an index takes as long as it takes. A lock is waited for as long as `lockTimeoutMs` says.
    const ask: Ask = (text, values) =>
      statements.runPatiently(session, text, values, { isScript: values === undefined, signal });
    let isAsBefore = false;
    let before: SessionSettings | undefined;
    try {
      before = await readSettings(ask);
      const key = lockKey(settings.migrationsTable);
      await lock(ask, key, waitMs, signal);
      const report = await applyAll({ settings, statements, session, ask, before }, migrations);
      await unlock(ask, key);
      isAsBefore = report.applied.length === 0;
      await ask(isAsBefore ? 'RESET statement_timeout' : 'RESET ALL');
      await putBack(ask, before);
      return report;
    } catch (error) {
      await tidyUp(statements, session, before);
      throw error;
    } finally {
      // What a migration has set for its session would be set for whoever has the connection next.
      session.release(!isAsBefore);
    }
  };
}

/** An embedded Postgres cannot be given a new connection: what is left of a failure must go. */
async function tidyUp(
  statements: Statements,
  session: Session,
  before: SessionSettings | undefined,
): Promise<void> {
  const ask: Ask = (text, values) =>
    statements.run(session, text, values, { follows: 'nothing', timeoutMs: 2_000 });
  try {
    await ask('ROLLBACK');
    await ask('SELECT pg_advisory_unlock_all()');
    await ask('RESET ALL');
    if (before !== undefined) await putBack(ask, before);
  } catch {
    // The connection is closed, and with it all of that is gone.
  }
}

/** Building an index takes as long as it takes, whatever the migration before it has set. */
const NO_TIMEOUT = "SELECT set_config('statement_timeout', '0', false)";

/** Settings of a session without which what comes after a migration is not found, or is done by somebody else. */
interface SessionSettings {
  readonly path: string;
  readonly role: string;
}

async function readSettings(ask: Ask): Promise<SessionSettings> {
  const { rows } = await ask(
    "SELECT current_setting('search_path') AS path, current_setting('role') AS role",
  );
  await ask(NO_TIMEOUT);
  return rows[0] as SessionSettings;
}

/** What pg_dump writes begins with an empty search_path. */
async function putBack(ask: Ask, { path, role }: SessionSettings): Promise<void> {
  await ask("SELECT set_config('search_path', $1, false), set_config('role', $2, false)", [path, role]);
}

/** One for each table, so that two apps in one database do not wait for each other. */
function lockKey(table: string): string {
  return createHash('sha256')
    .update(`signalbox:postgres:migrate:${table}`)
    .digest()
    .readBigInt64BE()
    .toString();
}

/**
 * Asks again and again rather than waiting in the server: a waiting statement would hold a snapshot, for which a
 * CREATE INDEX CONCURRENTLY of the other process waits in turn.
 */
async function lock(ask: Ask, key: string, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  const until = performance.now() + waitMs;
  for (;;) {
    const { rows } = await ask('SELECT pg_try_advisory_lock($1) AS locked', [key]);
    if ((rows[0] as { locked: boolean }).locked) return;
    if (performance.now() >= until) {
      throw new MigrationError(
        undefined,
        `migrate: another process has been migrating for more than ${waitMs} ms`,
      );
    }
    await pause(LOOK_EVERY_MS * (0.5 + Math.random()), signal);
  }
}

/** A pooler that gives each statement another connection leaves the lock on one of them, and the next who migrates waits. */
async function unlock(ask: Ask, key: string): Promise<void> {
  const { rows } = await ask('SELECT pg_advisory_unlock($1) AS unlocked', [key]);
  if ((rows[0] as { unlocked: boolean }).unlocked) return;
  throw new MigrationError(
    undefined,
    'migrate: the lock is on another connection: migrate past a pooler that works by transaction',
  );
}

async function applyAll(stage: Stage, migrations: readonly PreparedMigration[]): Promise<MigrationReport> {
  const { ask, settings } = stage;
  const table = settings.migrationsTable;
  await makeTable(ask, table);
  const { rows } = await ask(`SELECT name, checksum FROM ${table} ORDER BY applied_at, name`);
  const before = new Map((rows as { name: string; checksum: string | null }[]).map((row) => [row.name, row]));

  // All of them, before anything is applied.
  for (const migration of migrations) refuseChanged(migration, before.get(migration.name));
  const applied: string[] = [];
  for (const migration of migrations) {
    if (before.has(migration.name)) continue;
    await apply(stage, migration);
    applied.push(migration.name);
  }
  const names = new Set(migrations.map(({ name }) => name));
  const earlier = [...before.keys()];
  return {
    applied,
    known: earlier.filter((name) => names.has(name)),
    unknown: earlier.filter((name) => !names.has(name)),
  };
}

/** Only where it is not there: a role that runs the app need not be one that may make tables. */
async function makeTable(ask: Ask, table: string): Promise<void> {
  const { rows } = await ask('SELECT to_regclass($1) IS NOT NULL AS known', [table]);
  if ((rows[0] as { known: boolean }).known) return;
  const [schema, rest] = table.split('.');
  try {
    if (rest !== undefined) await ask(`CREATE SCHEMA IF NOT EXISTS ${schema ?? ''}`);
    await ask(`CREATE TABLE IF NOT EXISTS ${table} (
      name text PRIMARY KEY,
      checksum text,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
  } catch (error) {
    if (error instanceof PostgresUnavailableError) throw error;
    const words = error instanceof Error ? error.message : String(error);
    throw new MigrationError(undefined, `migrate: the table ${table} cannot be made: ${words}`, error);
  }
}

function refuseChanged(
  { name, checksum }: PreparedMigration,
  row: { checksum: string | null } | undefined,
): void {
  if (row === undefined || checksum === null || row.checksum === null || row.checksum === checksum) return;
  throw new MigrationError(
    name,
    `migrate: "${name}" is not what it was when it was applied; put it back, and make another migration of the change`,
  );
}

async function apply(stage: Stage, migration: PreparedMigration): Promise<void> {
  const { ask, settings, before } = stage;
  const { name, checksum, transaction = true } = migration;
  try {
    if (transaction) await ask('BEGIN');
    await runUp(stage, migration);
    await putBack(ask, before);
    await ask(NO_TIMEOUT);
    await ask(`INSERT INTO ${settings.migrationsTable} (name, checksum) VALUES ($1, $2)`, [name, checksum]);
    if (!transaction) return;
    const { command } = await ask('COMMIT');
    if (command === 'ROLLBACK') throw new Error('a statement in it had failed whose error was not passed on');
  } catch (error) {
    if (error instanceof PostgresUnavailableError) throw error;
    const words = error instanceof Error ? error.message : String(error);
    throw new MigrationError(name, `migrate: "${name}" failed: ${words}`, error);
  }
}

async function runUp(
  { settings, statements, session, ask }: Stage,
  { up, transaction = true }: PreparedMigration,
): Promise<void> {
  if (typeof up === 'string') {
    // What is sent as one text is one transaction to the server.
    for (const text of transaction ? [up] : statementsOf(up)) await ask(text);
    return;
  }
  const patient = { ...statements, run: statements.runPatiently };
  const tx = new TransactionScope(patient, session, settings.name);
  const around: Inside = { database: settings.name, isOver: false };
  try {
    await inside.run(around, up, tx);
  } finally {
    around.isOver = true;
    tx.end(undefined);
  }
}
