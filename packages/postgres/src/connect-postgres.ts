import { shown, wrongOption, wrongSecret } from '@signalbox/options';
import pgModule from 'pg';
import { watchConnecting } from './connecting.js';
import { createDatabase, SERVER_FIRST_MS } from './create-database.js';
import type { Database } from './database.js';
import {
  POOL_NAMES,
  resolvePostgresOptions,
  type PostgresOptions,
  type PostgresSettings,
} from './options.js';
import { isPool, type PgModule, type PgPool, type PoolSettings, type PostgresConfig } from './pg-types.js';
import { createPoolDriver } from './pool-driver.js';

const OWNER = 'connectPostgres';
const pg: PgModule = pgModule as object as PgModule;

/** A connection that does nothing is asked for a sign of life by the system after this long, in milliseconds. */
const KEEP_ALIVE_MS = 10_000;

/** Pools that have a database: two would each think the other's statements their own. */
const taken = new WeakSet<PgPool>();

/**
 * Makes the database that a process asks through. It connects when it is asked for the first time: a Postgres
 * that is not there is no reason not to start.
 *
 * @param source where Postgres is: a `postgres://` URL, or the settings of a pool as pg has them; or a pool of
 *   pg's, which is used as it is and stays open
 * @throws {TypeError} when the source or an option is wrong
 *
 * @example
 * const db = connectPostgres('postgres://app:secret@127.0.0.1:5432/app', { max: 10 });
 * const { rows } = await db.query('SELECT email FROM users WHERE id = $1', [id]);
 */
export function connectPostgres(
  source: string | PostgresConfig | PgPool,
  options: PostgresOptions = {},
): Database {
  const settings = resolvePostgresOptions(OWNER, options);
  return isPool(source) ? adopt(source, settings, options) : open(source, settings);
}

function adopt(pool: PgPool, settings: PostgresSettings, options: PostgresOptions): Database {
  for (const name of POOL_NAMES) {
    if (options[name] === undefined) continue;
    throw new TypeError(`${OWNER}: "${name}" is for a pool that is made here; yours has settings of its own`);
  }
  if (taken.has(pool))
    throw new TypeError(`${OWNER}: "source" is a pool that has a database already; share that`);
  taken.add(pool);
  const poolSettings = pool.options as PoolSettings;
  // Without one, a connection that nobody answers would take a place of the pool for ever.
  poolSettings.connectionTimeoutMillis ||= settings.connectTimeoutMs;
  const driven = { pool, isOwn: false, cutOff: () => undefined };
  const openDriver = (changed: () => void) => createPoolDriver(pg, driven, settings, changed);
  return createDatabase(settings, openDriver, settings.statementTimeoutMs || Infinity);
}

function open(source: string | PostgresConfig, settings: PostgresSettings): Database {
  const config = poolConfig(source, settings);
  refuseUnreadable(config);
  const { Client, cutOff } = watchConnecting(pg, settings.connectTimeoutMs);
  const driven = { pool: new pg.Pool({ Client, ...config }), isOwn: true, cutOff };
  const openDriver = (changed: () => void) => createPoolDriver(pg, driven, settings, changed);
  const { statementTimeoutMs } = settings;
  return createDatabase(
    settings,
    openDriver,
    statementTimeoutMs === 0 ? Infinity : statementTimeoutMs + SERVER_FIRST_MS,
  );
}

/** What is set in pg's own words goes before the defaults. */
function poolConfig(source: string | PostgresConfig, settings: PostgresSettings): PostgresConfig {
  if (typeof source === 'string') refuseUrl(source);
  else if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    throw wrongOption(OWNER, 'source', "a postgres:// URL, a pool's settings, or a pool of pg's", source);
  }
  const given = typeof source === 'string' ? { connectionString: source } : source;
  return {
    max: settings.max,
    idleTimeoutMillis: settings.idleMs,
    maxLifetimeSeconds: Math.ceil(settings.recycleMs / 1_000),
    statement_timeout: settings.statementTimeoutMs,
    lock_timeout: settings.lockTimeoutMs,
    // Where the process itself hangs, the server ends what it holds.
    idle_in_transaction_session_timeout: settings.idleTransactionMs * 2,
    fallback_application_name: settings.name,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    ...given,
  };
}

/** Its words must show nothing of a password. */
function refuseUrl(source: string): void {
  if (/^postgres(ql)?:\/\//.test(source)) return;
  throw wrongSecret(OWNER, 'source', 'a URL beginning with postgres:// or postgresql://', source);
}

/** pg reads a URL when it connects, and would throw then. */
function refuseUnreadable(config: PostgresConfig): void {
  let port: unknown;
  try {
    ({ port } = new pg.Client(config));
  } catch {
    throw wrongSecret(
      OWNER,
      'source',
      'a URL that can be read, with special characters as %XX',
      config.connectionString,
    );
  }
  if (Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536) return;
  throw new TypeError(`${OWNER}: "source" must have a port from 1 to 65535, got ${shown(port)}`);
}
