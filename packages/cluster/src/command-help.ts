import { EXIT_CODES } from './cluster-error.js';
import { describeSettings } from './command-settings.js';

const INTRODUCTION = `Usage: signalbox <command> [options]

  start <program> [options] [-- arguments of the program]
  stop [--quick]        have workers drain, or drop requests
  reload                replace all workers, new ones first
  status [--json]
  check-config <program> [options]
  help, version
  <other> …             runs the signalbox-<other> of node_modules/.bin, such as doctor and emit

stop, reload and status find the manager by --pid-file or the file of settings.
Options of start, each also a variable SIGNALBOX_<NAME> and in signalbox.config.js:
`;

const SIGNALS = `
Signals: HUP reloads, TERM drains and stops, INT and QUIT stop at once, TTIN and TTOU
start or retire a worker, USR2 opens log files again.
`;

/** What `signalbox help` prints. */
export function helpText(): string {
  const options = describeSettings().map(
    ({ name, description = '' }) =>
      `  ${`--${name.toLowerCase().replaceAll('_', '-')}`.padEnd(24)}${description}`,
  );
  const codes = Object.entries(EXIT_CODES)
    .filter(([, code]) => code !== 0)
    .map(([name, code]) => `  ${String(code).padEnd(4)}${name.replaceAll('_', ' ')}`);
  return `${INTRODUCTION}\n${options.join('\n')}\n${SIGNALS}\nExit codes:\n  0   done\n${codes.join('\n')}\n`;
}
