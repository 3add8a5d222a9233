import { within } from '@signalbox/context';
import type { Call } from './call.js';
import { cancelStatement } from './cancel.js';
import type { DatabaseState } from './database.js';
import { createSession, type Driver } from './driver.js';
import type { PostgresUnavailableError } from './errors.js';
import { connectFailure, statementFailure, unavailable } from './failure.js';
import { createGuard } from './guard.js';
import type {
  PgCallback,
  PgClient,
  PgModule,
  PgPool,
  PgPoolClient,
  PgResult,
  PoolSettings,
} from './pg-types.js';
import { watchPool, type ConnectionNotes } from './pool-watch.js';
import { probeServer } from './probe.js';
import type { PostgresSettings } from './options.js';
import { publishBreaker } from './report.js';

/** How long a cancelled statement may take to end before its connection is given up, in milliseconds. */
const CANCEL_GRACE_MS = 2_000;

/** How soon to ask again for a connection that the server had no place for, in milliseconds. */
const FULL_PAUSE_MS = 50;

type Use = (client: PgClient, notes: ConnectionNotes, release: (isBroken?: boolean) => void) => void;

/** A pool, and what is to be known of it. */
export interface DrivenPool {
  readonly pool: PgPool;
  /** Whether the pool was made here, and ends with the driver. */
  readonly isOwn: boolean;
  /** Ends what has not got further than connecting. */
  readonly cutOff: () => void;
}

/**
 * Answers calls with the connections of a pool.
 *
 * @param changed hears that connections came, went or are used
 */
export function createPoolDriver(
  pg: PgModule,
  { pool, isOwn, cutOff }: DrivenPool,
  settings: PostgresSettings,
  changed: () => void,
): Driver {
  const { name } = settings;
  const poolSettings = pool.options as PoolSettings;
  let hasConnected = false;
  let isClosed = false;

  const guard = createGuard(settings, {
    async probe() {
      await probeServer(pg, pool, name);
      hasConnected = true;
    },
    changed(isOpen) {
      if (isOpen) cutOff();
      publishBreaker(name, isOpen);
    },
  });
  const clients = watchPool(pool, isOwn, changed, (error) => guard.failed(connectFailure(name, error)));

  function withClient(call: Call, use: Use): void {
    pool.connect((error, pooled, release) => {
      if (error) return connectFailed(call, error, use);
      const client = pooled as PgClient;
      const notes = clients.mind(client);
      if (call.isSettled) return release();
      // What was open when the server fell silent may be dead without anybody having been told.
      if (notes.usedAt < guard.silentAt) {
        release(true);
        return withClient(call, use);
      }
      use(client, notes, release);
    });
  }

  function connectFailed(call: Call, error: Error, use: Use): void {
    const failure = connectFailure(name, error);
    const isFull = failure.reason === 'connections';
    if (failure.reason === 'pool') guard.suspect();
    else if (!isFull && failure.reason !== 'closed') guard.failed(failure);
    if (!isFull || pool.totalCount === 0) {
      call.fail(failure);
      return;
    }
    // Connections of our own are under way, and will be free: the pool would rather have a new one.
    call.lastFailure = failure;
    const again = (): void => {
      if (!call.isSettled) withClient(call, use);
    };
    setTimeout(again, FULL_PAUSE_MS * (0.5 + Math.random())).unref();
  }

  function run(
    client: PgClient,
    notes: ConnectionNotes,
    call: Call,
    ended: (isBroken: boolean) => void,
  ): void {
    call.begin();
    const { text, name: prepared, isScript } = call;
    const values = isScript ? undefined : (call.values as unknown[] | undefined);
    let whenAnswered: ((isBroken: boolean) => void) | undefined;

    call.abandon = () => {
      const answered = new Promise<boolean>((resolve) => {
        whenAnswered = resolve;
      });
      void settleCancelled(pg, poolSettings, client, answered).then((isUsable) => ended(!isUsable));
    };

    const answered: PgCallback = (error, result) => {
      const failure = error ? statementFailure(name, error) : undefined;
      const isBroken = failure?.isBroken === true || (call.kind === 'alone' && !failure && isInside(client));
      if (failure === undefined || !isBroken) {
        hasConnected = true;
        notes.usedAt = call.sentAt;
        guard.heard();
      } else {
        hear(failure.error);
      }
      if (whenAnswered !== undefined) {
        whenAnswered(isBroken);
        return;
      }
      ended(isBroken);
      if (failure === undefined) succeed(call, result);
      else call.fail(failure.error);
    };
    // Of an object pg makes a copy first.
    if (prepared === undefined) client.query(text, values, answered);
    else client.query({ text, values, name: prepared }, answered);
  }

  function hear(error: Error): void {
    const { reason } = error as Partial<PostgresUnavailableError>;
    if (reason === 'down' || reason === 'starting') guard.failed(error as PostgresUnavailableError);
  }

  return {
    isSingle: false,
    get state(): DatabaseState {
      if (isClosed) return 'closed';
      if (guard.isOpen) return 'down';
      if (hasConnected) return 'up';
      return guard.lastFailure === undefined ? 'connecting' : 'down';
    },
    refusal() {
      if (isClosed) return unavailable(name, 'closed');
      return guard.isOpen ? unavailable(name, 'breaker', undefined, guard.lastFailure) : undefined;
    },
    submit(call) {
      withClient(call, (client, notes, release) => run(client, notes, call, release));
    },
    acquire(call) {
      withClient(call, (client, notes, release) => {
        call.succeed(createSession((statement, ended) => run(client, notes, statement, ended), release));
      });
    },
    tooLate(call) {
      guard.suspect();
      if (call.sentAt !== 0 || call.kind === 'held') return unavailable(name, 'timeout');
      if (call.lastFailure !== undefined) return call.lastFailure as PostgresUnavailableError;
      const isFull = pool.totalCount >= poolSettings.max && clients.areConnected();
      return unavailable(name, isFull ? 'pool' : 'timeout');
    },
    suspicious: guard.suspect,
    isSilentSince: (at) => guard.isOpen && guard.silentAt > at,
    stats: () => ({
      max: poolSettings.max,
      size: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
    }),
    refuse() {
      isClosed = true;
    },
    async close() {
      isClosed = true;
      guard.close();
      await clients.close();
    },
  };
}

/** Resolves to whether the connection can be used again. */
async function settleCancelled(
  pg: PgModule,
  settings: PoolSettings,
  client: PgClient,
  answered: Promise<boolean>,
): Promise<boolean> {
  const cancelled = cancelStatement(pg, settings, client).then(
    () => true,
    () => false,
  );
  const settled = Promise.all([answered, cancelled]).then(
    ([isBroken, isCancelled]) => !isBroken && isCancelled,
  );
  return within(CANCEL_GRACE_MS, settled, () => false);
}

/** Whether somebody has sent a BEGIN as a statement of its own: what comes next must not be part of it. */
function isInside(client: PgClient & PgPoolClient): boolean {
  const status = client.getTransactionStatus?.();
  return status === 'T' || status === 'E';
}

function succeed(call: Call, result: PgResult | PgResult[]): void {
  // Of several statements in one text, the last.
  const last = Array.isArray(result) ? result.at(-1) : result;
  const rows = last?.rows ?? [];
  call.answer(rows, last?.rowCount ?? 0, last?.command);
}
