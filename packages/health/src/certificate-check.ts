import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { refuseUnknownOptions, requireInteger, requireText } from '@signalbox/options';
import type { CheckReport } from './check-result.js';
import type { CheckFunction } from './check.js';

export interface CertificateCheckOptions {
  /** A server to connect to by TLS. Either this or `file`. */
  host?: string | undefined;
  /** @default 443 */
  port?: number | undefined;
  /**
   * The name that is asked for (SNI).
   * @default `host`, unless it is an address
   */
  servername?: string | undefined;
  /** A PEM file with one certificate or more, of which the one that ends first counts. */
  file?: string | undefined;
  /**
   * Days before the end from which on the check is degraded.
   * @default 14
   */
  warnDays?: number | undefined;
}

const OPTIONS = ['host', 'port', 'servername', 'file', 'warnDays'] as const;

const DAY_MS = 86_400_000;

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

interface Validity {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Looks at when a certificate ends: degraded from `warnDays` before on, unhealthy outside its validity.
 * Whether it is trusted is not asked.
 *
 * @throws {TypeError} when an option is out of range, or when it has both `host` and `file`, or neither
 *
 * @example
 * check('certificate', certificateCheck({ host: 'search.example' }), { everyMs: 3_600_000, timeoutMs: 5_000 });
 */
export function certificateCheck(options: CertificateCheckOptions): CheckFunction {
  refuseUnknownOptions('certificateCheck', options, OPTIONS);
  const { host, port = 443, file, warnDays = 14 } = options;
  requireInteger('certificateCheck', 'warnDays', warnDays, 0);
  requireInteger('certificateCheck', 'port', port, 1);

  if (file !== undefined && host === undefined) {
    requireText('certificateCheck', 'file', file);
    return async (signal) => judge(await validityOfFile(file, signal), warnDays);
  }
  if (host === undefined || file !== undefined) {
    throw new TypeError('certificateCheck: give either "host" or "file"');
  }
  requireText('certificateCheck', 'host', host);
  const { servername = isIP(host) === 0 ? host : '' } = options;
  return async (signal) => judge(await validityOfServer(host, port, servername, signal), warnDays);
}

function judge({ fromMs, toMs }: Validity, warnDays: number): CheckReport {
  const leftMs = toMs - Date.now();
  const days = Math.floor(leftMs / DAY_MS);
  const details = { expires_at: new Date(toMs).toISOString(), days_left: days };
  if (leftMs <= 0) return { status: 'unhealthy', reason: `ended on ${details.expires_at}`, details };
  if (fromMs > Date.now()) {
    return { status: 'unhealthy', reason: `begins on ${new Date(fromMs).toISOString()}`, details };
  }
  if (leftMs <= warnDays * DAY_MS) return { status: 'degraded', reason: `ends in ${days} days`, details };
  return { details };
}

async function validityOfFile(file: string, signal: AbortSignal): Promise<Validity> {
  const text = await readFile(file, { encoding: 'utf8', signal });
  const validities = (text.match(PEM) ?? []).map((pem) => validityOf(new X509Certificate(pem)));
  const first = validities.toSorted((a, b) => a.toMs - b.toMs)[0];
  if (first === undefined) throw new Error('there is no certificate in the file');
  return first;
}

async function validityOfServer(
  host: string,
  port: number,
  servername: string,
  signal: AbortSignal,
): Promise<Validity> {
  // An untrusted or expired certificate shall be looked at, not be a failed connection.
  const socket = connect({ host, port, servername, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect', { signal });
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Error('the server showed no certificate');
    return validityOf(certificate);
  } finally {
    // After an abort, late errors of the connection have no other listener.
    socket.on('error', () => undefined).destroy();
  }
}

function validityOf({ validFrom, validTo }: X509Certificate): Validity {
  return { fromMs: Date.parse(validFrom), toMs: Date.parse(validTo) };
}
