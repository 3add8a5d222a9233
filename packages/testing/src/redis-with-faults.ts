import { openFaultProxy, type FaultProxy } from './fault-proxy.js';
import { requireKnownOptions } from './known-options.js';
import { ANSWER_TIMEOUT_MS, sendRedisCommand, type SendCommand } from './redis-command.js';
import { redisFaults, type RedisFaults } from './redis-faults.js';
import { startRedisProcess, type RedisSettings } from './redis-process.js';
import { whenTestEnds, type TestContext } from './test-end.js';

/** Options of {@link redisWithFaults}. */
export interface RedisWithFaultsOptions {
  /**
   * The server's program, as a name on the PATH or a path. `valkey-server` will do.
   * @default 'redis-server'
   */
  command?: string | undefined;
  /** The server's own port; by default a free one. */
  port?: number | undefined;
  password?: string | undefined;
  /** More settings, as in redis.conf: `['--maxmemory', '10mb']`. */
  args?: readonly string[] | undefined;
}

/** A Redis of a test's own, behind a proxy. */
export interface RedisWithFaults extends RedisFaults {
  /** Through the proxy: what the code under test is given. */
  readonly url: string;
  /** Past the proxy, for a test that looks into the data while the network is down. */
  readonly directUrl: string;
  /** The server's own port, that of `directUrl`. */
  readonly port: number;
  readonly pid: number;
  readonly proxy: FaultProxy;
  /** How often somebody waited for an answer, through the proxy; questions sent in one write are one. */
  readonly roundTrips: number;
  /** Sets `roundTrips`, and what else the proxy has counted, to 0. */
  readonly resetCounts: () => void;
  /** The server's log. */
  readonly output: () => string;
  /** Sends one command past the proxy. Rejects on an error reply, and when there is no answer within 5 s. */
  readonly command: SendCommand;
}

/**
 * Starts Redis on a free port with nothing on disk, behind a proxy. Both are closed when the running test ends, as
 * `listen` does it; outside a test they stay open, keep no process alive, and are gone when the process is, even
 * when that is killed.
 *
 * @param test the test's own context, needed only where tests of one file run concurrently
 * @throws {TypeError} when an option is wrong
 * @throws when there is no redis-server; the message says how to install it
 *
 * @example
 * const redis = await redisWithFaults();
 * const app = createApp({ redis: new Redis(redis.url) });
 * await redis.stop();
 * await assertNeverHangs(() => visitor.get('/search'), { withinMs: 150 });
 * await redis.heal();
 */
export async function redisWithFaults(
  options: RedisWithFaultsOptions = {},
  test?: TestContext,
): Promise<RedisWithFaults> {
  const settings = resolveOptions(options);
  const server = await startRedisProcess(settings);
  const proxy = await openFaultProxy({ to: server.port }).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  const command: SendCommand = (...words) =>
    sendRedisCommand(server.port, words, { password: settings.password, timeoutMs: ANSWER_TIMEOUT_MS });
  const credentials = settings.password === undefined ? '' : `:${encodeURIComponent(settings.password)}@`;

  const handle: RedisWithFaults = {
    ...redisFaults(server, proxy, command),
    url: `redis://${credentials}${proxy.address}`,
    directUrl: `redis://${credentials}127.0.0.1:${server.port}`,
    port: server.port,
    get pid() {
      return server.pid;
    },
    proxy,
    get roundTrips() {
      return proxy.counts.roundTrips;
    },
    resetCounts: proxy.resetCounts,
    output: server.output,
    command,
  };
  await whenTestEnds(handle.close, test);
  return handle;
}

function resolveOptions(options: RedisWithFaultsOptions): RedisSettings {
  requireKnownOptions('redisWithFaults', options, ['command', 'port', 'password', 'args']);
  const { command = 'redis-server', port, password, args = [] } = options;
  if (!isText(command)) {
    throw new TypeError(
      `redisWithFaults: "command" must be the name or path of a program, got ${JSON.stringify(command)}`,
    );
  }
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw new TypeError(`redisWithFaults: "port" must be an integer from 1 to 65535, got ${String(port)}`);
  }
  if (password !== undefined && !isText(password)) {
    throw new TypeError('redisWithFaults: "password" must be a string that is not empty');
  }
  if (!Array.isArray(args) || args.some((arg) => typeof arg !== 'string')) {
    throw new TypeError(`redisWithFaults: "args" must be a list of strings, got ${JSON.stringify(args)}`);
  }
  return { command, port, password, args };
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
