import { addressList } from '@signalbox/context';
import { refuseUnknownOptions, requireObject, shown, wrongOption } from '@signalbox/options';

/** Whom to trust: hops, `'off'`, or addresses, networks and presets, as a list or with commas between them. */
export type ProxyTrust = number | false | string | readonly string[];

/** Options of {@link trustProxy}. */
export interface TrustProxyOptions {
  /** Networks under a name of yours, such as the published ones of a CDN. */
  presets?: Readonly<Record<string, readonly string[]>> | undefined;
}

const LOOPBACK = ['127.0.0.0/8', '::1'];
const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'];
const UNIQUE_LOCAL = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'];

/** The first three are Express' own names. */
const PRESETS: Readonly<Record<string, readonly string[]>> = {
  loopback: LOOPBACK,
  linklocal: LINK_LOCAL,
  uniquelocal: UNIQUE_LOCAL,
  private: [...LOOPBACK, ...LINK_LOCAL, ...UNIQUE_LOCAL],
};

/** RFC 5737 and RFC 9637: far apart, and nobody's, so that who trusts all of one family trusts everybody. */
const NOBODYS = [
  ['192.0.2.1', '198.51.100.1', '203.0.113.1'],
  ['2001:db8::1', '3fff::1'],
];

const WANTED =
  '"off", a number of hops from 1 to 32, or addresses, networks and presets (loopback, linklocal, uniquelocal, private, unix)';

/** What `app.set('trust proxy', …)` takes. */
export type TrustProxySetting =
  | false
  | number
  | string[]
  | ((address: string | undefined, hop: number) => boolean);

/**
 * Which proxies in front of the app are believed about who asks, checked, for Express' setting `trust proxy`.
 *
 * `unix` is a proxy that connects over a Unix socket. To trust everybody is refused: every caller could then
 * name any address as its own.
 *
 * @throws {TypeError} when it is none of these, or would trust everybody
 *
 * @example
 * app.set('trust proxy', trustProxy('loopback, 10.20.0.0/16'));
 */
export function trustProxy(trust: ProxyTrust, options: TrustProxyOptions = {}): TrustProxySetting {
  refuseUnknownOptions('trustProxy', options, ['presets']);
  const { presets = {} } = options;
  requireObject('trustProxy', 'presets', presets);

  if (trust === false || trust === 'off') return false;
  const hops = typeof trust === 'string' && /^\d{1,3}$/.test(trust) ? Number(trust) : trust;
  if (typeof hops === 'number') return requireHops(hops);

  const entries = entriesOf(trust);
  const networks = entries.flatMap((entry) => networksOf(entry, presets));
  const list = addressList(networks, 'trustProxy: "trust"');
  if (NOBODYS.some((family) => family.every((address) => list.has(address)))) {
    throw new TypeError(`trustProxy: ${shown(networks.join(', '))} would trust everybody`);
  }
  if (!entries.includes('unix')) return [...networks];
  // A Unix socket has no address; the hops behind it, named in a field, all have one.
  return (address: string | undefined, hop: number) =>
    address === undefined ? hop === 0 : list.has(address);
}

function requireHops(hops: number): number {
  if (Number.isInteger(hops) && hops >= 1 && hops <= 32) return hops;
  throw new TypeError(
    `trustProxy: "trust" must be ${WANTED}, got ${hops}${hops === 0 ? ' (none is "off")' : ''}`,
  );
}

function entriesOf(trust: unknown): string[] {
  const list: unknown = typeof trust === 'string' ? trust.split(',').map((entry) => entry.trim()) : trust;
  if (isTexts(list) && list.length > 0) return list;
  const why = trust === true ? ' (it would trust everybody)' : '';
  throw new TypeError(`trustProxy: "trust" must be ${WANTED}, got ${shown(trust)}${why}`);
}

function networksOf(entry: string, presets: Readonly<Record<string, readonly string[]>>): readonly string[] {
  if (entry === 'unix') return [];
  const own = Object.hasOwn(presets, entry) ? presets[entry] : undefined;
  if (own !== undefined) {
    addressList(own, `trustProxy: "presets.${entry}"`);
    return own;
  }
  const known = Object.hasOwn(PRESETS, entry) ? PRESETS[entry] : undefined;
  if (known !== undefined) return known;
  if (/^[a-z]/i.test(entry) && !entry.includes(':') && !entry.includes('/')) {
    throw wrongOption('trustProxy', 'trust', WANTED, entry);
  }
  return [entry];
}

function isTexts(list: unknown): list is string[] {
  return Array.isArray(list) && list.every((each) => typeof each === 'string');
}
