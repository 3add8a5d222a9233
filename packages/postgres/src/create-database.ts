import { within } from '@signalbox/context';
import { checkDatabase } from './check.js';
import type { Database } from './database.js';
import type { Driver } from './driver.js';
import { createMigrate } from './migrate.js';
import type { DatabaseSettings } from './options.js';
import { createPoolReport } from './pool-report.js';
import { createReporter } from './report.js';
import { createStatements } from './statements.js';
import { createTransactions } from './transaction.js';

/** How long what is under way has to end when the database is closed, in milliseconds. */
const DRAIN_MS = 5_000;

/** How much later than the server this side gives a statement up, so that the server's own word comes first. */
export const SERVER_FIRST_MS = 500;

/**
 * Makes a database of a driver.
 *
 * @param openDriver gets what is to be called when connections came, went or are used
 * @param statementMs how long a statement may take; `Infinity` for as long as it takes
 */
export function createDatabase(
  settings: DatabaseSettings,
  openDriver: (changed: () => void) => Driver,
  statementMs: number,
): Database {
  const { name } = settings;
  const driver = openDriver(() => poolReport.changed());
  const poolReport = createPoolReport(name, () => driver.stats());
  const limits = { connectMs: settings.connectTimeoutMs, statementMs };
  const statements = createStatements(name, limits, driver, createReporter(settings), poolReport.changed);
  let closing: Promise<void> | undefined;
  let isClosed = false;

  const database: Database = {
    name,
    get state() {
      return isClosed ? 'closed' : driver.state;
    },
    query: statements.query,
    transaction: createTransactions(settings, statements),
    migrate: createMigrate(settings, statements),
    check: (signal) => checkDatabase(database, signal),
    stats: () => driver.stats(),
    close: () => (closing ??= close()),
  };

  async function close(): Promise<void> {
    isClosed = true;
    driver.refuse();
    await within(DRAIN_MS, statements.drained(), () => undefined);
    await driver.close();
    poolReport.close();
  }
  return database;
}
