import { wrongOption } from '@signalbox/options';

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Throws unless `value` is a list of tokens (RFC 9110 section 5.6.2), such as header names or methods. */
export function requireTokens(owner: string, option: string, value: unknown, wanted: string): void {
  if (!Array.isArray(value)) throw wrongOption(owner, option, `a list of ${wanted}`, value);
  for (const each of value as readonly unknown[]) {
    if (typeof each !== 'string' || !TOKEN.test(each)) {
      throw wrongOption(owner, option, `a list of ${wanted}`, each);
    }
  }
}
