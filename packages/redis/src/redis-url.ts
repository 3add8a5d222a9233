import type { RedisOptions } from 'ioredis';

/** Where Redis is, and how to reach it. */
export interface RedisAddress {
  kind: 'single' | 'sentinel' | 'cluster';
  /** More than one for Sentinel and Cluster. */
  nodes: readonly { host: string; port: number }[];
  options: RedisOptions;
}

const FORMS =
  'redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster://, rediss+cluster:// or unix://';

const PARTS = /^([a-z+]+):\/\/(?:([^/?#]*)@)?([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i;
const HOST = /^(\[[\da-f:.%a-z]+\]|[^:[\]\s,]+)(?::(\d{1,5}))?$/i;

const QUERY_OPTIONS = [
  'db',
  'family',
  'connectionName',
  'sentinelUsername',
  'sentinelPassword',
  'servername',
];

/**
 * Reads a URL. Its parts are never shown: any of them may be a password in the wrong place.
 *
 * @throws {TypeError} when it is none that is known, or has parts that do not fit
 */
export function parseRedisUrl(url: string): RedisAddress {
  const parts = PARTS.exec(url);
  if (parts === null) throw wrong(`must be a URL beginning with ${FORMS}`);
  const [, scheme = '', credentials, hosts = '', path = '', query = ''] = parts;
  const options: RedisOptions = { ...credentialsOf(credentials), ...queryOptions(query) };

  switch (scheme.toLowerCase()) {
    case 'unix':
      return unixAddress(hosts, path, options);
    case 'redis':
    case 'rediss':
      return singleAddress(scheme, hosts, path, options);
    case 'redis+sentinel':
    case 'rediss+sentinel':
      return sentinelAddress(scheme, hosts, path, options);
    case 'redis+cluster':
    case 'rediss+cluster':
      return clusterAddress(scheme, hosts, path, options);
    default:
      throw wrong(`must be a URL beginning with ${FORMS}`);
  }
}

function unixAddress(hosts: string, path: string, options: RedisOptions): RedisAddress {
  if (hosts !== '' || path.length < 2) throw wrong('must name the socket as unix:///path/to/redis.sock');
  return { kind: 'single', nodes: [], options: { ...options, path: decoded(path, 'path') } };
}

function singleAddress(scheme: string, hosts: string, path: string, options: RedisOptions): RedisAddress {
  const [node, ...more] = nodesOf(hosts === '' ? 'localhost' : hosts, 6379);
  if (node === undefined || more.length > 0) {
    throw wrong('must name one host; several are for redis+sentinel:// and redis+cluster://');
  }
  return {
    kind: 'single',
    nodes: [node],
    options: { ...options, ...node, ...dbOf(path, options), ...tlsOf(scheme, options) },
  };
}

function sentinelAddress(scheme: string, hosts: string, path: string, options: RedisOptions): RedisAddress {
  const [, name = '', ...rest] = path.split('/');
  if (name === '') throw wrong('must end with the name of the primary: redis+sentinel://host1,host2/name');
  const sentinels = nodesOf(hosts, 26_379);
  const { tls } = tlsOf(scheme, options);
  const secure = tls === undefined ? {} : { tls, sentinelTLS: tls, enableTLSForSentinelMode: true };
  const db = dbOf(rest.length === 0 ? '' : `/${rest.join('/')}`, options);
  return {
    kind: 'sentinel',
    nodes: sentinels,
    options: { ...options, ...secure, ...db, sentinels, name: decoded(name, 'name of the primary') },
  };
}

function clusterAddress(scheme: string, hosts: string, path: string, options: RedisOptions): RedisAddress {
  const { db } = dbOf(path, options);
  if (db !== undefined && db !== 0) throw wrong('must not name a database: a Redis Cluster has only 0');
  return { kind: 'cluster', nodes: nodesOf(hosts, 6379), options: { ...options, ...tlsOf(scheme, options) } };
}

function nodesOf(hosts: string, defaultPort: number): { host: string; port: number }[] {
  return hosts.split(',').map((text) => {
    const [, host, port = String(defaultPort)] = HOST.exec(text) ?? [];
    if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw wrong('must name its hosts as host or host:port, with a comma between them');
    }
    return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: Number(port) };
  });
}

function credentialsOf(text: string | undefined): Pick<RedisOptions, 'username' | 'password'> {
  if (text === undefined || text === '') return {};
  const colon = text.indexOf(':');
  const username = decoded(colon === -1 ? text : text.slice(0, colon), 'credentials');
  const password = colon === -1 ? undefined : decoded(text.slice(colon + 1), 'credentials');
  return { ...(username === '' ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

function queryOptions(query: string): RedisOptions {
  const options: RedisOptions = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!QUERY_OPTIONS.includes(name)) {
      throw wrong(`has a parameter that is not known; there are ${QUERY_OPTIONS.join(', ')}`);
    }
    if (name === 'db' || name === 'family') Object.assign(options, { [name]: integer(name, value) });
    else if (name === 'servername') options.tls = { servername: value };
    else Object.assign(options, { [name]: value });
  }
  return options;
}

function dbOf(path: string, { db }: RedisOptions): { db?: number } {
  if (path === '' || path === '/') return db === undefined ? {} : { db };
  return { db: integer('db', path.slice(1)) };
}

function integer(name: string, text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw wrong(`must have a whole number as its "${name}"`);
}

/** Node fills in the server name by itself, where the host is one. */
function tlsOf(scheme: string, { tls }: RedisOptions): Pick<RedisOptions, 'tls'> {
  if (scheme.toLowerCase().startsWith('rediss')) return { tls: tls ?? {} };
  if (tls !== undefined) throw wrong('has a "servername", which is for rediss:// only');
  return {};
}

function decoded(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(`has a "%" in its ${part} that must be written "%25"`);
  }
}

function wrong(words: string): TypeError {
  return new TypeError(`connectRedis: "source" ${words}`);
}
