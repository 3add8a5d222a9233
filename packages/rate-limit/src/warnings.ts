import type { Request } from 'express';

type TrustFunction = (address: string | undefined, distance: number) => boolean;

/** RFC 5737: nobody's, so nobody trusts it who does not trust everybody. */
const DOCUMENTATION_ADDRESS = '192.0.2.1';

let hasWarned = false;

/**
 * Says once that addresses are not what they seem: either everybody behind a proxy is counted as one caller, or
 * everybody can claim to be anybody. The limit works on as it can.
 */
export function warnOfForwarding(req: Request): void {
  if (hasWarned || req.headers['x-forwarded-for'] === undefined) return;
  const isTrusted = req.app.get('trust proxy fn') as TrustFunction;
  if (isTrusted(DOCUMENTATION_ADDRESS, Number.MAX_SAFE_INTEGER)) {
    warn(
      '"trust proxy" is true, so that anybody can choose the address by which they are limited; set it to your proxies',
    );
  } else if (!isTrusted(req.socket.remoteAddress, 0)) {
    warn(
      'a request came with X-Forwarded-For while "trust proxy" is not set for its peer; behind a proxy everybody is limited as one caller',
    );
  }
}

function warn(message: string): void {
  hasWarned = true;
  process.emitWarning(`rate-limit: ${message}`, { code: 'SIGNALBOX_RATE_LIMIT_TRUST_PROXY' });
}
