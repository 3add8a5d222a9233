import type { z } from 'zod';
import { toOption } from './argv.js';
import { config, type Config } from './config.js';
import { ConfigError } from './config-error.js';
import { describeConfig } from './describe-config.js';
import type { ConfigOptions } from './options.js';
import { formatTable, printConfig } from './settings.js';

/** The exit code of sysexits.h for a wrong configuration. */
const EX_CONFIG = 78;

/**
 * {@link config} for the first lines of a program: prints the problems to stderr and exits with 78 (`EX_CONFIG`),
 * so that a process manager can tell them from a crash.
 *
 * `--print-config` among the arguments prints the settings, redacted, and `--help` what can be set; both exit
 * with 0.
 */
export function configOrExit<Schema extends z.ZodObject>(
  schema: Schema,
  options: ConfigOptions = {},
): Config<Schema> {
  const argv = options.argv ?? [];
  const asksFor = (option: string, name: string): boolean => argv.includes(option) && !(name in schema.shape);
  if (asksFor('--help', 'HELP')) {
    process.stdout.write(help(schema));
    process.exit(0);
  }
  const print = asksFor('--print-config', 'PRINT_CONFIG');
  try {
    const settings = config(schema, {
      ...options,
      argv: print ? argv.filter((argument) => argument !== '--print-config') : argv,
    });
    if (!print) return settings;
    printConfig(settings);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EX_CONFIG);
  }
}

function help(schema: z.ZodObject): string {
  const rows = describeConfig(schema).map(({ name, wanted, default: fallback, description, required }) => {
    const or = fallback === undefined ? (required ? 'required' : 'optional') : `default ${fallback}`;
    return [name, toOption(name), `${description ?? wanted} (${or})`];
  });
  return formatTable([['variable', 'option', 'meaning'], ...rows]);
}
