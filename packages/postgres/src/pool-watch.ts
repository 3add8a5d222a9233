import { within } from '@signalbox/context';
import type { PgClient, PgPool, PgPoolClient } from './pg-types.js';

/** What is known of a connection. */
export interface ConnectionNotes {
  /** When the last statement was sent that the server answered; `Infinity` for one that is new. */
  usedAt: number;
}

/** What is known of the connections of a pool. */
export interface PoolWatch {
  /** What is known of a connection. Sees to it that no error of it ends the process. */
  mind(client: PgPoolClient): ConnectionNotes;
  /** Whether every connection that is counted has been made. */
  areConnected(): boolean;
  /** Ends the pool if it is ours; whatever is still open after a moment is cut off. */
  close(): Promise<void>;
}

const EVENTS = ['acquire', 'release', 'connect', 'remove'] as const;

/** How long connections have for a goodbye, in milliseconds. */
const GOODBYE_MS = 500;

/** Follows a pool. Its errors end here: an `error` event without a listener would end the process. */
export function watchPool(
  pool: PgPool,
  isOwn: boolean,
  changed: () => void,
  broken: (error: Error) => void,
): PoolWatch {
  const minded = new WeakMap<PgPoolClient, ConnectionNotes>();
  const open = new Set<PgClient>();
  let isClosed = false;

  function mind(pooled: PgPoolClient): ConnectionNotes {
    const known = minded.get(pooled);
    if (known !== undefined) return known;
    const client = pooled as PgClient;
    const made: ConnectionNotes = { usedAt: Infinity };
    minded.set(client, made);
    // The statement under way, if there is one, fails as well, and says why.
    client.on('error', () => undefined);
    open.add(client);
    client.once('end', () => open.delete(client));
    return made;
  }
  const onError = (error: Error): void => {
    if (!isClosed) broken(error);
  };
  const onConnect = (client: PgPoolClient): void => void mind(client);
  pool.on('error', onError);
  pool.on('connect', onConnect);
  for (const event of EVENTS) pool.on(event, changed);

  return {
    mind,
    areConnected: () => open.size >= pool.totalCount,
    async close() {
      if (isClosed) return;
      isClosed = true;
      pool.removeListener('connect', onConnect);
      for (const event of EVENTS) pool.removeListener(event, changed);
      // What the pool still says must find a listener: one that was handed in keeps ours.
      if (!isOwn) return;
      const ended = pool.end().catch(() => undefined);
      await within(GOODBYE_MS, ended, () => undefined);
      await within(GOODBYE_MS, untilEmpty(open), () => undefined);
      for (const client of open) client.connection?.stream.destroy();
    },
  };
}

async function untilEmpty(open: ReadonlySet<PgClient>): Promise<void> {
  await Promise.all(
    Array.from(open, (client) => new Promise<void>((resolve) => client.once('end', resolve))),
  );
}
