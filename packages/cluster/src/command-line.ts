import { readFileSync } from 'node:fs';
import { ClusterError, EXIT_CODES } from './cluster-error.js';
import { type CommandName, type CommandWords, readWords } from './command-words.js';
import { findOtherCommand, runOtherCommand } from './other-command.js';

/** How long what the file of settings has opened, such as a timer, may keep a process that is done. */
const FORGOTTEN_MS = 500;

/** Does what a command line says. Sets the exit code, and prints a sentence when something is wrong. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  /** Whether what it has opened is to keep this process. */
  let staysOn = false;
  try {
    const other = findOtherCommand(argv[0], process.cwd());
    if (other === undefined) {
      staysOn = await run(readWords(argv), argv);
    } else {
      staysOn = true;
      await runOtherCommand(other, argv.slice(1));
    }
  } catch (error) {
    // Anything else is a bug, of which the stack tells more.
    const isExpected = error instanceof ClusterError;
    const text = isExpected ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`signalbox: ${text}\n`);
    process.exitCode = isExpected ? error.exitCode : EXIT_CODES.failed;
  }
  if (!staysOn) setTimeout(() => process.exit(), FORGOTTEN_MS).unref();
}

/** @returns whether this process is a manager from now on */
async function run(words: CommandWords, argv: readonly string[]): Promise<boolean> {
  if (words.command === 'start') return (await import('./start-command.js')).startCommand(words, argv);
  await runToItsEnd(words, words.command);
  return false;
}

/** Each command loads what it needs: asking a manager for its status takes less than being one. */
async function runToItsEnd(words: CommandWords, command: Exclude<CommandName, 'start'>): Promise<void> {
  switch (command) {
    case 'stop':
      return (await import('./manager-commands.js')).stopManager(words);
    case 'reload':
      return (await import('./manager-commands.js')).reloadManager(words);
    case 'status':
      return (await import('./manager-commands.js')).showStatus(words);
    case 'check-config':
      return (await import('./check-config.js')).checkConfig(words);
    case 'help':
      return void process.stdout.write((await import('./command-help.js')).helpText());
    case 'version':
      return void process.stdout.write(`${version()}\n`);
  }
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
