import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { found, type Finding } from '../finding.js';
import { inSeconds } from '../folder/duration.js';
import { asRecord } from '../folder/read-folder.js';
import { type Child, startChild } from './child.js';

/** Compiled: a program of somebody else's loads it. */
const INSPECTOR = new URL('../../dist/running/inspect-app.js', import.meta.url);

type Told = Readonly<Record<string, unknown>>;

/** An app that runs for being looked at. */
export interface StartedApp {
  readonly url: string;
  /** The field that makes a request tell from the inside how it was taken. */
  readonly headers: Readonly<Record<string, string>>;
  /** What was told so far. */
  told(): readonly Told[];
  /** Asks it to stop, and says how it did. */
  stop(graceMs: number): Promise<Finding[]>;
}

export interface StartOptions {
  readonly entry: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
}

/** Starts the app on a free port of loopback, or says why it does not start. */
export async function startApp({ entry, cwd, env, timeoutMs }: StartOptions): Promise<StartedApp | Finding> {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-doctor-'));
  const file = join(folder, 'told');
  const mark = randomUUID();
  const childEnv = {
    ...env,
    PORT: '0',
    HOST: '127.0.0.1',
    SOCKET: undefined,
    NODE_OPTIONS: `${env['NODE_OPTIONS'] ?? ''} --import ${INSPECTOR.href}`.trim(),
    SIGNALBOX_DOCTOR_FILE: file,
    SIGNALBOX_DOCTOR_MARK: mark,
  };
  const child = startChild([entry], cwd, childEnv, () => rmSync(folder, { recursive: true, force: true }));
  const told = (): Told[] => readTold(file);
  const port = await whenListening(child, told, timeoutMs);
  if (port === undefined) {
    const why = whyNot(child, timeoutMs);
    child.release();
    return found('SBX526', entry, why);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    headers: { 'x-signalbox-doctor': mark },
    told,
    async stop(graceMs) {
      const handles = told().findLast(({ kind }) => kind === 'request')?.['handlesSigterm'];
      const ending = await endOf(child, graceMs);
      child.release();
      if (ending === 'SIGKILL') return [found('SBX520', entry, `it was killed after ${inSeconds(graceMs)}`)];
      return ending === 'SIGTERM' && handles !== true ? [found('SBX521', entry)] : [];
    },
  };
}

/** Whole lines: the last one may be on its way. */
function readTold(file: string): Told[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => asRecord(JSON.parse(line)) ?? {});
}

async function whenListening(
  child: Child,
  told: () => readonly Told[],
  timeoutMs: number,
): Promise<number | undefined> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    for (const { kind, port } of told()) {
      // A manager may try an address before its workers take it.
      if (kind === 'listening' && typeof port === 'number' && (await accepts(port))) return port;
    }
    if (child.exit() !== undefined || performance.now() > end) return undefined;
    await Promise.race([child.ended, new Promise((resolve) => setTimeout(resolve, 25))]);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const done = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}

function whyNot(child: Child, timeoutMs: number): string {
  const exit = child.exit();
  const how =
    exit === undefined
      ? `it did not listen within ${inSeconds(timeoutMs)}`
      : `it ended with ${exit.code ?? exit.signal ?? 'an error'}`;
  // What a person would look at first; nothing more, since it may be long.
  const lines = child
    .output()
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at |^Node\.js v/.test(line));
  return `${how}: ${lines.slice(-6).join(' | ').slice(0, 600) || 'it printed nothing'}`;
}

/** The signal that ended it, if one did. */
async function endOf(child: Child, graceMs: number): Promise<string | null | undefined> {
  child.terminate();
  const timer = setTimeout(() => child.kill(), graceMs);
  await child.ended;
  clearTimeout(timer);
  return child.exit()?.signal;
}
