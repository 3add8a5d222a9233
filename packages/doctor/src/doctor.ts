import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { checkEnvironment, checkSchema, environmentOf, type Environment } from './checks/environment.js';
import { checkFiles } from './checks/files.js';
import { checkManifest, checkNodeLine, checkSources, drainMsOf } from './checks/program.js';
import { isFilledIn } from './checks/secrets.js';
import { drainOf } from './checks/grace.js';
import { DoctorError } from './doctor-error.js';
import type { Finding } from './finding.js';
import { type Folder, readFolder } from './folder/read-folder.js';
import { processesOf, type Setup } from './folder/setup.js';
import { type DoctorOptions, type DoctorSettings, isWebAddress, resolveOptions } from './options.js';
import { type DoctorReport, makeReport } from './report.js';
import { examine } from './running/examine.js';
import { startApp } from './running/start-app.js';

/** What is examined, step by step. */
interface Case {
  readonly settings: DoctorSettings;
  /** What the app would find in its environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly findings: Finding[];
  readonly examined: string[];
  readonly skipped: string[];
}

/**
 * Looks for production mistakes: in settings, files and sources of a folder, in its Redis, and in the answers of the
 * running app.
 *
 * @param target a folder; a program, which is started for it; or the address of a running app
 * @throws {TypeError} when an option is wrong
 * @throws {DoctorError} when there is no such folder or program
 *
 * @example
 * const { ok, findings } = await doctor('.', { url: 'https://app.example.com' });
 */
export async function doctor(target: string, options: DoctorOptions = {}): Promise<DoctorReport> {
  const settings = resolveOptions(options);
  if (isWebAddress(target)) {
    const patient = newCase(settings, {});
    await examineRunning(target, patient);
    patient.skipped.push('settings and files: give the folder, and the address as url');
    return finish(target, patient);
  }
  const { folder, entry } = locate(target);
  const patient = newCase(settings, environmentOf(folder, settings.env));
  const drainMs = settings.drainMs ?? drainMsOf(folder);

  await examineFolder(folder, drainMs, patient);
  if (settings.url !== undefined) await examineRunning(settings.url, patient);
  else if (entry !== undefined && settings.start) await examineProgram(entry, folder, drainMs, patient);
  else patient.skipped.push('the running app: give its program, or its address as url');
  return finish(target, patient);
}

function newCase(settings: DoctorSettings, env: Environment): Case {
  return { settings, env, findings: [], examined: [], skipped: [] };
}

function finish(target: string, { settings, findings, examined, skipped }: Case): DoctorReport {
  const reported = findings.filter(({ code }) => !settings.ignore.has(code));
  return makeReport(target, reported, examined, skipped);
}

function locate(target: string): { folder: Folder; entry: string | undefined } {
  const path = resolve(target);
  if (target === '' || !existsSync(path))
    throw new DoctorError(`there is no folder or program ${target || '""'}`);
  if (statSync(path).isDirectory()) return { folder: readFolder(path), entry: undefined };
  const beside = readFolder(dirname(path));
  const root = beside.manifest?.folder ?? dirname(path);
  return { folder: root === beside.root ? beside : readFolder(root), entry: path };
}

async function examineFolder(folder: Folder, drainMs: number | undefined, patient: Case): Promise<void> {
  const { settings, env, findings, examined, skipped } = patient;
  findings.push(...checkEnvironment(folder, settings.env));
  examined.push('settings');
  if (settings.settings !== undefined) {
    findings.push(...checkSchema(settings.settings, folder, settings.env));
    examined.push('the schema of settings');
  }
  const url = env['REDIS_URL'] ?? '';
  const hasRedis = url !== '';
  const { findings: ofFiles, files } = checkFiles(folder, drainMs, hasRedis);
  findings.push(...ofFiles);
  examined.push(...files);
  if (folder.manifest?.folder === folder.root) {
    findings.push(...checkNodeLine(Number(process.versions.node.split('.')[0]), 'Node that runs this'));
    findings.push(...checkManifest(folder));
    examined.push('package.json');
  }
  findings.push(...checkSources(folder));
  if (folder.sources.length > 0) examined.push(`sources (${folder.sources.length})`);
  if (hasRedis && settings.redis && !isFilledIn(url)) {
    // Its client is loaded where there is one to ask.
    const { checkRedis } = await import('./checks/redis.js');
    findings.push(...(await checkRedis(url, 'REDIS_URL', settings.timeoutMs)));
    examined.push('Redis');
  } else {
    skipped.push(hasRedis ? 'Redis: as asked' : 'Redis: REDIS_URL is not set');
  }
}

function setupOf(env: Environment): Setup {
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(env)) if (value !== undefined) values.set(name, value);
  return { where: '', values, complete: true, published: false, contained: false, replicas: 1 };
}

async function examineProgram(
  entry: string,
  folder: Folder,
  drainMs: number | undefined,
  patient: Case,
): Promise<void> {
  const { settings, env, findings, examined } = patient;
  const app = await startApp({
    entry,
    cwd: folder.manifest?.folder ?? folder.root,
    // A doctor asks how it will be in production.
    env: { ...env, NODE_ENV: env['NODE_ENV'] ?? 'production' },
    timeoutMs: settings.startTimeoutMs,
  });
  examined.push('the program, started');
  if ('code' in app) {
    findings.push(app);
    return;
  }
  try {
    findings.push(...(await examine(app.url, running(patient), app)));
  } finally {
    // Nobody asks any more: what takes longer than a drain would never end.
    findings.push(...(await app.stop((drainOf(drainMs, setupOf(env)) ?? 10_000) + 2_000)));
  }
}

async function examineRunning(url: string, patient: Case): Promise<void> {
  patient.findings.push(...(await examine(url, running(patient))));
  patient.examined.push(url);
}

function running({ settings, env }: Case): Parameters<typeof examine>[1] {
  const trust = env['TRUST_PROXY'] ?? '';
  return {
    publicUrl: env['PUBLIC_URL'],
    allowedOrigin: env['CORS_ORIGINS']
      ?.split(',')
      .find((origin) => /^https?:\/\/[^*]+$/.test(origin.trim()))
      ?.trim(),
    processes: processesOf(setupOf(env)),
    hasProxy: trust !== '' && !/^(?:off|false|0)$/i.test(trust),
    timeoutMs: settings.timeoutMs,
  };
}
