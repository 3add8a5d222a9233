import { AsyncLocalStorage } from 'node:async_hooks';
import {
  refuseUnknownOptions,
  requireMilliseconds,
  requireObject,
  requireText,
  wrongOption,
} from '@signalbox/options';
import { Call, type CallOptions, type Desk } from './call.js';
import type { QueryOptions, QueryResult } from './database.js';
import type { Driver, Session } from './driver.js';
import { PostgresUnavailableError, TransactionMisuseError } from './errors.js';
import { isServerError, unavailable } from './failure.js';
import { createWatch } from './watch.js';

/** What drivers give for a statement. */
export interface StatementResult extends QueryResult<unknown> {
  /** The first word of what was done: a COMMIT that could not be is a ROLLBACK. */
  readonly command?: string | undefined;
}

/** The work of a transaction, while it runs. */
export interface Inside {
  readonly database: string;
  isOver: boolean;
}

/** In which transaction the program is. */
export const inside: AsyncLocalStorage<Inside> = new AsyncLocalStorage();

/** Runs a statement on a connection that is held. */
export type RunStatement = (
  session: Session,
  text: string,
  values?: readonly unknown[],
  options?: CallOptions,
) => Promise<StatementResult>;

/** All that is asked of one database goes through here. */
export interface Statements {
  /** Runs a statement on a connection of its own. */
  query: (text: string, values?: readonly unknown[], options?: QueryOptions) => Promise<never>;
  /** Takes a connection for several. */
  acquire(options: CallOptions): Promise<Session>;
  /** Runs a statement on such a connection. */
  run: RunStatement;
  /** Runs statements that take as long as they take. */
  runPatiently: RunStatement;
  /** What ends when the request does, or `signal` says so; `ended` rejects then. */
  hold(signal: AbortSignal | undefined): { call: Call; ended: Promise<never> };
  /** Waits for what is under way. */
  drained(): Promise<void>;
}

export function createStatements(
  name: string,
  limits: { connectMs: number; statementMs: number },
  driver: Driver,
  report: (call: Call, error: unknown) => void,
  changed: () => void,
): Statements {
  let open = 0;
  let whenDrained: (() => void) | undefined;

  const watch = createWatch({
    aborted: (call, signal) => call.giveUp(signal.reason),
    expired: (call) => call.giveUp(driver.tooLate(call)),
    suspicious: () => driver.suspicious(),
    isHopeless: (call) => driver.isSilentSince(call.startedAt),
  });

  function settled(call: Call, error: unknown): void {
    watch.remove(call);
    open -= 1;
    if (open === 0) whenDrained?.();
    if (call.kind !== 'hold') report(call, error);
  }
  const desk: Desk = { ...limits, settled };
  const patientDesk: Desk = { connectMs: limits.connectMs, statementMs: Infinity, settled };

  /** Why it is not even tried. */
  function refusal(call: Call, options: CallOptions | undefined): unknown {
    if (options?.signal?.aborted === true) return options.signal.reason;
    const refused = call.kind === 'held' ? undefined : driver.refusal();
    if (refused !== undefined) return refused;
    if (call.limitAt > call.startedAt) return undefined;
    return unavailable(name, 'timeout', "the request's deadline is over");
  }

  function begin(call: Call, options: CallOptions | undefined, reject: (error: unknown) => void): boolean {
    const refused = refusal(call, options);
    if (refused !== undefined) {
      call.isSettled = true;
      reject(refused);
      return false;
    }
    open += 1;
    watch.add(call);
    changed();
    return true;
  }

  function runFor(whose: Desk): RunStatement {
    return (session, text, values, options) =>
      new Promise<StatementResult>((resolve, reject) => {
        const call = new Call(whose, text, values, { kind: 'held', ...options }, resolve, reject);
        if (begin(call, options, reject)) session.submit(call);
      }).catch(restack);
  }

  function explain(error: unknown): never {
    const around = inside.getStore();
    const isPool = error instanceof PostgresUnavailableError && error.reason === 'pool';
    if (isPool && around?.database === name && !around.isOver) {
      const hint = 'this is inside a transaction, whose own tx.query() needs no other connection';
      throw unavailable(name, 'pool', `all connections were busy for too long; ${hint}`, error);
    }
    return restack(error);
  }

  return {
    query: (text, values, options) =>
      new Promise<never>((resolve, reject) => {
        checkQuery(text, values, options);
        if (driver.isSingle) refuseInside(name);
        const call = new Call(desk, text, values, options, resolve, reject);
        if (begin(call, options, reject)) driver.submit(call);
      }).catch(explain),
    acquire: (options) =>
      new Promise<Session>((resolve, reject) => {
        if (driver.isSingle) refuseInside(name);
        const call = new Call(desk, '', undefined, { ...options, kind: 'hold' }, resolve, reject);
        if (begin(call, options, reject)) driver.acquire(call);
      }).catch(explain),
    run: runFor(desk),
    runPatiently: runFor(patientDesk),
    hold(signal) {
      let call: Call | undefined;
      const ended = new Promise<never>((resolve, reject) => {
        call = new Call(desk, '', undefined, { signal, kind: 'hold' }, resolve, reject);
        call.hold();
        open += 1;
        watch.add(call);
      });
      // Nobody may be listening at the moment.
      ended.catch(() => undefined);
      return { call: call as Call, ended };
    },
    drained() {
      if (open === 0) return Promise.resolve();
      return new Promise((resolve) => {
        whenDrained = resolve;
      });
    },
  };
}

/** With one connection, what is asked beside a transaction waits for its end, which waits for the answer. */
function refuseInside(name: string): void {
  const around = inside.getStore();
  if (around?.database !== name || around.isOver) return;
  throw new TransactionMisuseError(
    `postgres "${name}" has one connection, which this transaction holds: use the transaction's own tx.query()`,
  );
}

/** The stack of an answer ends where the network was read; a new one leads to whoever asked. */
function restack(error: unknown): never {
  if (isServerError(error)) Error.captureStackTrace(error, restack);
  throw error;
}

const QUERY_OPTIONS: readonly (keyof QueryOptions)[] = ['signal', 'timeoutMs', 'name'];

/** @throws {TypeError} when it is not what `query()` takes */
export function checkQuery(text: unknown, values: unknown, options: QueryOptions | undefined): void {
  if (typeof text !== 'string' || text === '') throw wrongOption('query', 'text', 'a statement', text);
  if (values !== undefined && !Array.isArray(values)) throw wrongOption('query', 'values', 'a list', values);
  if (options === undefined) return;
  requireObject('query', 'options', options);
  refuseUnknownOptions('query', options, QUERY_OPTIONS);
  const { signal, timeoutMs, name } = options;
  if (timeoutMs !== undefined) requireMilliseconds('query', 'timeoutMs', timeoutMs);
  if (name !== undefined) requireText('query', 'name', name);
  checkSignal('query', signal);
}

/** @throws {TypeError} when it is no signal */
export function checkSignal(owner: string, signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw wrongOption(owner, 'signal', 'an AbortSignal', signal);
}
