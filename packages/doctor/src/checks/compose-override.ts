import type { Finding } from '../finding.js';
import { asRecord, asText, type Folder, type TextFile } from '../folder/read-folder.js';
import { checkCompose, composeServices, type Service } from './compose.js';

const OVERRIDE = /((?:^|\/)(?:docker-)?compose)\.override\.ya?ml$/;
/** Lists that are one value: the later one stands for itself. */
const REPLACED = new Set(['command', 'entrypoint', 'test']);
/** `NAME=value` in a list, or names with their values. */
const PAIRS = new Set(['environment', 'labels', 'args', 'annotations']);

/** The file that this one is put on top of by compose itself, where it is such a one. */
export function baseOf({ path }: TextFile, { files }: Folder): TextFile | undefined {
  const [, stem] = OVERRIDE.exec(path) ?? [];
  if (stem === undefined) return undefined;
  const folder = path.replace(OVERRIDE, '');
  return files.find((file) => file.path.startsWith(folder) && isBase(file.path.slice(folder.length)));
}

function isBase(name: string): boolean {
  return /^\/?(?:docker-)?compose\.ya?ml$/.test(name);
}

/** What comes of both together and of the first alone not: its own mistakes are told of it. */
export function checkOverride(
  file: TextFile,
  services: ReadonlyMap<string, Service>,
  base: TextFile,
  folder: Folder,
  drainMs: number | undefined,
): Finding[] {
  const below = composeServices(base.text) ?? new Map<string, Service>();
  const both = new Map(below);
  for (const [name, service] of services) both.set(name, merged(below.get(name) ?? {}, service));
  const known = new Set(checkCompose(base, below, folder, drainMs).map((each) => nameOf(each, base)));
  return checkCompose(file, both, folder, drainMs).filter((each) => !known.has(nameOf(each, file)));
}

/** Which finding it is, whichever file it is in. */
function nameOf({ code, where, detail }: Finding, { path }: TextFile): string {
  return `${code} ${where.replace(path, '')} ${detail ?? ''}`;
}

/** As compose puts the files of one project together. */
function merged(below: Service, above: Service): Service {
  const result: Record<string, unknown> = { ...below };
  for (const [name, value] of Object.entries(above)) {
    const before = PAIRS.has(name) ? recordOf(result[name]) : result[name];
    const after = PAIRS.has(name) ? recordOf(value) : value;
    const [record, other] = [asRecord(after), asRecord(before)];
    if (record !== undefined && other !== undefined) result[name] = merged(other, record);
    else if (Array.isArray(after) && Array.isArray(before) && !REPLACED.has(name)) {
      result[name] = [...(before as unknown[]), ...(after as unknown[])];
    } else result[name] = after;
  }
  return result;
}

function recordOf(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return Object.fromEntries(
    value.map((entry) => {
      const [name = '', ...rest] = asText(entry).split('=');
      return [name, rest.length === 0 ? null : rest.join('=')];
    }),
  );
}
