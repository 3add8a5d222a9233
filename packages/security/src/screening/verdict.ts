import { judgeText } from './inspect.js';
import { type ScreeningKind, THRESHOLD } from './kinds.js';
import type { KindOf } from './options.js';
import type { ScreenedPart } from './screened-error.js';
import type { RuleId } from './tally.js';

/** Why a request is refused. */
export interface Verdict {
  readonly part: ScreenedPart;
  /** Of the field, where it was a field's text that was judged. */
  readonly kind: ScreeningKind | undefined;
  readonly rules: readonly RuleId[];
}

/** The verdict on one text of a part, if it is refused. */
export function judgeField(text: string, kind: ScreeningKind, part: ScreenedPart): Verdict | undefined {
  const tally = judgeText(text, kind, part === 'body');
  if (tally.score < THRESHOLD[kind]) return undefined;
  return { part, kind, rules: tally.findings().map(({ rule }) => rule) };
}

/** A refusal for something other than a text: a name, a number, a size. */
export function refuse(part: ScreenedPart, rule: RuleId): Verdict {
  return { part, kind: undefined, rules: [rule] };
}

export function kindOf(kinds: KindOf, name: string): ScreeningKind | false {
  return kinds.named.size === 0 ? kinds.others : (kinds.named.get(name) ?? kinds.others);
}
