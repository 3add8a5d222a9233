import { USER_FIELDS } from '@signalbox/context';

/** What a proxy does with a header field of a request or of a response. */
export const PASS = 0;
export const DROP = 1;
/** Names further fields that are for this connection alone. */
export const CONNECTION = 2;
export const CONTENT_LENGTH = 3;
export const TRANSFER_ENCODING = 4;
export const VIA = 5;
export const HOST = 6;
export const TE = 7;
export const FORWARDED_FOR = 8;
export const SET_COOKIE = 9;
export const VARY = 10;
/** Holds a URL of the upstream's. */
export const LOCATION = 11;
export const TRAILER = 12;
/** What the app has set before stays. */
export const OURS_FIRST = 13;
export const REQUEST_ID = 14;
export const TRACE = 15;
export const AUTHORIZATION = 16;
export const CONTENT_TYPE = 17;
export const CONTENT_ENCODING = 18;
/** Each on the way of an answer adds to the list what it did, the last one last. */
export const OURS_LAST = 19;
export const MAX_FORWARDS = 20;

/** A field by its name: the one string object that stands for all its occurrences, and what to do with it. */
export interface HeaderRule {
  /** Its name as it was written. */
  readonly name: string;
  readonly lowerCase: string;
  readonly action: number;
}

/** For one connection only, with what the `Connection` field names (RFC 9110 section 7.6.1). */
const HOP_BY_HOP: readonly (readonly [string, number])[] = [
  ['connection', CONNECTION],
  ['keep-alive', DROP],
  ['proxy-connection', DROP],
  ['proxy-authenticate', DROP],
  ['proxy-authorization', DROP],
  ['proxy-authentication-info', DROP],
  ['upgrade', DROP],
  ['http2-settings', DROP],
  ['transfer-encoding', TRANSFER_ENCODING],
];

/**
 * By these a proxy tells an upstream who asks, and from where. From anybody else they are a claim that many
 * an upstream believes. The last few make an upstream serve another path or method than was judged here.
 */
const IDENTITY: readonly string[] = [
  'forwarded',
  'x-forwarded-*',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  ...USER_FIELDS,
  'x-user-*',
  'x-script-name',
  'x-scheme',
  'x-original-*',
  'x-rewrite-url',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
];

const OF_REQUESTS: readonly (readonly [string, number])[] = [
  ...HOP_BY_HOP,
  ['host', HOST],
  ['content-length', CONTENT_LENGTH],
  ['content-type', CONTENT_TYPE],
  ['content-encoding', CONTENT_ENCODING],
  ['te', TE],
  // Trailers of a request are not sent on.
  ['trailer', DROP],
  // Answered here: the server has told the client to go on.
  ['expect', DROP],
  ['via', VIA],
  ['max-forwards', MAX_FORWARDS],
  ['x-forwarded-for', FORWARDED_FOR],
  ['x-request-id', REQUEST_ID],
  ['traceparent', TRACE],
  ['tracestate', TRACE],
  ['authorization', AUTHORIZATION],
];

const OF_RESPONSES: readonly (readonly [string, number])[] = [
  ...HOP_BY_HOP,
  ['content-length', CONTENT_LENGTH],
  ['set-cookie', SET_COOKIE],
  ['vary', VARY],
  ['via', VIA],
  ['location', LOCATION],
  ['content-location', LOCATION],
  ['trailer', TRAILER],
  // RFC 9211 section 2.
  ['cache-status', OURS_LAST],
  ['x-request-id', OURS_FIRST],
  ['access-control-allow-origin', OURS_FIRST],
  ['access-control-allow-credentials', OURS_FIRST],
  ['access-control-expose-headers', OURS_FIRST],
  ['access-control-allow-methods', OURS_FIRST],
  ['access-control-allow-headers', OURS_FIRST],
  ['access-control-allow-private-network', OURS_FIRST],
  ['access-control-max-age', OURS_FIRST],
  ['ratelimit', OURS_FIRST],
  ['ratelimit-policy', OURS_FIRST],
  ['ratelimit-limit', OURS_FIRST],
  ['ratelimit-remaining', OURS_FIRST],
  ['ratelimit-reset', OURS_FIRST],
  ['x-ratelimit-limit', OURS_FIRST],
  ['x-ratelimit-remaining', OURS_FIRST],
  ['x-ratelimit-reset', OURS_FIRST],
];

/** Tells by a field's name what to do with it. */
export interface HeaderTable {
  rule(name: string): HeaderRule;
}

/**
 * @param strip further names that are not passed on, and beginnings of names, such as `x-user-*`
 * @param forwarded whether the proxy tells itself who asks, and so passes no such claim on
 */
export function requestHeaderTable(
  strip: readonly string[],
  keepIdentity: boolean,
  forwarded: boolean,
): HeaderTable {
  if (!keepIdentity) return createTable(OF_REQUESTS, [...IDENTITY, ...strip]);
  return createTable(
    forwarded ? OF_REQUESTS : OF_REQUESTS.filter(([, action]) => action !== FORWARDED_FOR),
    strip,
  );
}

export function responseHeaderTable(strip: readonly string[]): HeaderTable {
  return createTable(OF_RESPONSES, strip);
}

/** What the exchange depends on is read in any case, and none of it passed on as it is. */
const NEEDED: ReadonlySet<number> = new Set([
  CONNECTION,
  CONTENT_LENGTH,
  TRANSFER_ENCODING,
  VIA,
  HOST,
  FORWARDED_FOR,
]);

/** As many spellings as are remembered; whoever makes up names fills this, and no memory. */
const MAX_SPELLINGS = 1_000;
const MAX_REMEMBERED_LENGTH = 64;

function createTable(actions: readonly (readonly [string, number])[], drop: readonly string[]): HeaderTable {
  const byName = new Map(actions);
  const prefixes: string[] = [];
  for (const name of drop) {
    const lowerCase = name.toLowerCase();
    if (lowerCase.endsWith('*')) prefixes.push(lowerCase.slice(0, -1));
    else if (!NEEDED.has(byName.get(lowerCase) ?? PASS)) byName.set(lowerCase, DROP);
  }
  const known = new Map<string, HeaderRule>();

  function actionOf(lowerCase: string): number {
    const action = byName.get(lowerCase);
    const isDropped = prefixes.some((prefix) => lowerCase.startsWith(prefix));
    if (isDropped && !NEEDED.has(action ?? PASS)) return DROP;
    if (action !== undefined) return action;
    // Behind CGI and WSGI, X_Forwarded_For and X-Forwarded-For are one variable.
    return lowerCase.includes('_') && actionOf(lowerCase.replaceAll('_', '-')) !== PASS ? DROP : PASS;
  }

  return {
    rule(name) {
      const remembered = known.get(name);
      if (remembered !== undefined) return remembered;
      const lowerCase = name.toLowerCase();
      const rule: HeaderRule = { name, lowerCase, action: actionOf(lowerCase) };
      if (known.size < MAX_SPELLINGS && name.length <= MAX_REMEMBERED_LENGTH) known.set(name, rule);
      return rule;
    },
  };
}

/** The fields that a `Connection` field names, but for those that everybody knows; `undefined` for none. */
export function namedByConnection(value: string): string[] | undefined {
  switch (value) {
    case 'keep-alive':
    case 'close':
    case 'Keep-Alive':
    case 'Close':
    case 'Upgrade':
    case 'upgrade':
    case '':
      return undefined;
    default:
      return value.toLowerCase().split(',').map(trimmed);
  }
}

function trimmed(text: string): string {
  return text.trim();
}

/** What several `Connection` lines name; most have one. */
export function withMore(named: string[] | undefined, more: string[] | undefined): string[] | undefined {
  if (named === undefined || more === undefined) return named ?? more;
  return [...named, ...more];
}

/** @param fields names and values in turn */
export function removeFields(fields: string[], isRemoved: (name: string) => boolean): void {
  for (let index = fields.length - 2; index >= 0; index -= 2) {
    if (isRemoved((fields[index] ?? '').toLowerCase())) fields.splice(index, 2);
  }
}
