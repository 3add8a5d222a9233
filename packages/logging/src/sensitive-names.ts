/** Tells which names stand for a secret, whatever their case and separators. */
export interface SensitiveNames {
  /** Whether the value under this key of an object, or in this header field, is a secret. */
  readonly isSecretKey: (name: string) => boolean;
  /** Whether the value of this query parameter is a secret or a search. */
  readonly isSecretParameter: (name: string) => boolean;
}

export const CENSOR = '[Redacted]';

const SECRET_NAMES: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'cookies',
  'jwt',
  'otp',
  'passwd',
  'proxyauthorization',
  'pwd',
  'rawheaders',
  'sessionid',
  'setcookie',
  'sid',
]);

const SECRET_WORDS =
  /password|passwd|passphrase|secret|token|apikey|accesskey|privatekey|signingkey|credential/;

/** `tokenType`, `passwordExpiresAt`, `token_count`: about a secret, without being one. */
const ABOUT_A_SECRET =
  /(?:count|limit|length|size|ttl|type|used|remaining|expired|expiry|expires(?:in|at)?|issuedat)$/;

const SECRET_PARAMETERS: ReadonlySet<string> = new Set([
  'auth',
  'code',
  'key',
  'q',
  'query',
  'search',
  'session',
  'sig',
  'signature',
  'ticket',
  'xamzsignature',
]);

/** Names come from code, so there are few; hostile ones (a body's keys) must not fill the memory. */
const MAX_REMEMBERED = 2_000;

export function sensitiveNames(
  keys: readonly string[] = [],
  parameters: readonly string[] = [],
): SensitiveNames {
  const moreKeys = new Set(keys.map(bare));
  const moreParameters = new Set(parameters.map(bare));

  const isSecretKey = remembered((name) => {
    const key = bare(name);
    if (SECRET_NAMES.has(key) || moreKeys.has(key)) return true;
    return SECRET_WORDS.test(key) && !ABOUT_A_SECRET.test(key);
  });
  const isSecretParameter = remembered((name) => {
    const parameter = bare(decoded(name));
    return SECRET_PARAMETERS.has(parameter) || moreParameters.has(parameter) || isSecretKey(parameter);
  });
  return { isSecretKey, isSecretParameter };
}

/** `X-API-Key`, `x_api_key` and `xApiKey` are one name. */
function bare(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}

function decoded(name: string): string {
  if (!name.includes('%')) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function remembered(judge: (name: string) => boolean): (name: string) => boolean {
  const known = new Map<string, boolean>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const verdict = judge(name);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(name, verdict);
    return verdict;
  };
}
