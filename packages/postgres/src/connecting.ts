import type { PgClient, PgModule, PoolSettings } from './pg-types.js';

/** A class of connections that keeps account of those that are being made. */
export interface ConnectingClients {
  readonly Client: PgModule['Client'];
  /**
   * Ends them: a server that has fallen silent may never answer them, also when it is back, and until their time
   * is up each would take a place of the pool.
   */
  cutOff: () => void;
}

/** @param connectMs how long making one may take */
export function watchConnecting(pg: PgModule, connectMs: number): ConnectingClients {
  const connecting = new Set<PgClient>();

  class WatchedClient extends pg.Client {
    constructor(config: object) {
      const { password, connectionTimeoutMillis = connectMs } = config as PoolSettings;
      // Set for the pool, it would cost a timer for every use of a connection. The password is hidden from copying.
      super({ ...config, password, connectionTimeoutMillis });
      const isMade = (): boolean => connecting.delete(this);
      connecting.add(this);
      this.once('connect', isMade);
      this.once('end', isMade);
    }
  }
  return {
    Client: WatchedClient,
    cutOff() {
      for (const client of connecting) client.connection?.stream.destroy();
    },
  };
}
