import { wrongSecret } from '@signalbox/options';

/** What changes a connection, or holds it up, for everybody who shares it. */
const NOT_SHARED: ReadonlySet<string> = new Set(
  [
    'multi exec discard watch unwatch select swapdb quit reset hello auth readonly readwrite asking sync psync',
    'subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe monitor',
    'blpop brpop brpoplpush blmove blmpop bzpopmin bzpopmax bzmpop wait waitaof',
  ].flatMap((line) => line.split(' ')),
);

/**
 * A command's name as ioredis knows it: by the small letters it finds the keys, in every version.
 *
 * @throws {TypeError} when it is none, or one that a shared connection cannot run
 */
export function commandName(name: string): string {
  if (typeof name !== 'string' || name === '') {
    throw wrongSecret('command', 'name', 'the name of a command', name);
  }
  const lower = name.toLowerCase();
  if (NOT_SHARED.has(lower)) {
    throw new TypeError(`command: "${lower}" would change the connection that all commands share`);
  }
  return lower;
}
