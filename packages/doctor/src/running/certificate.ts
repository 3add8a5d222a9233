import { connect } from 'node:tls';
import { found, type Finding } from '../finding.js';

const SOON_DAYS = 14;

/** Whether the certificate of an https address is good, and for how long. */
export function checkCertificate(base: string, timeoutMs: number): Promise<Finding[]> {
  const { protocol, hostname, port, host } = new URL(base);
  if (protocol !== 'https:') return Promise.resolve([]);
  return new Promise((resolve) => {
    const name = hostname.replace(/^\[|\]$/g, '');
    const servername = /^[\d.]+$|:/.test(name) ? {} : { servername: name };
    const socket = connect({
      host: name,
      port: Number(port === '' ? 443 : port),
      rejectUnauthorized: false,
      ...servername,
    });
    const done = (findings: Finding[]): void => {
      socket.destroy();
      resolve(findings);
    };
    socket.setTimeout(timeoutMs, () => done([]));
    // That nobody answers is said by the first request.
    socket.once('error', () => done([]));
    socket.once('secureConnect', () => {
      const { valid_to: end } = socket.getPeerCertificate();
      const days = Math.floor((Date.parse(end) - Date.now()) / 86_400_000);
      if (!socket.authorized) return done([found('SBX518', host, String(socket.authorizationError))]);
      done(days < SOON_DAYS ? [found('SBX518', host, `it ends in ${days} days`)] : []);
    });
  });
}
