import { readFileSync } from 'node:fs';
import { ClusterError, EXIT_CODES } from './cluster-error.js';
import { type CommandWords, readWords } from './command-words.js';
import { findOtherCommand, runOtherCommand } from './other-command.js';

/** Does what a command line says. Sets the exit code, and prints a sentence when something is wrong. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  try {
    const other = findOtherCommand(argv[0], process.cwd());
    await (other === undefined ? run(readWords(argv), argv) : runOtherCommand(other, argv.slice(1)));
  } catch (error) {
    // Anything else is a bug, of which the stack tells more.
    const isExpected = error instanceof ClusterError;
    const text = isExpected ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`signalbox: ${text}\n`);
    process.exitCode = isExpected ? error.exitCode : EXIT_CODES.failed;
  }
}

/** Each command loads what it needs: asking a manager for its status takes less than being one. */
async function run(words: CommandWords, argv: readonly string[]): Promise<void> {
  switch (words.command) {
    case 'start':
      return (await import('./start-command.js')).startCommand(words, argv);
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
