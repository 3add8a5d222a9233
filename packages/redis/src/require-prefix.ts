import { wrongOption } from '@signalbox/options';

/**
 * For who puts hash tags of its own into keys: with braces in the prefix, these would be none (Redis Cluster
 * specification, hash tags).
 *
 * @throws {TypeError} when `prefix` is not text without braces
 */
export function requirePrefix(owner: string, prefix: unknown): asserts prefix is string {
  if (typeof prefix === 'string' && !/[{}]/.test(prefix)) return;
  throw wrongOption(owner, 'prefix', 'text without braces', prefix);
}
