/** What a rule looks for; the part before the dot is its class. */
export const RULES = [
  'sql.tautology',
  'sql.union',
  'sql.statement',
  'sql.comment',
  'sql.function',
  'sql.subquery',
  'sql.clause',
  'sql.operator',
  'sql.obfuscation',
  'xss.script',
  'xss.handler',
  'xss.url',
  'xss.tag',
  'xss.breakout',
  'xss.code',
  'xss.style',
  'xss.entity',
  'traversal.climb',
  'traversal.encoded',
  'traversal.file',
  'traversal.wrapper',
  'command.chain',
  'command.substitution',
  'command.file',
  'template.expression',
  'template.lookup',
  'header.newline',
  'header.field',
  'null.byte',
  'pollution.name',
  'pollution.text',
  'nosql.operator',
  'parameter.duplicate',
  'limit.depth',
  'limit.keys',
  'limit.size',
  'strict.character',
] as const;

/** What screening looks for. */
export type RuleId = (typeof RULES)[number];

const INDEX = new Map<RuleId, number>(RULES.map((rule, index) => [rule, index]));

/** The evidence against one text: each rule counts once, with the most that it found. */
export class Tally {
  readonly #weights = new Uint8Array(RULES.length);
  score = 0;

  add(rule: RuleId, weight: number): void {
    const index = INDEX.get(rule) ?? 0;
    const before = this.#weights[index] ?? 0;
    if (weight <= before) return;
    this.#weights[index] = weight;
    this.score += weight - before;
  }

  /** One strong finding, or a good deal of weak ones. */
  isConclusive(): boolean {
    return this.score >= 8 || this.#weights.some((weight) => weight >= 5);
  }

  clear(): void {
    if (this.score === 0) return;
    this.#weights.fill(0);
    this.score = 0;
  }

  /** Adds what `other` found. */
  include(other: Tally): void {
    if (other.score === 0) return;
    RULES.forEach((rule, index) => this.add(rule, other.#weights[index] ?? 0));
  }

  /** The rules that found something, and how much. */
  findings(): { rule: RuleId; score: number }[] {
    const found: { rule: RuleId; score: number }[] = [];
    RULES.forEach((rule, index) => {
      const score = this.#weights[index] ?? 0;
      if (score > 0) found.push({ rule, score });
    });
    return found;
  }

  /** Takes over what `other` holds against the text where that is more in sum. */
  keepWorse(other: Tally): void {
    if (other.score <= this.score) return;
    this.#weights.set(other.#weights);
    this.score = other.score;
  }
}
