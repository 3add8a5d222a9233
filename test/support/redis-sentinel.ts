import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './keeper.js';
import { onFreePort } from './ports.js';
import { startProgram, waitUntil, type Program } from './program.js';
import { answersPing, redisCommand, startRedis, type RedisServer } from './redis.js';
import { requireProgram } from './system-packages.js';

export interface SentinelOptions {
  /** @default 1 */
  replicas?: number | undefined;
  /** @default 3 */
  sentinels?: number | undefined;
  /**
   * What the sentinels call the group.
   * @default 'main'
   */
  name?: string | undefined;
  /**
   * How long a primary is silent before it counts as down, in milliseconds.
   * @default 500
   */
  downAfterMs?: number | undefined;
}

/** A primary, its replicas, and the sentinels that watch them. */
export interface SentinelGroup {
  readonly name: string;
  readonly sentinels: readonly { host: '127.0.0.1'; port: number }[];
  /** `redis+sentinel://127.0.0.1:PORT,…/name` */
  readonly url: string;
  /** All data servers: the first primary, then its replicas. */
  readonly servers: readonly RedisServer[];
  /** The port of the primary, as the sentinels see it now. */
  primaryPort(): Promise<number>;
  /** Kills the primary and waits until the sentinels have put another in its place; returns that one's port. */
  failover(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts Redis with Sentinel on free ports. */
export async function startSentinel(options: SentinelOptions = {}): Promise<SentinelGroup> {
  const { replicas = 1, sentinels = 3, name = 'main', downAfterMs = 500 } = options;
  const servers: RedisServer[] = [];
  const watchers: Watcher[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all([...watchers, ...servers].map((started) => started.stop()));
  };

  try {
    const primary = await startRedis();
    servers.push(primary);
    const replica = ['--replicaof', '127.0.0.1', String(primary.port), '--repl-diskless-sync-delay', '0'];
    for (let i = 0; i < replicas; i++) servers.push(await startRedis({ args: replica }));
    for (let i = 0; i < sentinels; i++) {
      const quorum = Math.floor(sentinels / 2) + 1;
      watchers.push(await startWatcher(name, primary.port, quorum, downAfterMs));
    }
    await knowEachOther(watchers, name, replicas);
  } catch (error) {
    await stop();
    throw error;
  }

  const addresses = watchers.map(({ port }) => ({ host: '127.0.0.1' as const, port }));
  const primaryPort = async (): Promise<number> => {
    const answer = await redisCommand(watchers[0]?.port ?? 0, ['sentinel', 'get-master-addr-by-name', name]);
    return Number(answer.split('\n')[1]);
  };
  return {
    name,
    servers,
    sentinels: addresses,
    url: `redis+sentinel://${addresses.map(({ host, port }) => `${host}:${port}`).join(',')}/${name}`,
    primaryPort,
    async failover() {
      const old = await primaryPort();
      await servers.find((server) => server.port === old)?.kill();
      const moved = await waitUntil(async () => (await primaryPort()) !== old, 20_000);
      if (!moved) throw new Error('The sentinels did not choose another primary within 20 s');
      return primaryPort();
    },
    stop,
  };
}

interface Watcher {
  port: number;
  stop(): Promise<void>;
}

async function startWatcher(
  name: string,
  primary: number,
  quorum: number,
  downAfterMs: number,
): Promise<Watcher> {
  const program = await requireProgram('redis-server');
  return onFreePort(async (port) => {
    const folder = temporaryFolder('sentinel');
    const file = join(folder.path, 'sentinel.conf');
    // A file of its own for each: Sentinel writes to it what it learns.
    writeFileSync(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${folder.path}`,
        `sentinel monitor ${name} 127.0.0.1 ${primary} ${quorum}`,
        `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
        `sentinel failover-timeout ${name} 3000`,
        '',
      ].join('\n'),
    );
    let sentinel: Program;
    try {
      sentinel = await startProgram(program, [file, '--sentinel'], {
        name: 'redis-sentinel',
        ready: () => answersPing(port),
      });
    } catch (error) {
      folder.remove();
      throw error;
    }
    return {
      port,
      async stop() {
        await sentinel.kill();
        folder.remove();
      },
    };
  });
}

/** Only then is a failover possible: every sentinel knows the others and the replicas. */
async function knowEachOther(watchers: readonly Watcher[], name: string, replicas: number): Promise<void> {
  const ready = await waitUntil(async () => {
    const states = await Promise.all(
      watchers.map(({ port }) => redisCommand(port, ['sentinel', 'master', name])),
    );
    return states.every((state) => {
      const words = state.split('\n');
      const value = (key: string): number => Number(words[words.indexOf(key) + 1]);
      return value('num-slaves') === replicas && value('num-other-sentinels') === watchers.length - 1;
    });
  }, 20_000);
  if (!ready) throw new Error('The sentinels did not find each other and the replicas within 20 s');
}
