import pgModule from 'pg';
import type { PgModule } from './pg-types.js';
import { wireValue } from './wire-value.js';

/** What PGlite gives for a statement. */
export interface PgliteResult {
  rows: unknown[];
  rowCount?: number | undefined;
  affectedRows?: number | undefined;
  command?: string | undefined;
}

/** Of PGlite, what is used. */
export interface Pglite {
  readonly waitReady: Promise<void>;
  query(text: string, values: (string | null)[]): Promise<PgliteResult>;
  exec(text: string): Promise<PgliteResult[]>;
  close(): Promise<void>;
  /** All of its data, as a tar archive. */
  dumpDataDir(compression: 'none' | 'gzip'): Promise<Blob>;
  serializers: Record<string, (value: string) => string>;
  parsers: Record<string, (text: string) => unknown>;
}

interface PgliteModule {
  readonly PGlite: new (options: { dataDir?: string; loadDataDir?: Blob }) => Pglite;
}

/**
 * Loads PGlite, which takes a second or so, and opens a database.
 *
 * @param folder where its data live; in memory without one
 * @param data what another one dumped, to begin with
 * @throws an error that says what to install, when PGlite is missing
 */
export async function openPglite(folder: string | undefined, data?: Blob): Promise<Pglite> {
  const { PGlite } = await loadPglite();
  const pglite = new PGlite({
    ...(folder === undefined ? {} : { dataDir: folder }),
    ...(data === undefined ? {} : { loadDataDir: data }),
  });
  await pglite.waitReady;
  speakAsPg(pglite);
  return pglite;
}

async function loadPglite(): Promise<PgliteModule> {
  try {
    return (await import('@electric-sql/pglite')) as object as PgliteModule;
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    if (!isMissing) throw error;
    throw new Error('PGlite is not installed: npm install @electric-sql/pglite', { cause: error });
  }
}

/** A program must not notice which of the two it talks to: the same values in, the same values out. */
function speakAsPg(pglite: Pglite): void {
  const { types } = pgModule as object as PgModule;
  const known = [...Object.keys(pglite.parsers), ...Object.values(types.builtins).map(String)];
  for (const oid of known) pglite.parsers[oid] = types.getTypeParser(Number(oid), 'text');
  for (const oid of Object.keys(pglite.serializers)) pglite.serializers[oid] = asIs;
}

const asIs = (value: string): string => value;

/** Runs a statement, or, as a script, several. */
export async function askPglite(
  pglite: Pglite,
  text: string,
  values: readonly unknown[] | undefined,
  isScript: boolean,
): Promise<{ rows: unknown[]; rowCount: number; command: string | undefined }> {
  // Without values pg lets several statements stand in one text.
  const isSimple = isScript || values === undefined || values.length === 0;
  const result = isSimple
    ? (await pglite.exec(text)).at(-1)
    : await pglite.query(text, values.map(wireValue));
  const { rows = [], rowCount, affectedRows = 0, command } = result ?? {};
  return { rows, rowCount: rowCount ?? Math.max(rows.length, affectedRows), command };
}
