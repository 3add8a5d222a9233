import { fileURLToPath } from 'node:url';
import type { Logger } from '@signalbox/logging';
import { connectPostgres, embeddedPostgres, type Database } from '@signalbox/postgres';
import type { Settings } from '../settings.js';

/** The embedded Postgres is set up once, and every further start begins from there. */
const TEMPLATE = fileURLToPath(new URL('../../node_modules/.cache/signalbox/postgres.tar', import.meta.url));

/** Where accounts are: in the Postgres of the settings, or in one in this process. */
export function openDatabase({ DATABASE_URL, DATABASE_POOL, NODE_ENV }: Settings, log: Logger): Database {
  const logs = { log, queryLog: NODE_ENV === 'development' };
  if (DATABASE_URL === undefined) return embeddedPostgres(undefined, { template: TEMPLATE, ...logs });
  // A person waits for a sign-in: soon is better than maybe.
  const patience = { connectTimeoutMs: 2_000, statementTimeoutMs: 2_000 };
  return connectPostgres(DATABASE_URL, { max: DATABASE_POOL, ...patience, ...logs });
}
