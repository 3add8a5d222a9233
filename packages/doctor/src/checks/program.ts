import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { found, type Code, type Finding } from '../finding.js';
import { asRecord, type Folder, type Manifest, type TextFile } from '../folder/read-folder.js';

/** Lines of Node that get security fixes until then. https://nodejs.org/en/about/previous-releases */
const END_OF_LIFE: Readonly<Record<number, string>> = {
  20: '2026-04-30',
  22: '2027-04-30',
  24: '2028-04-30',
  26: '2029-04-30',
};

/** What is wrong with a line of Node. */
export function checkNodeLine(major: number, where: string, today: Date = new Date()): Finding[] {
  if (major % 2 === 1) return [found('SBX302', where, `Node ${major}`)];
  const end = END_OF_LIFE[major];
  const isOver = end === undefined ? major < 20 : today > new Date(end);
  return isOver ? [found('SBX301', where, `Node ${major}${end === undefined ? '' : `, until ${end}`}`)] : [];
}

const GIVEN_UP: Readonly<Record<string, string>> = {
  csurf: 'csrf() of @signalbox/security',
  'xss-clean': 'validation, and escaping where HTML is made',
  'express-brute': '@signalbox/rate-limit or express-rate-limit',
  request: 'fetch',
  'connect-mongo-sessions': 'connect-mongo',
  'express-bouncer': '@signalbox/rate-limit or express-rate-limit',
};

export function checkManifest({ manifest, root }: Folder): Finding[] {
  if (manifest === undefined || manifest.folder !== root) return [];
  const { content } = manifest;
  const findings: Finding[] = [];
  const start = asRecord(content['scripts'])?.['start'];
  if (typeof start === 'string') {
    if (/\b(?:nodemon|ts-node(?:-dev)?|ts-node-esm)\b|\btsx\b|--watch\b|\bbabel-node\b/.test(start)) {
      findings.push(found('SBX303', 'package.json: scripts.start', start.slice(0, 80)));
    }
    if (/--inspect/.test(start)) findings.push(found('SBX119', 'package.json: scripts.start'));
  }
  const engine = asRecord(content['engines'])?.['node'];
  const pinned =
    typeof engine === 'string' ? /^\s*[~^]?v?(\d+)(?:\.[\dx*]+){0,2}\s*$/.exec(engine)?.[1] : undefined;
  if (pinned !== undefined) findings.push(...checkNodeLine(Number(pinned), 'package.json: engines.node'));

  const dependencies = asRecord(content['dependencies']) ?? {};
  for (const [name, range] of Object.entries(dependencies)) {
    const where = `package.json: ${name}`;
    if (range === '*' || range === 'latest' || range === '')
      findings.push(found('SBX305', where, `"${range}"`));
    const instead = GIVEN_UP[name];
    if (instead !== undefined) findings.push(found('SBX306', where, `instead: ${instead}`));
  }
  if (Object.keys(dependencies).length > 0 && !hasLockFile(manifest))
    findings.push(found('SBX304', 'package.json'));
  return findings;
}

function hasLockFile({ folder }: Manifest): boolean {
  const names = [
    'package-lock.json',
    'npm-shrinkwrap.json',
    'pnpm-lock.yaml',
    'yarn.lock',
    'bun.lock',
    'bun.lockb',
  ];
  for (let at = folder; ; at = dirname(at)) {
    if (names.some((name) => existsSync(join(at, name)))) return true;
    if (dirname(at) === at || existsSync(join(at, '.git'))) return false;
  }
}

interface Smell {
  readonly code: Code;
  readonly pattern: RegExp;
  /** What else has to be there, or must not, near what was found. */
  readonly unless?: RegExp;
}

const SMELLS: readonly Smell[] = [
  {
    code: 'SBX311',
    pattern: /(?:set\(\s*['"]trust proxy['"]\s*,\s*(?:true|'true'|"true")|enable\(\s*['"]trust proxy['"])/g,
  },
  {
    code: 'SBX312',
    pattern: /\b(?:secret|secretOrKey|jwtSecret|sessionSecret)\s*:\s*\[?\s*(['"`])(?!\$\{)[^'"`\n]{4,}\1/g,
  },
  { code: 'SBX312', pattern: /\bjwt\.(?:sign|verify)\(\s*\w+\s*,\s*(['"])[^'"\n]+\1/g },
  { code: 'SBX312', pattern: /\bcookieParser\(\s*(['"])[^'"\n]+\1/g },
  { code: 'SBX313', pattern: /\bhttpOnly\s*:\s*false\b/g },
  { code: 'SBX313', pattern: /\bcookie\s*:\s*\{[^}]*\bsecure\s*:\s*false\b/g },
  {
    code: 'SBX313',
    pattern: /\bsameSite\s*:\s*['"]none['"](?![^}]*\bsecure\s*:\s*true)/gi,
    unless: /\bsecure\s*:\s*true/,
  },
  {
    code: 'SBX314',
    pattern: /\bcors\(\s*\{(?=[^}]*\borigin\s*:\s*(?:true|['"]\*['"]))(?=[^}]*\bcredentials\s*:\s*true)/g,
  },
  {
    code: 'SBX317',
    pattern: /process\.on\(\s*['"]uncaughtException['"]/g,
    unless: /\bexit(?:Code)?\b|\babort\(|\bkill\(|shutdown|drain/i,
  },
  { code: 'SBX318', pattern: /\bjwt\.verify\(\s*[\w.]+\s*,\s*[\w.]+\s*\)/g },
  { code: 'SBX318', pattern: /\balgorithms\s*:\s*\[[^\]]*['"]none['"]/gi },
  {
    code: 'SBX319',
    pattern: /\b(?:json|urlencoded|text|raw)\(\s*\{[^}]*\blimit\s*:\s*['"](?:\d{3,}mb|\d+gb)['"]/gi,
  },
  { code: 'SBX320', pattern: /\brejectUnauthorized\s*:\s*false\b/g },
  { code: 'SBX321', pattern: /\b\w*(?:redis|client|cache)\w*\.keys\(\s*['"`]/gi },
];

/** What the sources give away, by patterns: what is clear at sight, and nothing that takes more. */
export function checkSources({ sources, manifest, root }: Folder): Finding[] {
  // A folder inside a program, such as that of its deployment, is looked at for itself.
  if (manifest !== undefined && manifest.folder !== root) return [];
  const clean = sources.map(({ path, text }) => ({ path, text: withoutComments(text) }));
  const findings = clean.flatMap((file) => SMELLS.flatMap((smell) => smellIn(file, smell)));
  return [...findings, ...checkSessions(clean), ...checkSignals(clean), ...clean.flatMap(checkOrder)];
}

function smellIn({ path, text }: TextFile, { code, pattern, unless }: Smell): Finding[] {
  return [...text.matchAll(pattern)]
    .filter(({ index }) => unless === undefined || !unless.test(text.slice(index, index + 400)))
    .map(({ index }) => found(code, placeOf(path, text, index)));
}

function checkSessions(files: readonly TextFile[]): Finding[] {
  return files.flatMap(({ path, text }) => {
    if (!/['"]express-session['"]/.test(text)) return [];
    const match = /\bsession\(\s*\{/.exec(text);
    if (match === null || /\bstore\b/.test(text.slice(match.index, match.index + 1_000))) return [];
    return [found('SBX315', placeOf(path, text, match.index))];
  });
}

const DRAINS =
  /SIGTERM|@signalbox\/(?:server|cluster)|\bserve\(|terminus|http-graceful-shutdown|http-terminator|stoppable|close-with-grace/;

function checkSignals(files: readonly TextFile[]): Finding[] {
  const listening = files.find(({ text }) => /\b(?:app|server|httpServer)\.listen\(/.test(text));
  if (listening === undefined || files.some(({ text }) => DRAINS.test(text))) return [];
  return [found('SBX316', placeOf(listening.path, listening.text, listening.text.search(/\.listen\(/)))];
}

/** The order of the lines in which an app is composed, where it is composed in one file. */
function checkOrder({ path, text }: TextFile): Finding[] {
  if (!/\bexpress\(\)/.test(text)) return [];
  // What answers probes may stand before everything.
  const firstRoute = text.search(
    /\bapp\.(?:get|post|put|patch|delete)\(\s*['"`]\/(?!health|live|ready|ping|status|metrics)/,
  );
  if (firstRoute === -1) return [];
  const early = text.search(/\bapp\.use\(\s*errorHandler\(|\bapp\.use\(\s*\(\s*(?:err|error)\s*,/);
  const headers = text.search(/\bapp\.use\(\s*(?:helmet|securityHeaders)\(/);
  const lastRoute = Math.max(
    ...[...text.matchAll(/\bapp\.(?:get|post|put|patch|delete)\(\s*['"`]\//g)].map(({ index }) => index),
  );
  const findings: Finding[] = [];
  if (early !== -1 && early < lastRoute) {
    findings.push(found('SBX322', placeOf(path, text, early), 'the error handler stands before routes'));
  }
  if (headers !== -1 && headers > firstRoute) {
    findings.push(found('SBX322', placeOf(path, text, headers), 'the security headers stand behind routes'));
  }
  return findings;
}

/** Comments become blanks, so that lines keep their numbers. */
function withoutComments(text: string): string {
  const blank = (part: string): string => part.replace(/[^\n]/g, ' ');
  return text.replace(/\/\*[^]*?\*\//g, blank).replace(/(^|\s)\/\/[^\n]*/g, blank);
}

function placeOf(path: string, text: string, index: number): string {
  return `${path}:${text.slice(0, index).split('\n').length}`;
}

/** How long the program drains at most, where that is known. */
export function drainMsOf({ manifest, sources }: Folder): number | undefined {
  const dependencies = asRecord(manifest?.content['dependencies']) ?? {};
  if (!('@signalbox/server' in dependencies) && !('@signalbox/cluster' in dependencies)) return undefined;
  const said = sources.map(
    ({ text }) => /\b(?:totalMs:|DRAIN_TOTAL_MS\s*=|drainTotalMs\s*[:=])\s*([\d_]+)/.exec(text)?.[1],
  );
  const figure = said.find((each) => each !== undefined);
  return figure === undefined ? 30_000 : Number(figure.replaceAll('_', ''));
}
