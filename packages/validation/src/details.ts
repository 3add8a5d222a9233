import type { StandardSchemaV1 } from '@standard-schema/spec';
import { pointer } from './pointer.js';
import type { Part } from './valid.js';

/** One problem of a request, as the error's `details` list it. */
export interface Detail {
  readonly in: Part;
  /** JSON Pointer (RFC 6901) to the field inside the part; empty for the part as a whole. */
  readonly pointer: string;
  readonly message: string;
}

/** What vendors put on an issue besides what the standard says. */
interface VendorIssue extends StandardSchemaV1.Issue {
  /** valibot: what came, as the message shows it. */
  readonly received?: unknown;
  /** valibot and arktype: what is wanted, in words. */
  readonly expected?: unknown;
  /** zod: `unrecognized_keys` has `keys`. */
  readonly code?: unknown;
  readonly keys?: unknown;
}

const MAX_MESSAGE = 300;

/** Shorter values are too likely to be a word of the message itself. */
const MIN_BARE_VALUE = 8;

/** Lists the issues of a schema, without a word of what was sent. */
export function detailsOf(
  part: Part,
  input: unknown,
  issues: readonly StandardSchemaV1.Issue[],
  max: number,
): Detail[] {
  const details: Detail[] = [];
  for (const issue of issues as readonly VendorIssue[]) {
    const path = pathOf(issue);
    if (issue.code === 'unrecognized_keys' && Array.isArray(issue.keys)) {
      for (const key of issue.keys as readonly unknown[]) {
        if (details.length < max) details.push(unknownField(part, [...path, String(key)]));
      }
    } else if (details.length < max) {
      details.push({ in: part, pointer: pointer(path), message: safeMessage(issue, valueAt(input, path)) });
    }
  }
  return details;
}

function pathOf({ path = [] }: StandardSchemaV1.Issue): PropertyKey[] {
  // Not path.map(): arktype's paths are of a class of its own, whose map() goes wrong when empty.
  return Array.from(path, (segment) => (typeof segment === 'object' ? segment.key : segment));
}

export function unknownField(part: Part, path: readonly PropertyKey[]): Detail {
  return { in: part, pointer: pointer(path), message: 'Unknown field' };
}

/**
 * The issue's message without the value. valibot ends its messages with what came, arktype puts it in
 * brackets; what is left of the value after that, as in a message of the user's own, is blotted out.
 */
function safeMessage(issue: VendorIssue, value: unknown): string {
  const { received, expected } = issue;
  let { message } = issue;
  const shown = [` but received ${String(received)}`, `: Received ${String(received)}`];
  const tail = shown.find((words) => message.endsWith(words));
  if (tail !== undefined) {
    message = message.slice(0, -tail.length);
  } else if (typeof expected === 'string' && message.includes(' (was ')) {
    message = `must be ${expected}`;
  }
  const clean = withoutValue(message, value);
  return clean.length > MAX_MESSAGE ? `${clean.slice(0, MAX_MESSAGE - 1)}…` : clean;
}

function withoutValue(message: string, value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return message;
  const text = String(value);
  if (text === '') return message;
  const quoted = message.replaceAll(JSON.stringify(text), '"…"').replaceAll(`'${text}'`, "'…'");
  return text.length >= MIN_BARE_VALUE ? quoted.replaceAll(text, '…') : quoted;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}
