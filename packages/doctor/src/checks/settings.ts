import { parsedUrl } from '@signalbox/options';
import { found, type Finding } from '../finding.js';
import { processesOf, type Setup } from '../folder/setup.js';
import { checkAddressPassword, checkSecrets, isFilledIn } from './secrets.js';

/**
 * What is wrong with the variables of one process.
 *
 * @param onlyOwn whether secrets with names that could be anybody's are left alone, as in a shell
 * @param isApp whether it is the app, and not a database beside it
 */
export function checkSettings(setup: Setup, onlyOwn: boolean, isApp: boolean): Finding[] {
  const findings = checkSecrets(setup, onlyOwn);
  for (const [name, value] of setup.values) {
    if (/_(?:URL|URI|DSN)$/.test(name) && setup.elsewhere?.has(name) !== true) {
      findings.push(
        ...checkAddressPassword(name, value, setup.where),
        ...checkPlain(name, value, setup.where),
      );
    }
  }
  if (isApp) findings.push(...checkApp(setup));
  return findings;
}

/** What is wrong with the settings of the app itself. */
export function checkApp(setup: Setup): Finding[] {
  const { where, values } = setup;
  const get = (name: string): string => {
    const value = values.get(name) ?? '';
    return isFilledIn(value) ? '' : value;
  };
  const findings: Finding[] = [];
  const add = (code: Finding['code'], name: string, detail?: string): void =>
    void findings.push(found(code, `${where}: ${name}`, detail));

  const profile = get('NODE_ENV');
  if (profile !== '' && profile !== 'production') add('SBX101', 'NODE_ENV', `it is ${profile.slice(0, 40)}`);
  findings.push(...checkReach(setup, get), ...checkProcesses(setup));

  if (get('NODE_TLS_REJECT_UNAUTHORIZED') === '0') add('SBX118', 'NODE_TLS_REJECT_UNAUTHORIZED');
  if (/--inspect/.test(get('NODE_OPTIONS'))) add('SBX119', 'NODE_OPTIONS');
  if (/^(?:trace|debug|silly)$/i.test(get('LOG_LEVEL')))
    add('SBX120', 'LOG_LEVEL', `it is ${get('LOG_LEVEL')}`);
  if (get('DEBUG') === '*' || /(?:^|,)express:\*/.test(get('DEBUG'))) add('SBX120', 'DEBUG');

  const heap = /--max-old-space-size=(\d+)/.exec(get('NODE_OPTIONS'))?.[1];
  const { memoryBytes } = setup;
  if (heap !== undefined && memoryBytes !== undefined && Number(heap) * 1024 ** 2 >= memoryBytes) {
    add('SBX121', 'NODE_OPTIONS', `${heap} MB of ${Math.round(memoryBytes / 1024 ** 2)} MB`);
  }
  const perHour = failuresPerHour(get('RATE_LOGIN'));
  if (perHour > 300) add('SBX123', 'RATE_LOGIN', `${Math.round(perHour)} failures an hour`);
  return findings;
}

/** Who reaches the app, and what it takes them for. */
function checkReach({ where, complete, contained }: Setup, get: (name: string) => string): Finding[] {
  const findings: Finding[] = [];
  const add = (code: Finding['code'], name: string, detail?: string): void =>
    void findings.push(found(code, `${where}: ${name}`, detail));

  const publicUrl = get('PUBLIC_URL');
  const trust = get('TRUST_PROXY').toLowerCase();
  if (/^http:\/\//i.test(publicUrl) && !isNear(hostOf(publicUrl))) add('SBX110', 'PUBLIC_URL');
  if (/^https:/i.test(publicUrl) && complete && (trust === 'off' || trust === '' || trust === 'false')) {
    if (!isNear(hostOf(publicUrl))) add('SBX111', 'TRUST_PROXY');
  }
  if (/(?:^|[\s,])(?:true|all|\*|0\.0\.0\.0\/0|::\/0)(?:$|[\s,])/.test(trust)) add('SBX112', 'TRUST_PROXY');

  for (const name of ['CORS_ORIGINS', 'CORS_ORIGIN', 'ALLOWED_ORIGINS']) {
    for (const origin of listOf(get(name))) {
      if (/^(?:\*|null|https?:\/\/\*(?:\.[a-z]+)?)$/i.test(origin)) add('SBX113', name, `${origin} is in it`);
      else if (/^http:\/\//i.test(origin) && !isNear(hostOf(origin))) add('SBX114', name, origin);
    }
  }
  for (const name of ['ADMIN_ALLOW', 'METRICS_ALLOW']) {
    if (listOf(get(name)).some((range) => /^(?:\*|.+\/0)$/.test(range))) add('SBX115', name);
  }
  if (contained && /^(?:127\.|localhost$|::1$)/.test(get('HOST')))
    add('SBX122', 'HOST', `it is ${get('HOST')}`);
  return findings;
}

function checkProcesses(setup: Setup): Finding[] {
  const { where, values, complete } = setup;
  const processes = processesOf(setup);
  const hasRedis = [...values].some(([name, value]) => /REDIS|VALKEY/.test(name) && value !== '');
  if (!complete || processes === 1 || hasRedis) return [];
  return [found('SBX116', where, `${processes} processes, and no REDIS_URL`)];
}

/** A password on its way through the internet. Names without a dot are those of a private network. */
function checkPlain(name: string, value: string, where: string): Finding[] {
  const url = isFilledIn(value) ? undefined : parsedUrl(value);
  if (url === undefined) return [];
  const { protocol, hostname, password, searchParams } = url;
  if (password === '' || isNear(hostname)) return [];
  const sslMode = searchParams.get('sslmode') ?? '';
  const isPlain =
    protocol === 'redis:' ||
    protocol === 'http:' ||
    (/^postgres(?:ql)?:$/.test(protocol) && /^(?:disable|allow|prefer)$/.test(sslMode));
  return isPlain ? [found('SBX117', `${where}: ${name}`, `${protocol}//…@${hostname}`)] : [];
}

/** Whether the name or address is of this machine, or of a private network. */
export function isNear(host: string): boolean {
  return (
    !/[.:]/.test(host) ||
    /^(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|\[(?:::1|f[cd]))/.test(host) ||
    /\.(?:local|localhost|internal|lan|test|svc|cluster\.local)$/.test(host)
  );
}

export function hostOf(url: string): string {
  return parsedUrl(url)?.hostname ?? '';
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

/** `5/15m`, `5/15m burst 10`; what cannot be read is the schema's business. */
function failuresPerHour(rate: string): number {
  const [, limit, count = '', unit = ''] = /^\s*(\d+)\s*\/\s*(\d*)\s*([smhd])/.exec(rate) ?? [];
  if (limit === undefined) return 0;
  const seconds = Number(count === '' ? 1 : count) * ({ s: 1, m: 60, h: 3_600, d: 86_400 }[unit] ?? 1);
  return (Number(limit) * 3_600) / seconds;
}
