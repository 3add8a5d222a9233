import { parsedUrl, requireOneOf, requireText, wrongOption, wrongSecret } from '@signalbox/options';
import { SEVERITIES, type Severity } from './severity.js';

/** What all channels let one choose. */
export interface ChannelOptions {
  /**
   * Unlike those of the other channels.
   * @default the kind of channel, such as `slack`
   */
  name?: string | undefined;
  /** The least severity that it is told of. */
  severity?: Severity | undefined;
}

export const CHANNEL_OPTIONS = ['name', 'severity'] as const;

/** Checks them, and fills in the defaults. */
export function resolveChannel(
  owner: string,
  options: ChannelOptions,
  usual: { readonly name: string; readonly severity: Severity },
): { name: string; severity: Severity } {
  const { name = usual.name, severity = usual.severity } = options;
  requireText(owner, 'name', name);
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) throw wrongOption(owner, 'name', 'in kebab-case', name);
  requireOneOf(owner, 'severity', severity, SEVERITIES);
  return { name, severity };
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/**
 * @param needsTls whether what is sent is a secret by itself: then http is for this machine only
 * @throws {TypeError} when it is no such URL; without showing it, since a URL may be all that one needs to post
 */
export function requireUrl(owner: string, option: string, value: unknown, needsTls: boolean): URL {
  const wanted = needsTls ? 'an https URL without credentials' : 'an http or https URL without credentials';
  const url = typeof value === 'string' ? parsedUrl(value) : undefined;
  const isFit =
    url !== undefined &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && (!needsTls || LOOPBACK.test(url.hostname)))) &&
    url.username === '' &&
    url.password === '';
  if (!isFit) throw wrongSecret(owner, option, wanted, value);
  return url;
}
