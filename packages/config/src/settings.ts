import type { Found } from './lookup.js';
import { oneLine, REDACTED, redactValue } from './redact.js';
import type { Field } from './schema.js';

/** One setting as it may be shown. */
export interface Setting {
  name: string;
  /** Without secrets and without the credentials of URLs; `undefined` where it is not set. */
  value: unknown;
  /** `argv`, `env`, `file:<path>`, `option`, `generated` or `default`. */
  source: string;
  redacted: boolean;
}

const remembered = new WeakMap<object, readonly Setting[]>();

/** Keeps what `settingsOf` answers for this object. */
export function rememberSettings(
  config: object,
  fields: ReadonlyMap<string, Field>,
  found: ReadonlyMap<string, Found>,
): void {
  const values = config as Readonly<Record<string, unknown>>;
  const settings = [...fields.values()].map(({ name, redacted }) => {
    const value = values[name];
    const shown = redacted && value !== undefined && value !== '' ? REDACTED : redactValue(value);
    return { name, value: shown, source: found.get(name)?.source ?? 'default', redacted };
  });
  remembered.set(config, settings);
}

/**
 * The settings with their sources, secrets redacted: for an admin page or a support request.
 *
 * @throws {TypeError} when `config` is not what `config()` returned
 */
export function settingsOf(config: object): readonly Setting[] {
  const settings = remembered.get(config);
  if (settings === undefined) throw new TypeError('settingsOf: "config" must be what config() returned');
  return settings;
}

/** Options of {@link printConfig}. */
export interface PrintOptions {
  /**
   * A table to read, or JSON.
   * @default 'table'
   */
  format?: 'table' | 'json' | undefined;
  /**
   * Takes the text.
   * @default process.stdout.write
   */
  write?: ((text: string) => void) | undefined;
}

/** Prints every setting with its value and source. Secrets and the credentials of URLs are redacted. */
export function printConfig(config: object, options: PrintOptions = {}): void {
  const { format = 'table', write = (text) => void process.stdout.write(text) } = options;
  if (format !== 'table' && format !== 'json') {
    throw new TypeError(`printConfig: "format" must be 'table' or 'json', got ${String(format)}`);
  }
  const settings = settingsOf(config);
  write(format === 'json' ? toJson(settings) : toTable(settings));
}

function toJson(settings: readonly Setting[]): string {
  const entries = settings.map(({ name, value, source }) => [name, { value: value ?? null, source }]);
  return `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`;
}

function toTable(settings: readonly Setting[]): string {
  const rows = settings.map(({ name, value, source }) => [name, toText(value), source]);
  return formatTable([['setting', 'value', 'source'], ...rows]);
}

/** A value on one line. */
export function toText(value: unknown): string {
  if (value === undefined) return '(not set)';
  if (value === '') return '(empty)';
  if (Array.isArray(value) && value.length === 0) return '(none)';
  if (typeof value === 'string') return oneLine(value);
  if (Array.isArray(value) && value.every((entry) => typeof entry === 'string'))
    return oneLine(value.join(', '));
  // What JSON has no word for (a symbol, a function) is no setting.
  return oneLine(JSON.stringify(value) ?? typeof value);
}

/** Rows as lines, with columns that stand below each other. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}
