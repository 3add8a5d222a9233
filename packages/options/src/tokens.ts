import { wrongOption } from './wrong-option.js';

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * @param wanted what the token is, such as `the name of a header field`
 * @throws {TypeError} when `value` is no token, as header names and methods are (RFC 9110)
 */
export function requireToken(
  owner: string,
  option: string,
  value: unknown,
  wanted: string,
): asserts value is string {
  if (!isToken(value)) throw wrongOption(owner, option, wanted, value);
}

/**
 * @param wanted what the tokens are, after "a list of"
 * @throws {TypeError} when `value` is no list of tokens; names the first that is none
 */
export function requireTokens(
  owner: string,
  option: string,
  value: unknown,
  wanted: string,
): asserts value is readonly string[] {
  if (!Array.isArray(value)) throw wrongOption(owner, option, `a list of ${wanted}`, value);
  for (const each of value as readonly unknown[]) {
    if (!isToken(each)) throw wrongOption(owner, option, `a list of ${wanted}`, each);
  }
}

function isToken(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value);
}
