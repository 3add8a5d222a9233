import { dirname } from 'node:path';
import { found, type Finding } from '../finding.js';
import { type Instruction, readDockerfile, readPairs, stagesOfImage } from '../folder/dockerfile.js';
import type { Folder, TextFile } from '../folder/read-folder.js';
import type { Setup } from '../folder/setup.js';
import { checkNodeLine } from './program.js';
import { checkSettings } from './settings.js';
import { isFilledIn, isSecretName } from './secrets.js';

export function isDockerfile(path: string): boolean {
  return /(?:^|\/)(?:[\w-]+\.)?Dockerfile(?:\.[\w-]+)?$/i.test(path) && !path.endsWith('.dockerignore');
}

/** What the image sets, which holds wherever it runs. */
export function environmentOfImage(text: string): Map<string, string> {
  return new Map(
    stagesOfImage(readDockerfile(text)).flatMap(({ instructions }) =>
      instructions.filter(({ name }) => name === 'ENV').flatMap(({ value }) => readPairs(value)),
    ),
  );
}

export function checkDockerfile({ path, text }: TextFile, folder: Folder): Finding[] {
  const stages = readDockerfile(text);
  const image = stagesOfImage(stages);
  const last = image.at(-1);
  const base = image[0];
  if (last === undefined || base === undefined || base.image === '') return [];
  const instructions = image.flatMap((stage) => stage.instructions);
  const where = (line: number): string => `${path}:${line}`;
  const setup: Setup = {
    where: path,
    values: environmentOfImage(text),
    complete: false,
    published: true,
    contained: true,
    replicas: 1,
  };
  const isNode = /(?:^|\/)node(?::|@|$)|bitnami\/node|nodejs/.test(base.image);
  const findings = checkSettings(setup, false, isNode);

  const args = stages.flatMap((stage) => stage.instructions).filter(({ name }) => name === 'ARG');
  for (const { value, line } of args) {
    for (const [name, given] of readPairs(value)) {
      if (isSecretName(name) && given !== '' && !isFilledIn(given))
        findings.push(found('SBX405', where(line), name));
    }
  }
  findings.push(...checkBases(stages, where));
  findings.push(...checkProcess(instructions, last.line, where));
  const user = instructions.findLast(({ name }) => name === 'USER');
  const isDistroless = /distroless.*nonroot|:nonroot/.test(base.image);
  if (user === undefined ? !isDistroless : /^(?:root|0)(?::|$)/.test(user.value)) {
    findings.push(found('SBX403', where(user?.line ?? last.line)));
  }
  findings.push(
    ...checkCopies(
      stages.flatMap((stage) => stage.instructions),
      path,
      folder,
    ),
  );
  const install = last.instructions.find(
    ({ name, value }) =>
      name === 'RUN' &&
      /\bnpm (?:install|i|ci)\b/.test(value) &&
      !/omit[= ]dev|production|npm (?:install|i) (?:-g|--global)|prune/.test(value),
  );
  const isPruned = last.instructions.some(({ value }) => /\bprune\b/.test(value));
  if (install !== undefined && !isPruned && setup.values.get('NODE_ENV') !== 'production') {
    findings.push(found('SBX407', where(install.line)));
  }
  return findings;
}

function checkBases(stages: ReturnType<typeof readDockerfile>, where: (line: number) => string): Finding[] {
  const names = new Set(stages.map(({ name }) => name));
  return stages.flatMap(({ image, line }) => {
    if (names.has(image) || image === 'scratch' || image.includes('$')) return [];
    const isFixed = /@sha256:|:(?!latest$)[\w.-]+$/.test(image);
    const major = /(?:^|\/)node:(\d+)/.exec(image)?.[1];
    return [
      ...(isFixed ? [] : [found('SBX404', where(line), image)]),
      ...(major === undefined ? [] : checkNodeLine(Number(major), where(line))),
    ];
  });
}

function checkProcess(
  instructions: readonly Instruction[],
  lastLine: number,
  where: (line: number) => string,
): Finding[] {
  const findings: Finding[] = [];
  const command = instructions.findLast(({ name }) => name === 'CMD');
  const entrypoint = instructions.findLast(({ name }) => name === 'ENTRYPOINT');
  const starter = entrypoint ?? command;
  if (starter !== undefined) {
    const words = readExec(starter.value);
    const code = words === undefined ? shellCode(starter.value) : processCode(words);
    // An init passes signals on, but npm below it keeps its ways.
    const inner =
      words !== undefined && /tini|dumb-init/.test(words[0] ?? '') && command
        ? readExec(command.value)
        : undefined;
    const final = inner === undefined ? code : processCode(inner);
    if (final !== undefined) findings.push(found(final, where(starter.line), starter.value.slice(0, 80)));
  }
  const signal = instructions.findLast(({ name }) => name === 'STOPSIGNAL');
  if (signal !== undefined && /^(?:SIG)?KILL$|^9$/.test(signal.value)) {
    findings.push(found('SBX408', where(signal.line ?? lastLine)));
  }
  return findings;
}

/** `exec node main.js` replaces the shell. */
function shellCode(text: string): 'SBX401' | 'SBX402' | undefined {
  return /^(?:.*&&\s*)?exec\s/.test(text)
    ? processCode(text.replace(/^.*?exec\s+/, '').split(/\s+/))
    : 'SBX401';
}

/** What process 1 is, where it should not be. */
export function processCode(words: readonly string[]): 'SBX401' | 'SBX402' | undefined {
  const program = (words[0] ?? '').replace(/^.*\//, '');
  if (/^(?:npm|npx|yarn|pnpm|pnpx)$/.test(program)) return 'SBX402';
  if (
    /^(?:sh|bash|dash|ash)$/.test(program) &&
    words[1] === '-c' &&
    !/(?:^|&&|;)\s*exec\s/.test(words[2] ?? '')
  )
    return 'SBX401';
  return undefined;
}

function readExec(text: string): string[] | undefined {
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) ? words.map(String) : undefined;
  } catch {
    return undefined;
  }
}

function checkCopies(instructions: readonly Instruction[], path: string, folder: Folder): Finding[] {
  const all = instructions.find(({ name, value }) => {
    if (name !== 'COPY' && name !== 'ADD') return false;
    const words = value.split(/\s+/).filter((word) => !word.startsWith('--'));
    return !value.includes('--from=') && words.slice(0, -1).some((word) => word === '.' || word === './');
  });
  if (all === undefined) return [];
  // The context is the folder of the Dockerfile, or one above.
  const ignore = folder.files.find(
    (file) =>
      /(?:^|\/)\.dockerignore$/.test(file.path) && path.startsWith(dirname(file.path).replace(/^\.$/, '')),
  );
  const hasOwn = folder.files.some((file) => file.path === `${path}.dockerignore`);
  const isCovered =
    hasOwn || (ignore !== undefined && /^\s*(?:\*\*?\/?)*(?:\.env|\*\s*$)/m.test(ignore.text));
  return isCovered ? [] : [found('SBX406', `${path}:${all.line}`)];
}
