import type { CallOptions } from './call.js';
import type { QueryOptions, QueryResult, Transaction } from './database.js';
import type { Session } from './driver.js';
import { TransactionMisuseError } from './errors.js';
import { isServerError } from './failure.js';
import { checkQuery, type StatementResult, type Statements } from './statements.js';

/** What is done in a transaction. */
export type Work<T> = (tx: Transaction) => Promise<T>;

/** What a transaction and the savepoints in it have in common. */
interface Life {
  isOver: boolean;
  /** Why it ended before its work did. */
  reason: unknown;
  underWay: number;
  activeAt: number;
  lastFailure: unknown;
}

/** A transaction as its work sees it, or the part of it behind a savepoint. */
export class TransactionScope implements Transaction {
  private readonly statements: Statements;
  private readonly session: Session;
  private readonly database: string;
  private readonly life: Life;
  private readonly depth: number;
  /** Its own end; that of a savepoint comes before the transaction's. */
  private isOver = false;
  private child: TransactionScope | undefined = undefined;

  constructor(statements: Statements, session: Session, database: string, parent?: TransactionScope) {
    this.statements = statements;
    this.session = session;
    this.database = database;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    this.life = parent?.life ?? {
      isOver: false,
      reason: undefined,
      underWay: 0,
      activeAt: performance.now(),
      lastFailure: undefined,
    };
  }

  async query<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<QueryResult<Row>> {
    checkQuery(text, values, options);
    this.requireFree();
    const { rows, rowCount } = await this.run(text, options, values);
    return { rows: rows as Row[], rowCount };
  }

  async transaction<T>(work: Work<T>): Promise<T> {
    this.requireFree();
    const child = new TransactionScope(this.statements, this.session, this.database, this);
    const savepoint = `signalbox_${child.depth}`;
    this.child = child;
    try {
      await this.run(`SAVEPOINT ${savepoint}`);
      try {
        const result = await work(child);
        child.isOver = true;
        await this.run(`RELEASE SAVEPOINT ${savepoint}`).catch(blameSwallowed);
        return result;
      } catch (error) {
        child.isOver = true;
        if (!this.life.isOver) {
          await this.run(`ROLLBACK TO SAVEPOINT ${savepoint}`);
          await this.run(`RELEASE SAVEPOINT ${savepoint}`);
        }
        throw error;
      }
    } finally {
      this.child = undefined;
    }
  }

  /** Runs a statement, also one of the transaction's own. */
  async run(text: string, options?: CallOptions, values?: readonly unknown[]): Promise<StatementResult> {
    const { life } = this;
    if (life.isOver) throw this.overError();
    life.underWay += 1;
    try {
      return await this.statements.run(this.session, text, values, options);
    } catch (error) {
      life.lastFailure = error;
      throw error;
    } finally {
      life.underWay -= 1;
      life.activeAt = performance.now();
    }
  }

  /** Nothing may be asked any more. */
  end(reason: unknown): void {
    this.life.isOver = true;
    this.life.reason ??= reason;
  }

  get lastFailure(): unknown {
    return this.life.lastFailure;
  }

  /** How long nothing has been asked. */
  idleMs(): number {
    return this.life.underWay > 0 ? 0 : performance.now() - this.life.activeAt;
  }

  private requireFree(): void {
    if (this.isOver || this.life.isOver) throw this.overError();
    if (this.child === undefined) return;
    throw new TransactionMisuseError(
      `postgres "${this.database}": a nested transaction is under way; use what its work is called with`,
    );
  }

  private overError(): unknown {
    if (this.life.reason !== undefined) return this.life.reason;
    return new TransactionMisuseError(
      `postgres "${this.database}": the transaction is over; await what it does`,
    );
  }
}

/** in_failed_sql_transaction: something in it failed, and the work went on. */
function blameSwallowed(error: unknown): never {
  if (!isServerError(error) || error.code !== '25P02') throw error;
  const words =
    'the nested transaction is rolled back, since a statement in it had failed whose error was not passed on';
  throw new TransactionMisuseError(words, error);
}
