import { inspect } from '../../src/screening/inspect.js';
import { judgeBody } from '../../src/screening/judge-body.js';
import { KINDS, type ScreeningKind } from '../../src/screening/kinds.js';
import { resolveOptions } from '../../src/screening/options.js';
import { type AttackLists, debianLists, listsIn, npmLists } from './attack-lists.js';
import { benignTexts } from './benign-texts.js';
import { partOf } from './halves.js';
import { harmlessBodies } from './harmless-bodies.js';

// Prints what the README says about screening: what benign texts pass, what of the attack lists is caught, and how
// long a megabyte takes. With a folder as argument, also how its lists fare; with `bodies`, only how long bodies take.

const shares = (part: number, whole: number): string =>
  `${part} of ${whole}, ${((100 * part) / whole).toFixed(2)} %`;
const isRefused = (text: string, kind: ScreeningKind): boolean =>
  inspect(text, { kind, multiline: true }).refused;

function measureBenign(): void {
  console.log('\nBenign texts that pass');
  for (const [source, texts] of Object.entries(benignTexts())) {
    const unique = partOf(texts, 'both');
    for (const kind of ['search', 'text'] as const) {
      console.log(
        `  as ${kind}: ${shares(unique.filter((text) => !isRefused(text, kind)).length, unique.length)}; ${source}`,
      );
    }
  }
}

function measureAttacks(title: string, lists: AttackLists): void {
  console.log(`\nAttacks that are refused: ${title}`);
  for (const [name, sources] of Object.entries(lists)) {
    if (sources.length === 0) continue;
    for (const half of ['developed', 'held out'] as const) {
      const attacks = [...new Set(sources.flatMap((list) => partOf(list.attacks, half)))];
      const caught = KINDS.map(
        (kind) => `${kind} ${shares(attacks.filter((text) => isRefused(text, kind)).length, attacks.length)}`,
      );
      console.log(`  ${name}, ${half}: ${caught.slice(0, 2).join('; ')}`);
    }
    for (const { source, attacks } of sources)
      console.log(
        `    ${shares(attacks.filter((text) => isRefused(text, 'text')).length, attacks.length)}: ${source}`,
      );
  }
}

function measureSpeed(): void {
  console.log('\nTime for 1 MB, the best of 15');
  const megabyte = (texts: readonly string[]): string =>
    Buffer.from(texts.join('\n').slice(0, 2 ** 20)).toString();
  const corpora = Object.entries(benignTexts()).map(([source, texts]) => [source, megabyte(texts)] as const);
  const repeated = [
    "'",
    '<',
    '../',
    '<script',
    "' or 1",
    'union ',
    '%25',
    '&#',
    '{{',
    '${',
    'on=',
    '(',
    '/*',
    'a',
  ];
  for (const text of repeated)
    corpora.push([`only ${JSON.stringify(text)}`, text.repeat(Math.ceil(2 ** 20 / text.length))]);
  for (const [source, text] of corpora) {
    let best = Infinity;
    for (let round = 0; round < 15; round++) {
      const start = performance.now();
      inspect(text, { kind: 'search', multiline: true });
      best = Math.min(best, performance.now() - start);
    }
    console.log(`  ${best.toFixed(2)} ms: ${source}`);
  }
}

function measureBodies(): void {
  console.log('\nTime to judge a body of 1 MB, of 40: the best, the median');
  const { body: kinds, limits } = resolveOptions({ mode: 'enforce', limits: { maxKeys: 100_000 } });
  if (kinds === undefined) throw new Error('bodies are judged by default');
  let isFirst = true;
  for (const [name, body] of Object.entries(harmlessBodies())) {
    const times: number[] = [];
    for (let round = 0; round < 40; round++) {
      const start = performance.now();
      const verdict = judgeBody(body, kinds, limits);
      times.push(performance.now() - start);
      if (verdict !== undefined) throw new Error(`${name} is refused: ${verdict.rules.join(', ')}`);
    }
    // Before anything is optimized; only where nothing else was measured before.
    if (isFirst) console.log(`  ${times[0]?.toFixed(1)} ms: the first body that was judged, ${name}`);
    isFirst = false;
    times.sort((a, b) => a - b);
    console.log(`  ${times[0]?.toFixed(1)} ms, ${times[20]?.toFixed(1)} ms: ${name}`);
  }
}

async function measureAll(folder: string | undefined): Promise<void> {
  measureBenign();
  measureAttacks('npm packages', npmLists());
  const scanners = await debianLists();
  if (scanners !== undefined) measureAttacks('Debian packages wfuzz and wapiti', scanners);
  if (folder !== undefined) measureAttacks(folder, listsIn(folder));
  measureSpeed();
  measureBodies();
}

const [argument] = process.argv.slice(2);
if (argument === 'bodies') measureBodies();
else await measureAll(argument);
