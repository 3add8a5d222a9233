import { createHash } from 'node:crypto';
import pg from 'pg';
import { runTool } from './child.js';
import { postgresTarget } from './postgres-url.js';

/** What two databases are compared by. */
export interface DatabaseFingerprint {
  /** By table: how many rows, and the sum of their hashes. Materialized views are made anew by a restore. */
  readonly tables: Readonly<Record<string, { readonly rows: string; readonly hash: string }>>;
  /** By sequence that counts up: the last value, if it has given one out. */
  readonly sequences: Readonly<Record<string, string | null>>;
  /** By object of the schema, such as `TABLE public.users`: the hash of what makes it. */
  readonly schema: Readonly<Record<string, string>>;
}

const OURS = `n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'`;
const NOT_OF_AN_EXTENSION = `NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`;

// The text of a row must not depend on who asks. No limit may end a long look, and no policy may hide a row.
const SAME_TEXT_FOR_ALL = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
  SET bytea_output = 'hex'; SET extra_float_digits = 1; SET search_path = pg_catalog; SET row_security = off;
  SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0`;

/** A connection for one job. */
export async function connectClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    application_name: 'signalbox-backup',
    keepAlive: true,
  });
  // A connection that is lost between two statements fails the next one.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** What is in the database now, as one moment of it: nothing that is written meanwhile is seen. */
export async function fingerprintOf(url: string): Promise<DatabaseFingerprint> {
  const client = await connectClient(url);
  try {
    const { snapshot } = await beginSnapshot(client);
    return await fingerprintIn(client, url, snapshot);
  } finally {
    await client.end();
  }
}

/** Keeps a moment of the database for this and, by the name of the snapshot, other connections. */
export async function beginSnapshot(client: pg.Client): Promise<{ snapshot: string; takenAt: Date }> {
  await client.query(SAME_TEXT_FOR_ALL);
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const { rows } = await client.query<{ snapshot: string; taken: Date }>(
    'SELECT pg_export_snapshot() AS snapshot, now() AS taken',
  );
  const [{ snapshot, taken } = { snapshot: '', taken: new Date() }] = rows;
  return { snapshot, takenAt: taken };
}

/** What is in the database at the moment that the client keeps. */
export async function fingerprintIn(
  client: pg.Client,
  url: string,
  snapshot: string,
): Promise<DatabaseFingerprint> {
  // First, since sequences know no moments: what is dumped later is never less.
  const sequences = await lastValues(client);
  return { sequences, tables: await tableSums(client), schema: await schemaHashes(url, snapshot) };
}

async function lastValues(client: pg.Client): Promise<Record<string, string | null>> {
  const { rows } = await client.query<{ name: string; last: string | null }>(
    `SELECT schemaname || '.' || sequencename AS name, last_value::text AS last
      FROM pg_sequences n WHERE increment_by > 0 AND NOT cycle AND schemaname NOT LIKE 'pg\\_%' ORDER BY 1`,
  );
  return Object.fromEntries(rows.map(({ name, last }) => [name, last]));
}

async function tableSums(client: pg.Client): Promise<DatabaseFingerprint['tables']> {
  const { rows } = await client.query<{ name: string; quoted: string }>(
    `SELECT n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND ${OURS} AND ${NOT_OF_AN_EXTENSION} ORDER BY 1`,
  );
  const tables: Record<string, { rows: string; hash: string }> = {};
  for (const { name, quoted } of rows) tables[name] = await sumOf(client, quoted);
  return tables;
}

/** The order of rows means nothing, so their hashes are added up; it takes no memory, whatever the size. */
async function sumOf(client: pg.Client, table: string): Promise<{ rows: string; hash: string }> {
  const half = (from: number): string =>
    `coalesce(sum(('x' || substr(hash, ${from}, 16))::bit(64)::bigint::numeric), 0)`;
  const { rows } = await client.query<{ rows: string; hash: string }>(
    `SELECT count(*)::text AS rows, ${half(1)} || ':' || ${half(17)} AS hash FROM (
      SELECT encode(sha256(convert_to(signalbox_row::text, 'UTF8')), 'hex') AS hash
      FROM ONLY ${table} AS signalbox_row) AS hashes`,
  );
  return rows[0] ?? { rows: '0', hash: '' };
}

/** pg_dump knows every kind of object; what it writes of each is hashed. */
async function schemaHashes(url: string, snapshot: string): Promise<Record<string, string>> {
  const { url: address, env } = postgresTarget(url);
  const what = [
    '--schema-only',
    '--no-owner',
    '--no-privileges',
    '--no-tablespaces',
    `--snapshot=${snapshot}`,
  ];
  return hashObjects(await runTool('pg_dump', [...what, `--dbname=${address}`], { env }));
}

const HEADING = /^-- Name: (.+); Type: (.+); Schema: (.+); Owner: .*$/;

export function hashObjects(script: string): Record<string, string> {
  const texts: Record<string, string> = {};
  let object: string | undefined;
  for (const line of script.split('\n')) {
    const [, name = '', type = '', schema = ''] = HEADING.exec(line) ?? [];
    if (name !== '') object = `${type} ${schema === '-' ? '' : `${schema}.`}${name}`;
    // Comments name versions, and newer ones write a random word after \restrict.
    else if (object !== undefined && line !== '' && !/^(--|\\(un)?restrict )/.test(line)) {
      texts[object] = `${texts[object] ?? ''}${line}\n`;
    }
  }
  return Object.fromEntries(
    Object.entries(texts).map(([each, text]) => [each, createHash('sha256').update(text).digest('hex')]),
  );
}

/** What is not as it should be, a sentence each; none: they are the same. */
export function databaseDifferences(wanted: DatabaseFingerprint, found: DatabaseFingerprint): string[] {
  const differences: string[] = [];
  for (const name of namesOf(wanted.tables, found.tables)) {
    const [want, have] = [wanted.tables[name], found.tables[name]];
    if (want === undefined) differences.push(`the table ${name} should not be there`);
    else if (have === undefined) differences.push(`the table ${name} is missing`);
    else if (have.rows !== want.rows) {
      differences.push(`the table ${name} has ${have.rows} rows instead of ${want.rows}`);
    } else if (have.hash !== want.hash) differences.push(`the table ${name} has other content`);
  }
  for (const name of namesOf(wanted.schema, found.schema)) {
    if (wanted.schema[name] === found.schema[name]) continue;
    const how = wanted.schema[name] === undefined ? 'should not be there' : 'is another';
    differences.push(`${name} ${found.schema[name] === undefined ? 'is missing' : how}`);
  }
  for (const [name, want] of Object.entries(wanted.sequences)) {
    const have = found.sequences[name] ?? null;
    if (want === null || (have !== null && BigInt(have) >= BigInt(want))) continue;
    differences.push(`the sequence ${name} is at ${have ?? 'its beginning'} instead of ${want}`);
  }
  return differences;
}

function namesOf(one: object, other: object): string[] {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].toSorted();
}
