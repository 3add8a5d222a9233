export { connectPostgres } from './connect-postgres.js';
export { embeddedPostgres } from './embedded-postgres.js';
export {
  MigrationError,
  PostgresUnavailableError,
  TransactionMisuseError,
} from './errors.js';

export type {
  Database,
  DatabaseReport,
  DatabaseState,
  IsolationLevel,
  PoolStats,
  Queryable,
  QueryOptions,
  QueryResult,
  Transaction,
  TransactionOptions,
} from './database.js';
export type { EmbeddedOptions } from './embedded-postgres.js';
export type { PostgresUnavailableReason } from './errors.js';
export type { MigrateOptions, Migration, MigrationReport } from './migration.js';
export type {
  DatabaseOptions,
  PostgresBreakerOptions,
  PostgresLogger,
  PostgresOptions,
} from './options.js';
export type { PgPool, PgPoolClient, PostgresConfig } from './pg-types.js';
