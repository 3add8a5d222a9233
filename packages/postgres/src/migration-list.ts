import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import {
  refuseUnknownOptions,
  requireBoolean,
  requireObject,
  requireText,
  wrongOption,
} from '@signalbox/options';
import { MigrationError } from './errors.js';
import type { Migration } from './migration.js';

/** A migration, and what tells whether it has changed. */
export interface PreparedMigration extends Migration {
  /** Of a function's nothing is known: compiling it anew changes its text. */
  readonly checksum: string | null;
}

/**
 * Reads and checks what `migrate()` is given.
 *
 * @throws {TypeError} when it is not a list of migrations with names of their own
 * @throws {MigrationError} when the folder cannot be read, or has none
 */
export async function prepareMigrations(source: readonly Migration[] | URL): Promise<PreparedMigration[]> {
  const migrations = source instanceof URL ? await readFolder(source) : source;
  if (!Array.isArray(migrations)) {
    throw wrongOption('migrate', 'migrations', 'a list of migrations, or the URL of a folder', source);
  }
  const names = new Set<string>();
  return migrations.map((migration: Migration, index) => {
    checkMigration(migration, `migrations[${index}]`);
    if (names.has(migration.name)) {
      throw new TypeError(`migrate: two migrations are called "${migration.name}"`);
    }
    names.add(migration.name);
    return { ...migration, checksum: checksumOf(migration) };
  });
}

function checkMigration(migration: Migration, option: string): void {
  requireObject('migrate', option, migration);
  refuseUnknownOptions('migrate', migration, ['name', 'up', 'transaction']);
  requireText('migrate', `${option}.name`, migration.name);
  if (typeof migration.up !== 'function') requireText('migrate', `${option}.up`, migration.up);
  if (migration.transaction !== undefined) {
    requireBoolean('migrate', `${option}.transaction`, migration.transaction);
  }
}

/** Line endings do not count: git may change them. */
function checksumOf({ up }: Migration): string | null {
  if (typeof up !== 'string') return null;
  return createHash('sha256').update(up.replaceAll('\r\n', '\n').trim()).digest('hex');
}

const NO_TRANSACTION = /^\s*--\s*no transaction\b/i;

async function readFolder(folder: URL): Promise<Migration[]> {
  const base = folder.href.endsWith('/') ? folder : new URL(`${folder.href}/`);
  let files: string[];
  try {
    files = (await readdir(base)).filter((file) => file.endsWith('.sql')).toSorted();
  } catch (error) {
    throw new MigrationError(undefined, `migrate: the folder ${base.href} cannot be read`, error);
  }
  // A wrong folder must not look like a schema that is up to date.
  if (files.length === 0)
    throw new MigrationError(undefined, `migrate: there is no .sql file in ${base.href}`);
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(new URL(encodeURIComponent(file), base), 'utf8');
      // Editors on Windows begin a file with a mark that is no SQL.
      const up = text.replace(/^\uFEFF/, '');
      return { name: file.slice(0, -'.sql'.length), up, transaction: !NO_TRANSACTION.test(up) };
    }),
  );
}
