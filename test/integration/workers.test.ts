import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/eventually.js';
import { accountOf, adminOf, ADMIN_SETTINGS, guestOf, type SignedIn } from '../support/identity.js';
import { temporaryFolder } from '../support/keeper.js';
import {
  PATIENT,
  runOrchestrator,
  startOrchestrator,
  type RunningOrchestrator,
} from '../support/orchestrator.js';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startProgram, type Program } from '../support/program.js';
import { startRedis, type RedisServer } from '../support/redis.js';

const SIGNALBOX = fileURLToPath(new URL('../../packages/cluster/bin/signalbox.js', import.meta.url));
const MAIN = fileURLToPath(new URL('../../examples/orchestrator/dist/main.js', import.meta.url));

interface Workers {
  managed: boolean;
  workersReady: number;
  failures: number;
  workers: { pid: number; state: string }[];
}

let redis: RedisServer;
let postgres: PostgresServer;
let running: RunningOrchestrator;
let admin: SignedIn;
let database: pg.Client;

beforeAll(async () => {
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  running = await startOrchestrator({
    ...ADMIN_SETTINGS,
    ...PATIENT,
    WORKERS: '2',
    REDIS_URL: redis.url,
    DATABASE_URL: postgres.url,
  });
  await eventually(async () => {
    admin = await adminOf(running.url);
    return (await workers()).workersReady === 2;
  }, 30_000);
}, 60_000);
afterAll(async () => {
  await Promise.all([running.program.stop(), database.end()]);
  await Promise.all([postgres.stop(), redis.stop()]);
});

async function workers(): Promise<Workers> {
  const answer = await fetch(`${running.url}/admin/workers`, { headers: admin.bearer });
  return (await answer.json()) as Workers;
}

/**
 * Asks again and again, each time over a new connection, until it is stopped.
 *
 * @returns what ends it, and has how each was answered; of a refusal, why, too
 */
function keepAsking(headers: Record<string, string>): () => Promise<string[]> {
  const answers: string[] = [];
  const over = new AbortController();
  const asking = (async () => {
    while (!over.signal.aborted) {
      const answer = await fetch(`${running.url}/api/v2/me`, {
        headers: { ...headers, connection: 'close' },
      });
      const body = await answer.text();
      answers.push(answer.ok ? String(answer.status) : `${answer.status} ${body}`);
    }
  })();
  return async () => {
    over.abort();
    await asking;
    return answers;
  };
}

describe('several workers', () => {
  it('share accounts, sign-ins and what is kept of searches', async () => {
    const ada = await accountOf(running.url);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        fetch(`${running.url}/api/v2/search?q=express`, { headers: { ...ada.bearer, connection: 'close' } }),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const made = answers.filter(({ headers }) => headers.get('cache-status')?.endsWith('stored'));
    expect(made).toHaveLength(1);
  });

  it('let sockets of long-polling reach the worker that has them', async () => {
    const { authorization = '' } = await guestOf(running.url);
    const socket = io(running.url, {
      transports: ['polling'],
      forceNew: true,
      auth: { token: authorization.replace('Bearer ', '') },
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('connected', () => resolve());
      socket.once('connect_error', reject);
    });
    const complete = new Promise((resolve) => socket.once('search_complete', resolve));
    await socket.emitWithAck('search', { q: 'express' });
    expect(await complete).toMatchObject({ query: 'express', source: 'embedded' });
    socket.disconnect();
  });

  it('are counted together', async () => {
    const count = async (): Promise<number> => {
      const text = await (await fetch(`${running.url}/metrics`)).text();
      return [...text.matchAll(/^http_requests_total\{.*route="\/livez".*\} (\d+)$/gm)].reduce(
        (sum, [, value]) => sum + Number(value),
        0,
      );
    };
    const before = await count();
    for (let i = 0; i < 10; i += 1) await fetch(`${running.url}/livez`, { headers: { connection: 'close' } });
    expect((await count()) - before).toBe(10);
  });

  it('show since when they are there, and how many limits of one process there are', async () => {
    const text = await (await fetch(`${running.url}/metrics`)).text();
    expect(text).toMatch(/^process_start_time_seconds \d+$/m);
    expect(text).toMatch(/^signalbox_memory_limit_bytes \d+$/m);
    expect(text).toMatch(/^signalbox_workers 2$/m);
  });

  it('are replaced by an admin without a failed request', async () => {
    const ada = await accountOf(running.url);
    const before = (await workers()).workers.map(({ pid }) => pid);
    const stop = keepAsking(ada.bearer);
    const reloaded = await fetch(`${running.url}/admin/workers/reload`, {
      method: 'POST',
      headers: admin.bearer,
    });
    // It may not be decided yet when the request's time is nearly up.
    expect([
      [200, 'done'],
      [202, 'under_way'],
    ]).toContainEqual([reloaded.status, ((await reloaded.json()) as { outcome: string }).outcome]);
    await eventually(async () => {
      const { workers: now } = await workers();
      return now.length === 2 && now.every(({ pid, state }) => state === 'ready' && !before.includes(pid));
    }, 30_000);
    const answers = await stop();
    expect(answers.length).toBeGreaterThan(10);
    expect(new Set(answers)).toEqual(new Set(['200']));
    const { rows } = await database.query(`select user_id from audit_log where event = 'workers_reloaded'`);
    expect(rows).toEqual([{ user_id: admin.id }]);
  }, 60_000);

  it('go on when one of them is killed, which is replaced', async () => {
    const [victim] = (await workers()).workers;
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await eventually(async () => {
      const {
        failures,
        workersReady,
        workers: now,
      } = await workers().catch(() => ({
        failures: 0,
        workersReady: 0,
        workers: [],
      }));
      return failures === 1 && workersReady === 2 && now.every(({ pid }) => pid !== victim?.pid);
    }, 30_000);
  }, 60_000);

  it('are refused without what they would have to share', async () => {
    const program = await runOrchestrator({ WORKERS: '2' });
    expect(await program.exited).toMatchObject({ code: 78 });
    expect(program.output()).toContain('WORKERS must be 1 where REDIS_URL or DATABASE_URL is not set');
  });
});

describe('signalbox start', { timeout: 60_000 }, () => {
  /** Runs the command with the orchestrator, in a folder of its own. */
  async function start(workers: string, env: Record<string, string> = {}): Promise<Program> {
    const folder = temporaryFolder('start');
    const program = await startProgram(
      process.execPath,
      [SIGNALBOX, 'start', MAIN, '--workers', workers, '--bind', '127.0.0.1:0'],
      { name: 'signalbox start', cwd: folder.path, env: { NODE_ENV: 'test', ...env } },
    );
    onTestFinished(async () => {
      await program.kill();
      folder.remove();
    });
    return program;
  }

  const NOT_STARTED =
    /^signalbox: the program does not start: worker \d exited with code 78 before it listened$/m;

  it.each<Record<string, string>>([{}, { WORKERS: '1', SECRET_KEYS: 'x'.repeat(32) }])(
    'refuses several workers without what they would have to share: %o',
    async (env) => {
      const program = await start('2', env);
      expect(await program.exited).toMatchObject({ code: 9 });
      expect(program.stderr()).toContain('WORKERS must be 1 where REDIS_URL or DATABASE_URL is not set');
      expect(program.stderr()).toMatch(NOT_STARTED);
    },
  );

  it('refuses several workers that would make up a secret each', async () => {
    const shared = { REDIS_URL: redis.url, DATABASE_URL: postgres.url };
    const program = await start('2', shared);
    expect(await program.exited).toMatchObject({ code: 9 });
    expect(program.stderr()).toContain('SECRET_KEYS must be set where WORKERS is above 1');
    expect(program.stderr()).toMatch(NOT_STARTED);

    const secretKeys = 'q8Zr3vT6xWk0pLr5mN2bVc9sDf4gHj7k';
    await (await start('2', { ...shared, SECRET_KEYS: secretKeys })).waitFor(/2 workers serve/, 40_000);
  });

  it('needs nothing of it for one worker, whatever WORKERS says', async () => {
    await (await start('1', { WORKERS: '4' })).waitFor(/1 workers serve/, 40_000);
  });
});
