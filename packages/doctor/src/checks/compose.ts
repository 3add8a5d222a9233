import { dirname, join } from 'node:path/posix';
import { parseEnv } from 'node:util';
import { parsedUrl } from '@signalbox/options';
import { parse } from 'yaml';
import { found, type Finding } from '../finding.js';
import { readBytes, readMs } from '../folder/duration.js';
import { asList, asRecord, asText, type Folder, type TextFile } from '../folder/read-folder.js';
import type { Setup } from '../folder/setup.js';
import { environmentOfImage, isDockerfile, processCode } from './dockerfile.js';
import { checkGrace, drainOf } from './grace.js';
import { checkNodeLine } from './program.js';
import { checkSettings } from './settings.js';

export type Service = Readonly<Record<string, unknown>>;

/** The services of a compose file, or `undefined` where it is none. */
export function composeServices(text: string): ReadonlyMap<string, Service> | undefined {
  if (!/^services:/m.test(text)) return undefined;
  // Of tags that YAML does not know, as compose's `!reset`, nobody is warned.
  const file: unknown = parse(text, { merge: true, logLevel: 'error' });
  const services = asRecord(asRecord(file)?.['services']);
  if (services === undefined) return undefined;
  return new Map(
    Object.entries(services).flatMap(([name, service]) => {
      const record = asRecord(service);
      return record === undefined ? [] : [[name, record]];
    }),
  );
}

const DATABASE_PORTS = new Set(['5432', '6379', '3306', '27017', '9200', '11211', '26379']);

export function checkCompose(
  file: TextFile,
  services: ReadonlyMap<string, Service>,
  folder: Folder,
  drainMs: number | undefined,
): Finding[] {
  return [...services].flatMap(([name, service]) => {
    const where = `${file.path}: ${name}`;
    const setup = setupOf(service, where, file, folder);
    const isApp = isAppService(service);
    return [
      ...checkSettings(setup, false, isApp),
      ...checkService(service, where),
      ...(isApp ? checkAppService(service, setup, services, drainMs) : checkDatabase(service, where)),
    ];
  });
}

/** Built here, or run with Node: not a database, and not a proxy. */
function isAppService(service: Service): boolean {
  const image = asText(service['image']);
  if (service['build'] !== undefined || /(?:^|\/)node(?::|@|$)/.test(image)) return true;
  return /(?:^|[\s/])(?:node|npm|signalbox)(?:\s|$)/.test(wordsOf(service['command']).join(' '));
}

function setupOf(service: Service, where: string, file: TextFile, folder: Folder): Setup {
  const values = new Map<string, string>(imageEnvironment(service, folder));
  const elsewhere = new Set(values.keys());
  let complete = true;
  const beside = (path: string): string => join(dirname(file.path), path);
  for (const entry of [service['env_file']].flat()) {
    const path = asText(asRecord(entry)?.['path'] ?? entry);
    if (path === '') continue;
    const content = folder.files.find((each) => each.path === beside(path));
    if (content === undefined) complete = false;
    else
      for (const [name, value] of Object.entries(parseEnv(content.text))) {
        values.set(name, value ?? '');
        elsewhere.add(name);
      }
  }
  const environment = service['environment'];
  const pairs = Array.isArray(environment)
    ? environment.map((entry) => {
        const text = asText(entry);
        const at = text.indexOf('=');
        return at === -1
          ? ([text, '${from the shell}'] as const)
          : ([text.slice(0, at), text.slice(at + 1)] as const);
      })
    : Object.entries(asRecord(environment) ?? {}).map(
        ([name, value]) => [name, value === null ? '${from the shell}' : asText(value)] as const,
      );
  for (const [name, value] of pairs) {
    values.set(name, value);
    elsewhere.delete(name);
  }
  const deploy = asRecord(service['deploy']);
  const limit = asRecord(asRecord(deploy?.['resources'])?.['limits'])?.['memory'] ?? service['mem_limit'];
  return {
    where,
    values,
    elsewhere,
    complete,
    published: true,
    contained: service['network_mode'] !== 'host',
    replicas: Number(deploy?.['replicas'] ?? service['scale'] ?? 1) || 1,
    memoryBytes: readBytes(asText(limit)),
  };
}

/** What the image of a service that is built here sets by itself. */
function imageEnvironment(service: Service, folder: Folder): ReadonlyMap<string, string> {
  if (service['build'] === undefined) return new Map();
  const dockerfiles = folder.files.filter(({ path }) => isDockerfile(path));
  const only = dockerfiles.length === 1 ? dockerfiles[0] : undefined;
  return only === undefined ? new Map() : environmentOfImage(only.text);
}

function checkService(service: Service, where: string): Finding[] {
  const findings: Finding[] = [];
  const image = asText(service['image']);
  if (
    image !== '' &&
    service['build'] === undefined &&
    !image.includes('$') &&
    !/@sha256:|:(?!latest$)[\w.-]+$/.test(image)
  ) {
    findings.push(found('SBX404', where, image));
  }
  const major = /(?:^|\/)node:(\d+)/.exec(image)?.[1];
  if (major !== undefined) findings.push(...checkNodeLine(Number(major), where));
  const isOnce =
    service['profiles'] !== undefined || service['restart'] === 'no' || service['restart'] === false;
  const restarts = service['restart'] ?? asRecord(service['deploy'])?.['restart_policy'];
  if (restarts === undefined && !isOnce) findings.push(found('SBX422', where));
  const mounts = asList(service['volumes']).map((each) => asText(asRecord(each)?.['source'] ?? each));
  if (
    service['privileged'] === true ||
    mounts.some((mount) => mount.startsWith('/var/run/docker.sock') && !mount.endsWith(':ro'))
  ) {
    findings.push(found('SBX425', where));
  }
  for (const port of asList(service['ports'])) {
    const { host, inside, address } = readPort(port);
    if (host !== '' && DATABASE_PORTS.has(inside) && !/^(?:127\.|\[?::1)/.test(address)) {
      findings.push(found('SBX421', where, `port ${host}`));
    }
  }
  return findings;
}

/** `127.0.0.1:8080:80/tcp`, `8080:80`, `80`, or the long form. */
function readPort(port: unknown): { address: string; host: string; inside: string } {
  const long = asRecord(port);
  if (long !== undefined) {
    return {
      address: asText(long['host_ip']),
      host: asText(long['published']),
      inside: asText(long['target']),
    };
  }
  const parts = asText(port)
    .replace(/\$\{\w+:?-?([^}]*)\}/g, '$1')
    .replace(/\/\w+$/, '')
    .split(/:(?![^[]*\])/);
  return { inside: parts.at(-1) ?? '', host: parts.at(-2) ?? '', address: parts.at(-3) ?? '' };
}

function checkAppService(
  service: Service,
  setup: Setup,
  services: ReadonlyMap<string, Service>,
  drainMs: number | undefined,
): Finding[] {
  const { where, values } = setup;
  const grace = readMs(asText(service['stop_grace_period'] ?? '10s'));
  const findings = checkGrace(grace, drainOf(drainMs, setup), where);
  const command = service['entrypoint'] ?? service['command'];
  // A text is split by compose itself, without a shell.
  const code = processCode(wordsOf(command));
  if (code !== undefined && service['init'] !== true) findings.push(found(code, where));
  if (service['user'] !== undefined && /^(?:root|0)(?::|$)/.test(asText(service['user']))) {
    findings.push(found('SBX403', where));
  }
  const listens = values.get('PORT');
  if (listens !== undefined && /^\d+$/.test(listens) && service['network_mode'] !== 'host') {
    const inside = asList(service['ports']).map((port) => readPort(port).inside);
    if (inside.length > 0 && !inside.includes(listens)) {
      findings.push(found('SBX426', where, `PORT is ${listens}, published is ${inside.join(', ')}`));
    }
  }
  const url = values.get('REDIS_URL') ?? '';
  const name = parsedUrl(url)?.hostname ?? '';
  const redis = services.get(name);
  const policy = /maxmemory-policy\s+(\S+)/.exec(wordsOf(redis?.['command']).join(' '))?.[1];
  if (policy !== undefined && policy !== 'noeviction')
    findings.push(found('SBX423', `${where.split(':')[0]}: ${name}`, policy));
  return findings;
}

function checkDatabase(service: Service, where: string): Finding[] {
  const image = asText(service['image']);
  const isPostgres = /(?:^|\/)(?:postgres|postgis|mysql|mariadb|mongo)\b/.test(image);
  const keeps = isPostgres || /appendonly\s+yes|--save\s+\d/.test(wordsOf(service['command']).join(' '));
  if (!keeps || !/postgres|postgis|mysql|mariadb|mongo|redis|valkey/.test(image)) return [];
  return asList(service['volumes']).length > 0 ? [] : [found('SBX424', where)];
}

function wordsOf(command: unknown): string[] {
  return Array.isArray(command) ? command.map(asText) : asText(command).split(/\s+/);
}
