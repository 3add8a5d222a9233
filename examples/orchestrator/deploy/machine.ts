// What the deployment files of one machine have from the app: figures, and whole files.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { config, describeConfig, type SettingDescription } from '@signalbox/config';
import { zones } from '@signalbox/rate-limit';
import { resolveClusterOptions } from '../../../packages/cluster/src/options.js';
import { ANSWER_DEADLINE_MS, DRAIN_TOTAL_MS } from '../src/deadlines.js';
import { rates, SETTINGS } from '../src/settings.js';

const settings = config(SETTINGS, { env: {} });
const manager = resolveClusterOptions({ entry: process.execPath });

/** What whoever stops the app waits on top of its drain: for a report, and the end of the process. */
const MARGIN_SECONDS = 5;

const seconds = (ms: number): number => Math.ceil(ms / 1_000);

export const MACHINE = {
  /** Where the app listens unless it is told otherwise. */
  port: settings.PORT,
  answerSeconds: seconds(ANSWER_DEADLINE_MS),
  /** Until a container, which is one process, is killed. */
  containerStopSeconds: seconds(DRAIN_TOTAL_MS) + MARGIN_SECONDS,
  /** Until the process manager, which kills workers that do not drain by itself, is killed. */
  managerStopSeconds: seconds(Math.max(DRAIN_TOTAL_MS, manager.drainTimeoutMs)) + MARGIN_SECONDS,
  managerStartSeconds: seconds(manager.readyTimeoutMs) + MARGIN_SECONDS,
  /** Who the image runs as. */
  user: 10_001,
} as const;

/** nginx's own limit on guesses; the app counts failures besides, which nginx cannot. */
const SIGN_IN = { limit: 30, windowMs: 60_000, burst: 10 };

/** `nginx/signalbox/limits.conf`: the app's zones, and the one for sign-in. */
function nginxLimits(): string {
  const { api, search } = rates(settings);
  const limits = zones({ zones: { api, search, signin: SIGN_IN } });
  const text = limits.nginx();
  limits.close();
  return `# Made from the settings of the app.\n${text}`;
}

/** `.env.example`: every setting, and what it is where nobody says anything. */
function envExample(): string {
  const rows = describeConfig(SETTINGS).map((setting) => {
    const { name, wanted, description = name } = setting;
    return `# ${description}.\n# ${wanted}\n${lineOf(setting)}\n`;
  });
  return `# Every setting of the orchestrator, made from its schema; what stands behind = is the default.
# NAME_FILE reads the value of NAME from a file, which is the better place for a secret.

${rows.join('\n')}`;
}

function lineOf(setting: SettingDescription): string {
  const { name, wanted } = setting;
  if (/\bsecrets? of at least\b/.test(wanted)) return `#${name}_FILE=`;
  return `#${name}=${defaultInWords(setting)}`;
}

/** What holds where nobody sets it; nothing where there is no default. */
export function defaultInWords({ default: value = '' }: SettingDescription): string {
  return value === '(none)' ? '' : value;
}

/**
 * `compose/upstreams.conf`: those of a machine, by the names that containers have. A consistent hash goes by the name; all instances
 * share one here, and would take turns.
 */
function composeUpstreams(): string {
  const file = fileURLToPath(new URL('nginx/signalbox/upstreams.conf', import.meta.url));
  return readFileSync(file, 'utf8')
    .replace('hash $remote_addr consistent;', 'hash $remote_addr;')
    .replace(
      /^ *# A second instance.*\n/m,
      '  # All instances of `--scale app=N`, as of the start or the last reload of nginx.\n',
    )
    .replace(`127.0.0.1:${MACHINE.port}`, `app:${MACHINE.port}`)
    .replace('127.0.0.1:8080', 'searxng:8080');
}

/** The files that are made, by their path in this folder. */
export function machineFiles(): Readonly<Record<string, string>> {
  return {
    '.env.example': envExample(),
    'compose/upstreams.conf': composeUpstreams(),
    'nginx/signalbox/limits.conf': nginxLimits(),
  };
}
