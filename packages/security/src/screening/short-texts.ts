import type { ScreeningKind } from './kinds.js';
import { SHORT, suspectsAmong, TOGETHER } from './scan-many.js';
import { judgeField, type Verdict } from './verdict.js';

/** So many are judged as they come: most bodies hold no more, and for them it is the cheapest. */
const FEW = 16;

/** The texts of a body, of which the short ones are judged together once they are many. */
export class ShortTexts {
  #seen = 0;
  #length = 0;
  #texts: string[] = [];
  #kinds: ScreeningKind[] = [];

  /** Takes a text in. What it returns is the verdict on this one or one before it: the first that is refused. */
  judge(text: string, kind: ScreeningKind): Verdict | undefined {
    this.#seen += 1;
    if (this.#seen <= FEW) return judgeField(text, kind, 'body');
    // Of these two kinds a text is judged by more, or less, than what a scan finds.
    if (text.length > SHORT || kind === 'strict' || kind === 'code')
      return this.judgeRest() ?? judgeField(text, kind, 'body');

    const verdict = this.#length + text.length + 1 > TOGETHER ? this.judgeRest() : undefined;
    if (verdict !== undefined) return verdict;
    this.#length += text.length + 1;
    this.#texts.push(text);
    this.#kinds.push(kind);
    return undefined;
  }

  /** Judges what was taken in and has not been judged yet. */
  judgeRest(): Verdict | undefined {
    if (this.#texts.length === 0) return undefined;
    const [texts, kinds] = [this.#texts, this.#kinds];
    this.#length = 0;
    this.#texts = [];
    this.#kinds = [];
    const suspects = suspectsAmong(texts);
    for (let i = suspects.indexOf(1); i >= 0; i = suspects.indexOf(1, i + 1)) {
      const verdict = judgeField(texts[i] as string, kinds[i] as ScreeningKind, 'body');
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }
}
