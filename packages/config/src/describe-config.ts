import type { z } from 'zod';
import { redactValue, REDACTED } from './redact.js';
import { fieldsOf } from './schema.js';
import { toText } from './settings.js';

/** One row of a table of settings. */
export interface SettingDescription {
  /** The environment variable. */
  name: string;
  /** What the value must be, such as `a port from 0 to 65535`. */
  wanted: string;
  /** What holds when it is not set, as it would be written; `undefined` where nothing does. */
  default: string | undefined;
  /** The schema's own words: `.describe('…')`. */
  description: string | undefined;
  /** Whether the program does not start without it. */
  required: boolean;
  secret: boolean;
}

/** What a schema asks for, a row a setting: for documentation and `--help`. */
export function describeConfig(schema: z.ZodObject): SettingDescription[] {
  return [...fieldsOf('describeConfig', schema).values()].map((field) => {
    const { name, wanted, description, optional, redacted, about } = field;
    const generated = about?.secret?.generate === true ? 'made at start, except in production' : undefined;
    const value = about?.write?.(field.default) ?? redactValue(field.default);
    const known = redacted && field.default !== undefined ? REDACTED : value;
    return {
      name,
      wanted,
      default: known === undefined ? generated : toText(known),
      description,
      required: !optional,
      secret: redacted,
    };
  });
}
