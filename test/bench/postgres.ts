/**
 * Pool throughput beside bare `pg`, on a Postgres of its own: rounds of both in turn, each with the same pool size
 * and the same number of callers.
 */
import { connectPostgres } from '@signalbox/postgres';
import pg from 'pg';
import { startPostgres } from '../support/postgres.js';

const ROUND_MS = 1_500;
const ROUNDS = 7;
const SIZE = 10;

interface Contender {
  readonly name: string;
  readonly ask: (id: number) => Promise<unknown>;
  readonly figures: { perSecond: number; cpuUs: number }[];
}

async function measure({ ask, figures }: Contender, callers: number): Promise<void> {
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  let count = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - startedAt < ROUND_MS) {
      count += 1;
      await ask(count % 1_000);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - startedAt) / 1_000;
  figures.push({ perSecond: count / seconds, cpuUs: (user + system) / count });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const server = await startPostgres();
const pool = new pg.Pool({ connectionString: server.url, max: SIZE });
const db = connectPostgres(server.url, { max: SIZE });
await pool.query('CREATE TABLE users AS SELECT id, id || $1 AS email FROM generate_series(0, 999) AS id', [
  '@example.com',
]);
await pool.query('CREATE UNIQUE INDEX ON users (id)');
const text = 'SELECT id, email FROM users WHERE id = $1';

for (const callers of [1, 10, 64]) {
  const contenders: Contender[] = [
    { name: 'pg', ask: (id) => pool.query(text, [id]), figures: [] },
    { name: '@signalbox/postgres', ask: (id) => db.query(text, [id]), figures: [] },
  ];
  for (const contender of contenders) await measure(contender, callers);
  for (const contender of contenders) contender.figures.length = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) await measure(contender, callers);
  }
  const [bare, ours] = contenders.map(({ figures }) => ({
    perSecond: median(figures.map(({ perSecond }) => perSecond)),
    cpuUs: median(figures.map(({ cpuUs }) => cpuUs)),
  }));
  if (bare === undefined || ours === undefined) break;
  const ratio = (ours.perSecond / bare.perSecond).toFixed(3);
  process.stdout.write(
    `${callers} callers: pg ${Math.round(bare.perSecond)}/s (${bare.cpuUs.toFixed(1)} µs), ` +
      `ours ${Math.round(ours.perSecond)}/s (${ours.cpuUs.toFixed(1)} µs), ratio ${ratio}\n`,
  );
}
await db.close();
await pool.end();
await server.stop();
