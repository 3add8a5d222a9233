import type { PgClient, PgModule, PoolSettings } from './pg-types.js';

/** How long asking to cancel may take, in milliseconds. */
const CANCEL_MS = 2_000;

/**
 * Asks the server to cancel what a connection is doing, on a connection of its own, which needs neither a login
 * nor a free place (PostgreSQL manual, section 54.2.8).
 *
 * Resolves when the server has closed that connection: only then is it certain that the request does not hit
 * whatever comes next on the cancelled one. Rejects when that cannot be known.
 */
export function cancelStatement(pg: PgModule, settings: PoolSettings, client: PgClient): Promise<void> {
  const { processID, secretKey } = client;
  if (typeof processID !== 'number' || typeof secretKey !== 'number') {
    return Promise.reject(new Error('this client cannot cancel'));
  }
  const connection = new pg.Connection({
    ssl: client.ssl,
    sslNegotiation: client.sslNegotiation,
    stream: settings.stream,
  });

  return new Promise((resolve, reject) => {
    let isSent = false;
    const timer = setTimeout(() => fail(new Error('no answer')), CANCEL_MS);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      connection.stream.destroy();
      reject(error);
    };
    const send = (): void => {
      connection.cancel(processID, secretKey);
      isSent = true;
    };
    connection.on('connect', () => {
      if (!client.ssl) send();
      else if (client.sslNegotiation !== 'direct') connection.requestSsl();
    });
    connection.on('sslconnect', send);
    // A server may also reset it once it has read the request, which cannot be told from one that has not.
    connection.on('error', () => fail(new Error('the connection broke')));
    connection.on('end', () => {
      clearTimeout(timer);
      if (isSent) resolve();
      else reject(new Error('refused'));
    });
    if (client.host.startsWith('/')) connection.connect(`${client.host}/.s.PGSQL.${client.port}`);
    else connection.connect(client.port, client.host);
  });
}
