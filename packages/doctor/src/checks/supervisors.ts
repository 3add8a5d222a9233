import { found, type Finding } from '../finding.js';
import { readMs } from '../folder/duration.js';
import { readPairs } from '../folder/dockerfile.js';
import type { TextFile } from '../folder/read-folder.js';
import type { Setup } from '../folder/setup.js';
import { checkGrace, drainOf } from './grace.js';
import { checkSettings } from './settings.js';

const STARTS_NODE =
  /(?:^|[\s/])(?:node|npm|npx|yarn|pnpm)\s|(?:^|[\s/])signalbox(?:\.js)?\s+start\b|start-production/;

const MANAGES = /signalbox(?:\.js)?\s+start\b/;

/** A unit of systemd that runs a Node process. */
export function checkUnit({ path, text }: TextFile, drainMs: number | undefined): Finding[] {
  const settings = readUnit(text);
  const last = (name: string): string | undefined => settings.get(name)?.at(-1);
  const start = last('ExecStart') ?? '';
  const type = last('Type') ?? 'simple';
  if (!STARTS_NODE.test(start) || type === 'oneshot') return [];
  const values = new Map((settings.get('Environment') ?? []).flatMap((line) => readPairs(line)));
  const isOpen =
    settings.has('EnvironmentFile') || settings.has('LoadCredential') || settings.has('PassEnvironment');
  const setup: Setup = {
    where: path,
    values,
    complete: !isOpen,
    published: true,
    contained: last('PrivateNetwork') === 'yes',
    replicas: 1,
  };
  const findings = checkSettings(setup, false, true);
  const say = (code: Finding['code'], name: string, detail?: string): void =>
    void findings.push(found(code, `${path}: ${name}`, detail));

  const stop = readMs(last('TimeoutStopSec') ?? last('TimeoutSec') ?? '90s');
  findings.push(...checkGrace(stop, drainOf(drainMs, setup, MANAGES.test(start)), `${path}: TimeoutStopSec`));
  if (!/^(?:always|on-failure|on-abnormal)$/.test(last('Restart') ?? 'no')) say('SBX482', 'Restart');
  const isDynamic = /^(?:yes|true|1)$/.test(last('DynamicUser') ?? '');
  if (!isDynamic && /^(?:root|0)?$/.test(last('User') ?? '')) say('SBX483', 'User');
  if (/^[-@:+!]*\S*\b(?:sh|bash|npm|npx|yarn|pnpm)\s/.test(start) && !/-c\s+['"]?exec\s/.test(start)) {
    say('SBX484', 'ExecStart', start.slice(0, 80));
  }
  if (type.startsWith('notify') && last('NotifyAccess') !== 'all') say('SBX485', 'NotifyAccess');
  if (/KILL$|^9$/.test(last('KillSignal') ?? '') || /^(?:process|none)$/.test(last('KillMode') ?? ''))
    say('SBX486', 'KillMode');
  const files = last('LimitNOFILE')?.split(':')[0];
  if (files !== undefined && Number(files) < 4_096) say('SBX487', 'LimitNOFILE', files);
  return findings;
}

function readUnit(text: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  for (const line of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    const [, name, value = ''] = /^\s*([A-Z]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) settings.set(name, [...(settings.get(name) ?? []), value]);
  }
  return settings;
}

export function checkProcfile({ path, text }: TextFile): Finding[] {
  const web = /^web:\s*(.+)$/m.exec(text)?.[1] ?? '';
  return /^(?:npm|yarn|pnpm|npx)\b/.test(web) ? [found('SBX491', path, web.slice(0, 80))] : [];
}

/** The file of pm2, as text: it is a program, and not run. */
export function checkPm2(
  { path, text }: TextFile,
  drainMs: number | undefined,
  hasRedis: boolean,
): Finding[] {
  const findings: Finding[] = [];
  const kill = /\bkill_timeout\s*:\s*([\d_]+)/.exec(text)?.[1];
  // What it waits by itself before it kills.
  const graceMs = kill === undefined ? 1_600 : Number(kill.replaceAll('_', ''));
  findings.push(...checkGrace(graceMs, drainMs, `${path}: kill_timeout`));
  const instances = /\binstances\s*:\s*['"]?([\w-]+)/.exec(text)?.[1];
  const isMany = instances !== undefined && !/^[01]$/.test(instances);
  if (isMany && !hasRedis && !/REDIS|VALKEY/.test(text)) {
    findings.push(found('SBX116', path, `instances: ${instances}, and no REDIS_URL`));
  }
  if (/\bwatch\s*:\s*(?:true|\[)/.test(text)) findings.push(found('SBX492', path));
  return findings;
}
