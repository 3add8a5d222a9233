import { ClusterError } from './cluster-error.js';

export const COMMANDS = ['start', 'stop', 'reload', 'status', 'check-config', 'help', 'version'] as const;

export type CommandName = (typeof COMMANDS)[number];

/** A command line, taken apart. */
export interface CommandWords {
  readonly command: CommandName;
  readonly entry: string | undefined;
  /** Everything else before `--`. */
  readonly options: readonly string[];
  /** What stands behind `--`: arguments for the program. */
  readonly args: readonly string[];
}

const SHORT: Readonly<Record<string, string>> = {
  '-w': '--workers',
  '-b': '--bind',
  '-c': '--config',
  '-D': '--daemon',
  '-p': '--pid-file',
  '-h': '--help',
  '-v': '--version',
};

/** They stand alone; what follows is not their value. */
const FLAGS: ReadonlySet<string> = new Set([
  '--daemon',
  '--reload',
  '--json',
  '--quick',
  '--no-daemon',
  '--no-reload',
]);

/** @throws {ClusterError} when there is no such command, or two entries */
export function readWords(argv: readonly string[]): CommandWords {
  const end = argv.indexOf('--');
  const before = end === -1 ? argv : argv.slice(0, end);
  const [first, ...rest] = before.map((word) => SHORT[word] ?? word);
  const command = commandOf(first);
  if (rest.includes('--help')) return { command: 'help', entry: undefined, options: [], args: [] };

  const options: string[] = [];
  const entries: string[] = [];
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index] ?? '';
    if (!word.startsWith('--')) {
      entries.push(word);
      continue;
    }
    options.push(word);
    const value = rest[index + 1];
    if (word.includes('=') || FLAGS.has(word) || value === undefined || value.startsWith('--')) continue;
    options.push(value);
    index += 1;
  }
  const [entry, surplus] = entries;
  if (surplus !== undefined) {
    throw new ClusterError(
      'wrong_options',
      `there are two programs, ${entry} and ${surplus}; arguments for the program stand behind --`,
    );
  }
  return { command, entry, options, args: end === -1 ? [] : argv.slice(end + 1) };
}

function commandOf(word: string | undefined): CommandName {
  if (word === undefined || word === '--help') return 'help';
  if (word === '--version') return 'version';
  const command = COMMANDS.find((name) => name === word);
  if (command !== undefined) return command;
  throw new ClusterError('wrong_options', `${word} is no command; there are ${COMMANDS.join(', ')}`);
}

/** Takes a flag that only some commands know out of the options. */
export function takeFlag(options: readonly string[], flag: string): [boolean, string[]] {
  const others = options.filter((option) => option !== flag);
  return [others.length < options.length, others];
}
