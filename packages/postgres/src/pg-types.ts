/**
 * pg as it is seen from here. Written out, so that neither those who use this package nor its own types need
 * `@types/pg`, and so that a pool of another copy of pg fits.
 */

/** A pool of pg's, which the user made: `new pg.Pool(…)`. */
export interface PgPool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly options: object;
  connect(
    callback: (
      error: Error | undefined,
      client: PgPoolClient | undefined,
      release: (isBroken?: boolean) => void,
    ) => void,
  ): void;
  end(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'connect', listener: (client: PgPoolClient) => void): unknown;
  on(event: 'acquire' | 'release' | 'connect' | 'remove', listener: () => void): unknown;
  removeListener(event: string, listener: (client: PgPoolClient) => void): unknown;
}

/** A connection of such a pool. */
export interface PgPoolClient {
  release(isBroken?: boolean): void;
}

/** What pg's `new Pool()` takes. */
export interface PostgresConfig {
  connectionString?: string | undefined;
  host?: string | undefined;
  port?: number | undefined;
  user?: string | undefined;
  password?: string | (() => string | Promise<string>) | undefined;
  database?: string | undefined;
  ssl?: boolean | object | undefined;
  sslnegotiation?: 'postgres' | 'direct' | undefined;
  enableChannelBinding?: boolean | undefined;
  application_name?: string | undefined;
  fallback_application_name?: string | undefined;
  options?: string | undefined;
  client_encoding?: string | undefined;
  keepAlive?: boolean | undefined;
  keepAliveInitialDelayMillis?: number | undefined;
  connectionTimeoutMillis?: number | undefined;
  idleTimeoutMillis?: number | null | undefined;
  statement_timeout?: false | number | undefined;
  lock_timeout?: number | undefined;
  query_timeout?: number | undefined;
  idle_in_transaction_session_timeout?: number | undefined;
  max?: number | undefined;
  min?: number | undefined;
  maxUses?: number | undefined;
  maxLifetimeSeconds?: number | undefined;
  allowExitOnIdle?: boolean | undefined;
  types?: object | undefined;
  stream?: (() => unknown) | undefined;
  /** The class of the connections. */
  Client?: unknown;
}

/** Settings of a pool that are read here. */
export interface PoolSettings extends PostgresConfig {
  max: number;
}

export interface PgResult {
  rows: unknown[];
  rowCount: number | null;
  command: string;
}

export type PgCallback = (error: Error | null, result: PgResult | PgResult[]) => void;

/** A `Client` of pg's, as the pool hands it out. What is optional is not in the native client. */
export interface PgClient extends PgPoolClient {
  readonly host: string;
  readonly port: number;
  readonly ssl: boolean | object;
  readonly sslNegotiation?: string | undefined;
  readonly processID?: number | null | undefined;
  readonly secretKey?: number | null | undefined;
  readonly connection?: { readonly stream: { destroy(): unknown } } | undefined;
  /** `I` outside of a transaction. Not in pg before 8.17. */
  getTransactionStatus?(): string | null;
  connect(): Promise<unknown>;
  end(): Promise<void>;
  query(text: string, values: unknown[] | undefined, callback: PgCallback): void;
  query(
    statement: { text: string; values?: unknown[] | undefined; name: string },
    callback: PgCallback,
  ): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  once(event: 'connect' | 'end', listener: () => void): unknown;
}

/** A `Connection` of pg's: the protocol, without anything that logs in. */
export interface PgConnection {
  readonly stream: { destroy(): unknown };
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  on(event: 'connect' | 'sslconnect' | 'error' | 'end', listener: () => void): unknown;
}

/** Of the module `pg`, what is used. */
export interface PgModule {
  readonly Pool: new (config: PostgresConfig) => PgPool;
  readonly Client: new (config: object) => PgClient;
  readonly Connection: new (config: object) => PgConnection;
  readonly types: {
    readonly builtins: Readonly<Record<string, number | string>>;
    getTypeParser(oid: number, format: 'text'): (text: string) => unknown;
  };
}

/** Whether a value is a pool of pg's, of whatever copy. */
export function isPool(value: unknown): value is PgPool {
  return (
    typeof value === 'object' &&
    value !== null &&
    'connect' in value &&
    typeof value.connect === 'function' &&
    'totalCount' in value &&
    'options' in value
  );
}
