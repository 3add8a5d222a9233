import { connectFailure, unavailable } from './failure.js';
import type { PgClient, PgModule, PgPool, PoolSettings } from './pg-types.js';

/** How long a login may take that finds out whether the server is there, in milliseconds. */
const PROBE_MS = 2_000;

/**
 * Logs in as the pool would, and out again.
 *
 * @throws {PostgresUnavailableError} when that cannot be done; not when the server answers that it is full
 */
export async function probeServer(pg: PgModule, pool: PgPool, name: string): Promise<void> {
  const { connectionTimeoutMillis = PROBE_MS, ...settings } = pool.options as PoolSettings;
  // The pool's own class, which may be the native one, or another copy's.
  const Client = clientClass(pool) ?? pg.Client;
  const limitMs = Math.min(PROBE_MS, connectionTimeoutMillis || PROBE_MS);
  let client: PgClient | undefined;
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // What has arrived while the event loop stood still is read first.
      setImmediate(() => reject(unavailable(name, 'timeout', 'no answer to a login')));
    }, limitMs).unref();
  });

  try {
    client = new Client({ ...settings, password: passwordOf(pool), connectionTimeoutMillis: 0 });
    client.on('error', () => undefined);
    const connecting = client.connect();
    connecting.catch(() => undefined);
    await Promise.race([connecting, expiry]);
    client.end().catch(() => undefined);
  } catch (error) {
    client?.connection?.stream.destroy();
    const failure = connectFailure(name, error);
    if (failure.reason !== 'connections') throw failure;
  } finally {
    clearTimeout(timer);
  }
}

/** pg's pool hides it from being copied. */
function passwordOf({ options }: PgPool): PoolSettings['password'] {
  return (options as PoolSettings).password;
}

function clientClass(pool: PgPool): PgModule['Client'] | undefined {
  return 'Client' in pool && typeof pool.Client === 'function'
    ? (pool.Client as PgModule['Client'])
    : undefined;
}
