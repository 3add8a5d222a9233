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
 * @throws {TypeError} when it is none, or one that a shared connection cannot run with these arguments
 */
export function commandName(name: string, args: readonly unknown[]): string {
  if (typeof name !== 'string' || name === '') {
    throw wrongSecret('command', 'name', 'the name of a command', name);
  }
  const lower = name.toLowerCase();
  if (NOT_SHARED.has(lower) || isHeldUp(lower, args)) {
    throw new TypeError(`command: "${lower}" would change the connection that all commands share`);
  }
  return lower;
}

/** Whether its arguments make it wait, or keep the server from answering. */
function isHeldUp(name: string, args: readonly unknown[]): boolean {
  if (name === 'client') return isWord(args[0], 'reply');
  if (name !== 'xread' && name !== 'xreadgroup') return false;
  // The names of a group and a consumer may be any words.
  const options = name === 'xreadgroup' ? args.slice(3) : args;
  for (const option of options) {
    if (isWord(option, 'streams')) return false;
    if (isWord(option, 'block')) return true;
  }
  return false;
}

function isWord(argument: unknown, word: string): boolean {
  return String(argument).toLowerCase() === word;
}
