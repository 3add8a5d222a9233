import { currentRequest } from '@signalbox/context';
import {
  refuseUnknownOptions,
  requireInteger,
  requireObject,
  requireOneOf,
  wrongOption,
} from '@signalbox/options';
import type { IsolationLevel, TransactionOptions } from './database.js';
import { pause } from './pause.js';
import type { DatabaseSettings } from './options.js';
import { warnOfLeak } from './report.js';
import { checkSignal, inside, type Inside, type Statements } from './statements.js';
import { PostgresUnavailableError, TransactionMisuseError } from './errors.js';
import { TransactionScope, type Work } from './transaction-scope.js';

/** How long a ROLLBACK may take until the connection is given up instead, in milliseconds. */
const ROLLBACK_MS = 5_000;

const FIRST_BACKOFF_MS = 10;
const MAX_BACKOFF_MS = 1_000;

const LEVELS: readonly IsolationLevel[] = ['read committed', 'repeatable read', 'serializable'];

/** Makes the function that does work in a transaction, and again after a conflict. */
export function createTransactions(settings: DatabaseSettings, statements: Statements) {
  return async function transaction<T>(work: Work<T>, options: TransactionOptions = {}): Promise<T> {
    checkTransaction(work, options);
    const { isolation, retries = 3, signal } = options;
    const begin = isolation === undefined ? 'BEGIN' : `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()}`;
    const taken: { stack?: string } = {};
    Error.captureStackTrace(taken, transaction);

    for (let attempt = 0; ; attempt += 1) {
      try {
        return await attemptOnce(settings, statements, { work, begin, signal, taken });
      } catch (error) {
        if (attempt >= retries || !isConflict(error)) throw error;
        const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** attempt, MAX_BACKOFF_MS);
        // Those who met each other shall not do so again.
        await pause(backoffMs * (0.5 + Math.random()), signal);
      }
    }
  };
}

interface Attempt<T> {
  readonly work: Work<T>;
  readonly begin: string;
  readonly signal: AbortSignal | undefined;
  readonly taken: { stack?: string };
}

async function attemptOnce<T>(
  settings: DatabaseSettings,
  statements: Statements,
  { work, begin, signal, taken }: Attempt<T>,
): Promise<T> {
  const session = await statements.acquire({ signal });
  const { call: hold, ended } = statements.hold(signal);
  const tx = new TransactionScope(statements, session, settings.name);
  const stopWatching = watchHolder(settings, tx, taken, (error) => hold.giveUp(error));
  const around: Inside = { database: settings.name, isOver: false };
  let isCommitting = false;

  try {
    await tx.run(begin, { signal });
    const result = await Promise.race([inside.run(around, callWork, work, tx), ended]);
    tx.end(undefined);
    hold.succeed(undefined);
    isCommitting = true;
    // Behind whatever was asked and not waited for.
    const { command } = await statements.run(session, 'COMMIT', undefined, { follows: 'deadline' });
    if (command === 'ROLLBACK') throw swallowed(tx.lastFailure);
    session.release(false);
    return result;
  } catch (error) {
    const wasGivenUp = hold.isSettled;
    tx.end(wasGivenUp ? error : undefined);
    // A COMMIT that was answered has ended it, whatever the answer. One for which no time was left was never sent.
    if (isCommitting && !(error instanceof PostgresUnavailableError)) {
      session.release(false);
      throw error;
    }
    if (wasGivenUp) session.giveUp(error);
    const undone = statements
      .run(session, 'ROLLBACK', undefined, { follows: 'nothing', timeoutMs: ROLLBACK_MS })
      .then(
        () => session.release(false),
        () => session.release(true),
      );
    // Who has given up does not wait for what the server makes of it.
    if (!wasGivenUp) await undone;
    throw error;
  } finally {
    around.isOver = true;
    stopWatching();
    hold.succeed(undefined);
  }
}

async function callWork<T>(work: Work<T>, tx: TransactionScope): Promise<T> {
  return work(tx);
}

function swallowed(cause: unknown): TransactionMisuseError {
  const words =
    'the transaction was rolled back, since a statement in it had failed whose error was not passed on';
  return new TransactionMisuseError(words, cause);
}

/** Says when a connection is held for long, and ends what does nothing with it. */
function watchHolder(
  settings: DatabaseSettings,
  tx: TransactionScope,
  taken: { stack?: string },
  end: (error: Error) => void,
): () => void {
  const { leakWarningMs, idleTransactionMs } = settings;
  const scope = currentRequest();
  const startedAt = performance.now();
  const warn = (): void => {
    const takenAt = (taken.stack ?? '').split('\n').slice(1).join('\n');
    warnOfLeak(settings, scope, performance.now() - startedAt, takenAt);
  };
  const leakTimer = leakWarningMs === 0 ? undefined : setTimeout(warn, leakWarningMs).unref();

  let idleTimer: NodeJS.Timeout | undefined;
  const lookAgainIn = (ms: number): void => {
    idleTimer = setTimeout(lookForIdleness, ms);
  };
  function lookForIdleness(): void {
    const leftMs = idleTransactionMs - tx.idleMs();
    if (leftMs > 0) return lookAgainIn(leftMs);
    end(
      new TransactionMisuseError(
        `the transaction did nothing for ${idleTransactionMs} ms and was rolled back`,
      ),
    );
  }
  if (idleTransactionMs !== 0) lookAgainIn(idleTransactionMs);

  return () => {
    clearTimeout(leakTimer);
    clearTimeout(idleTimer);
  };
}

/** How far to look for what an app's error was caused by. */
const MAX_CAUSES = 5;

/** Whether doing it again may help: serialization_failure, deadlock_detected. */
function isConflict(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth += 1) {
    if ('code' in cause && (cause.code === '40001' || cause.code === '40P01')) return true;
    ({ cause } = cause);
  }
  return false;
}

function checkTransaction(work: unknown, options: TransactionOptions): void {
  if (typeof work !== 'function') throw wrongOption('transaction', 'work', 'a function', work);
  requireObject('transaction', 'options', options);
  refuseUnknownOptions('transaction', options, ['isolation', 'retries', 'signal']);
  const { isolation, retries, signal } = options;
  if (isolation !== undefined) requireOneOf('transaction', 'isolation', isolation, LEVELS);
  if (retries !== undefined) requireInteger('transaction', 'retries', retries, 0, 100);
  checkSignal('transaction', signal);
}
