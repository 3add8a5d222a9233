import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { requireMilliseconds, requireText } from '@signalbox/options';
import { createDatabase } from './create-database.js';
import type { Database } from './database.js';
import { lockFolder } from './folder-lock.js';
import { resolveDatabaseOptions, type DatabaseOptions } from './options.js';
import { openPglite } from './pglite.js';
import { openFromTemplate } from './pglite-template.js';
import { createPgliteDriver } from './pglite-driver.js';

const OWNER = 'embeddedPostgres';

export interface EmbeddedOptions extends DatabaseOptions {
  /**
   * How long the one connection may be waited for, its start included, in milliseconds.
   * @default 30_000
   */
  connectTimeoutMs?: number | undefined;
  /**
   * A file that keeps an empty database, some 40 MB, for the next start of one in memory: setting one up anew takes several times as
   * long. It is made where it is missing, and may be deleted at any time. Nobody else should be able to write to its folder.
   * @default none
   */
  template?: string | undefined;
}

/** Setting up a new database takes seconds on a small machine. */
const CONNECT_TIMEOUT_MS = 30_000;

/**
 * A Postgres within the process, by PGlite: for development, tests, and small installations without a server. It
 * starts in the background; what is asked meanwhile waits.
 *
 * It has one connection: statements run one after the other, and a transaction keeps all others waiting. A
 * statement blocks the process while it runs, and cannot be cancelled.
 *
 * @param folder where the data live, for one process at a time; without one they are in memory
 * @throws {TypeError} when an option is wrong
 *
 * @example
 * const db = process.env.DATABASE_URL ? connectPostgres(process.env.DATABASE_URL) : embeddedPostgres('data/postgres');
 */
export function embeddedPostgres(folder?: string, options: EmbeddedOptions = {}): Database {
  if (folder !== undefined) requireText(OWNER, 'folder', folder);
  const settings = resolveDatabaseOptions(OWNER, options, ['template']);
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS, template } = options;
  requireMilliseconds(OWNER, 'connectTimeoutMs', connectTimeoutMs);
  if (template !== undefined) requireText(OWNER, 'template', template);
  let unlock: () => Promise<void> = async () => undefined;

  async function open(): ReturnType<typeof openPglite> {
    if (folder === undefined) {
      return template === undefined ? openPglite(undefined) : openFromTemplate(resolve(template));
    }
    const path = resolve(folder);
    await mkdir(path, { recursive: true });
    unlock = await lockFolder(path);
    try {
      return await openPglite(path);
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  return createDatabase(
    { ...settings, connectTimeoutMs },
    (changed) => createPgliteDriver(settings.name, open, changed, () => unlock()),
    settings.statementTimeoutMs || Infinity,
  );
}
