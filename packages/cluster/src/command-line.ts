import { readFileSync } from 'node:fs';
import { checkConfig } from './check-config.js';
import { ClusterError, EXIT_CODES } from './cluster-error.js';
import { helpText } from './command-help.js';
import { type CommandWords, readWords } from './command-words.js';
import { reloadManager, showStatus, stopManager } from './manager-commands.js';
import { startCommand } from './start-command.js';

/** Does what a command line says. Sets the exit code, and prints a sentence when something is wrong. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  try {
    await run(readWords(argv), argv);
  } catch (error) {
    // Anything else is a bug, of which the stack tells more.
    const isExpected = error instanceof ClusterError;
    const text = isExpected ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`signalbox: ${text}\n`);
    process.exitCode = isExpected ? error.exitCode : EXIT_CODES.failed;
  }
}

async function run(words: CommandWords, argv: readonly string[]): Promise<void> {
  switch (words.command) {
    case 'start':
      return startCommand(words, argv);
    case 'stop':
      return stopManager(words);
    case 'reload':
      return reloadManager(words);
    case 'status':
      return showStatus(words);
    case 'check-config':
      return checkConfig(words);
    case 'help':
      return void process.stdout.write(helpText());
    case 'version':
      return void process.stdout.write(`${version()}\n`);
  }
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
