import { spawn } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/keeper.js';
import { connectPostgres } from '../src/index.js';
import { errorOf, stageOf } from './stage.js';

const folder = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a program beside the package, as it is compiled, to its end. */
async function run(program: string, url: string): Promise<{ code: number | null; out: string; err: string }> {
  const text = `import pg from 'pg';
    import { connectPostgres, embeddedPostgres } from '@signalbox/postgres';
    const url = ${JSON.stringify(url)};
    ${program}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], { cwd: folder });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  return { code, out, err };
}

describe('a process', () => {
  it('ends by itself after close(), also when Postgres is frozen or was never there', async (context) => {
    const server = await stageOf(context).postgres();
    const program = `const db = connectPostgres(url);
      await db.query('SELECT 1').then(() => console.log('ok'), (error) => console.log(error.reason));
      await db.close();
      console.log(db.state);`;
    expect(await run(program, server.url)).toEqual({ code: 0, out: 'ok\nclosed\n', err: '' });
    expect(await run(program, 'postgres://127.0.0.1:1/none')).toEqual({
      code: 0,
      out: 'down\nclosed\n',
      err: '',
    });
  });

  it('survives the end of idle connections and of those in use', async (context) => {
    const server = await stageOf(context).postgres();
    const result = await run(
      `const pool = new pg.Pool({ connectionString: url });
       const db = connectPostgres(pool);
       await Promise.all([1, 2, 3].map(() => db.query('SELECT pg_sleep(0.05)')));
       const kill = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()';
       const held = db.transaction(async (tx) => {
         await tx.query('SELECT 1');
         await db.query(kill);
         await new Promise((resolve) => setTimeout(resolve, 100));
         await tx.query('SELECT 1');
       });
       await held.catch((error) => console.log(error.reason));
       console.log((await db.query('SELECT 1 AS one')).rows[0].one);
       await db.close();
       await pool.end();`,
      server.url,
    );
    expect(result).toEqual({ code: 0, out: 'down\n1\n', err: '' });
  });
});

describe('a server that asks for a password', () => {
  it('gets it from the pool and from the one who looks whether it is there; a wrong one is "auth"', async (context) => {
    const stage = stageOf(context);
    const hba = join(temporaryFolder('hba').path, 'pg_hba.conf');
    writeFileSync(hba, 'host all postgres all trust\nhost all app all scram-sha-256\n');
    chmodSync(dirname(hba), 0o755);
    chmodSync(hba, 0o644);
    const server = await stage.postgres({ settings: { hba_file: hba } });
    const admin = stage.closing(connectPostgres(server.url));
    await admin.query("CREATE ROLE app LOGIN PASSWORD 's3cret'");

    const at = `127.0.0.1:${server.port}/postgres`;
    const db = stage.closing(connectPostgres(`postgres://app:s3cret@${at}`, { breaker: { failures: 1 } }));
    await db.query('SELECT 1');
    await server.kill();
    await errorOf(db.query('SELECT 1'));
    await server.restart();
    await expect.poll(() => db.state, { timeout: 10_000 }).toBe('up');
    await db.query('SELECT 1');

    const wrong = stage.closing(connectPostgres(`postgres://app:wr0ng@${at}`));
    const error = await errorOf(wrong.query('SELECT 1'));
    expect(error).toMatchObject({ reason: 'auth', status: 503 });
    expect(error.message).not.toContain('wr0ng');
  });
});
