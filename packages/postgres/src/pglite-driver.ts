import type { Call } from './call.js';
import type { DatabaseState } from './database.js';
import { createSession, type Driver } from './driver.js';
import { statementFailure, unavailable } from './failure.js';
import { askPglite, type Pglite } from './pglite.js';

/** How soon another attempt is made to open what could not be opened, in milliseconds. */
const RETRY_MS = 1_000;

/** What waits for the connection, and gives it back when it is done. */
interface Waiter {
  readonly call: Call;
  use(pglite: Pglite, release: () => void): void;
}

/**
 * Answers calls with an embedded Postgres, which has one connection: they wait in order, and a transaction has it
 * for itself.
 *
 * @param open opens the database
 * @param closed is called when it is closed
 */
export function createPgliteDriver(
  name: string,
  open: () => Promise<Pglite>,
  changed: () => void,
  closed: () => Promise<void>,
): Driver {
  const waiters: Waiter[] = [];
  let pglite: Pglite | undefined;
  let failure: Error | undefined;
  let opening: Promise<void> | undefined;
  let failedAt = -Infinity;
  let isBusy = false;
  let isClosed = false;

  function load(): void {
    if (opening !== undefined || performance.now() - failedAt < RETRY_MS) return;
    opening = open()
      .then(
        (opened) => {
          pglite = opened;
          failure = undefined;
        },
        (error: unknown) => {
          failure = error instanceof Error ? error : new Error(String(error));
          failedAt = performance.now();
        },
      )
      .then(() => {
        opening = undefined;
        pump();
      });
  }

  function pump(): void {
    if (isBusy) return;
    if (pglite === undefined && failure === undefined) return;
    const waiter = waiters.shift();
    changed();
    if (waiter === undefined) return;
    const { call } = waiter;
    if (pglite === undefined) {
      call.fail(unavailable(name, 'down', `it could not be opened: ${failure?.message ?? ''}`, failure));
      pump();
    } else if (call.isSettled) {
      pump();
    } else {
      isBusy = true;
      waiter.use(pglite, release);
    }
  }

  function release(): void {
    isBusy = false;
    // Nobody gets ahead of those who wait, and nobody's stack grows with their number.
    setImmediate(pump);
    changed();
  }

  function wait(waiter: Waiter): void {
    waiters.push(waiter);
    if (pglite === undefined) load();
    pump();
  }

  function run(db: Pglite, call: Call, ended: (isBroken: boolean) => void): void {
    call.begin();
    askPglite(db, call.text, call.values, call.isScript).then(
      ({ rows, rowCount, command }) => {
        ended(false);
        call.answer(rows, rowCount, command);
      },
      (error: unknown) => {
        ended(false);
        call.fail(statementFailure(name, error).error);
      },
    );
  }

  /** As a pool would drop a connection that comes back inside a transaction. */
  async function leaveTransaction(db: Pglite): Promise<void> {
    await db.exec('ROLLBACK').catch(() => undefined);
  }

  load();
  return {
    isSingle: true,
    get state(): DatabaseState {
      if (isClosed) return 'closed';
      if (pglite !== undefined) return 'up';
      return failure === undefined ? 'connecting' : 'down';
    },
    refusal: () => (isClosed ? unavailable(name, 'closed') : undefined),
    submit(call) {
      wait({
        call,
        use(db, free) {
          const mayBegin = OPENS_TRANSACTION.test(call.text);
          run(db, call, () => {
            if (mayBegin) void leaveTransaction(db).then(free);
            else free();
          });
        },
      });
    },
    acquire(call) {
      wait({
        call,
        use(db, free) {
          const session = createSession(
            (statement, ended) => run(db, statement, ended),
            (isBroken) => {
              if (isBroken) void leaveTransaction(db).then(free);
              else free();
            },
          );
          call.succeed(session);
        },
      });
    },
    tooLate(call) {
      if (call.sentAt !== 0 || call.kind === 'held') return unavailable(name, 'timeout');
      if (pglite === undefined) return unavailable(name, 'starting', 'the embedded Postgres is starting');
      return unavailable(name, 'pool', 'the one connection was busy for too long');
    },
    suspicious: () => undefined,
    isSilentSince: () => false,
    stats() {
      const size = pglite === undefined ? 0 : 1;
      return { max: 1, size, idle: isBusy ? 0 : size, waiting: waiters.length };
    },
    refuse() {
      isClosed = true;
    },
    async close() {
      isClosed = true;
      await opening;
      for (const { call } of waiters.splice(0)) call.fail(unavailable(name, 'closed'));
      await pglite?.close().catch(() => undefined);
      await closed();
    },
  };
}

const OPENS_TRANSACTION = /\b(begin|start\s+transaction)\b/i;
