import { describe, expect, it } from 'vitest';
import { inspect } from '../src/screening/inspect.js';
import type { ScreeningKind } from '../src/screening/kinds.js';
import { type AttackClass, type AttackLists, debianLists, npmLists } from './corpora/attack-lists.js';
import { benignTexts } from './corpora/benign-texts.js';
import { partOf } from './corpora/halves.js';

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)} %`;

function refusedOf(texts: readonly string[], kind: ScreeningKind): string[] {
  return texts.filter((text) => inspect(text, { kind, multiline: true }).refused);
}

/** What is caught of the half of the lists that nobody looked at, in percent for each class. */
function recall(lists: AttackLists): Partial<Record<AttackClass, number>> {
  const caught: Partial<Record<AttackClass, number>> = {};
  for (const [name, sources] of Object.entries(lists) as [AttackClass, AttackLists[AttackClass]][]) {
    const attacks = sources.flatMap((list) => partOf(list.attacks, 'held out'));
    const refused = refusedOf(attacks, 'text').length;
    if (attacks.length === 0) continue;
    caught[name] = (100 * refused) / attacks.length;
    console.log(
      `  ${name.padEnd(10)} ${refused} of ${attacks.length} caught, ${percent(refused, attacks.length)}`,
    );
  }
  return caught;
}

describe('screening, held against what people write', () => {
  it.each<ScreeningKind>(['search', 'text'])('lets at least 999 in 1000 benign texts pass as %s', (kind) => {
    let all = 0;
    let refused = 0;
    for (const [source, texts] of Object.entries(benignTexts())) {
      // Every seventh of them: a hundred thousand sentences tell no more than fifteen thousand, but take longer.
      const some = texts.filter((_, index) => index % 7 === 0);
      const wrong = refusedOf(some, kind);
      all += some.length;
      refused += wrong.length;
      console.log(
        `  ${kind}: ${some.length - wrong.length} of ${some.length} pass, ${percent(some.length - wrong.length, some.length)}; ${source}`,
      );
    }
    expect(all).toBeGreaterThan(20_000);
    expect(refused / all).toBeLessThanOrEqual(0.001);
  });

  it('catches most of the attack lists that npm packages bring', () => {
    const caught = recall(npmLists());
    expect(caught.xss).toBeGreaterThanOrEqual(85);
  });

  it('catches most of the attack lists of the wfuzz and wapiti scanners, where they can be had', async () => {
    const lists = await debianLists();
    if (lists === undefined) {
      console.log('  no apt-get or no network here: the lists of wfuzz and wapiti are left out');
      return;
    }
    const caught = recall(lists);
    expect(caught.sql).toBeGreaterThanOrEqual(88);
    expect(caught.xss).toBeGreaterThanOrEqual(90);
    expect(caught.traversal).toBeGreaterThanOrEqual(98);
    expect(caught.command).toBeGreaterThanOrEqual(50);
  }, 180_000);
});
