import type { z } from 'zod';
import type { Found } from './lookup.js';
import { quote, REDACTED } from './redact.js';
import type { Field } from './schema.js';
import { nearest } from './suggest.js';

type RawIssue = z.core.$ZodRawIssue;

/** zod's own findings as predicates: `must be at least 1`. A message that the schema brings goes before them. */
export function describeIssue(issue: RawIssue): string | undefined {
  const { code } = issue;
  if (code === 'invalid_value') return describeChoice(issue.values.map(String), issue.input);
  if (code === 'invalid_type') return `must be ${article(issue.expected)}`;
  if (code === 'invalid_format') return `must be of the form ${issue.format}`;
  if (code === 'too_small') {
    return `must ${extent(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum)}`;
  }
  if (code === 'too_big') {
    return `must ${extent(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum)}`;
  }
  // The schema's own checks, and what is too rare for words of its own.
  return undefined;
}

function describeChoice(values: readonly string[], input: unknown): string {
  const near = typeof input === 'string' ? nearest(input, values) : undefined;
  const one = values.length === 1 ? 'must be' : 'must be one of';
  return `${one} ${values.join(', ')}${near === undefined ? '' : ` (did you mean ${near}?)`}`;
}

function article(type: string): string {
  if (type === 'int') return 'a whole number';
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function extent(origin: string, comparison: string, bound: number | bigint): string {
  if (origin === 'string') return `have ${comparison} ${bound} characters`;
  if (origin === 'array' || origin === 'set') return `have ${comparison} ${bound} entries`;
  return `be ${comparison} ${bound}`;
}

/** The sentence about one wrong value: what is wanted, what came, and from where. */
export function describeProblem(
  field: Field,
  path: readonly PropertyKey[],
  what: string,
  found: Found,
): string {
  const subject = path.map(String).join('.');
  // A message of the schema's author may be a sentence already.
  const predicate = /^[a-z]/.test(what) ? ` ${what}` : `: ${what}`;
  const got = field.redacted ? REDACTED : quote(found.value);
  return `${subject}${predicate}; got ${got} ${found.from}`;
}

/** The sentence about a setting that nobody set. */
export function describeMissing({ name, wanted, description, about }: Field): string {
  const why = description === undefined ? '' : ` (${description})`;
  const or = about?.secret === undefined ? '' : `, or ${name}_FILE the path of a file that holds it`;
  return `${name} is not set${why}: it must be ${wanted}${or}`;
}
