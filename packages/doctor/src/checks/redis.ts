import { connectRedis, type RedisLink } from '@signalbox/redis';
import { found, type Finding } from '../finding.js';

/** What Redis says of itself, at an address that stands in `where`. It is asked, and not written to. */
export async function checkRedis(url: string, where: string, timeoutMs: number): Promise<Finding[]> {
  let link: RedisLink;
  try {
    link = connectRedis(url, { name: 'signalbox-doctor', deadlineMs: timeoutMs });
  } catch (error) {
    return [found('SBX201', where, error instanceof Error ? error.message : String(error))];
  }
  try {
    return judgeRedis(await infoOf(link, timeoutMs), where, await isProtected(link));
  } catch (error) {
    return [found('SBX201', where, error instanceof Error ? error.message : String(error))];
  } finally {
    await link.close();
  }
}

/** A link that has just been made is not up yet. */
async function infoOf(link: RedisLink, timeoutMs: number): Promise<ReadonlyMap<string, string>> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      const lines = (await link.info()).split(/\r?\n/);
      return new Map(lines.map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]));
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

/** What is wrong with a server that says this of itself. */
export function judgeRedis(
  info: ReadonlyMap<string, string>,
  where: string,
  { hasPassword, isOpen, save }: Protection,
): Finding[] {
  const findings: Finding[] = [];
  const get = (name: string): string => info.get(name) ?? '';
  const isValkey = get('server_name') === 'valkey';
  const version = get('redis_version');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (!isValkey && version !== '' && (major < 6 || (major === 6 && minor < 2))) {
    findings.push(found('SBX202', where, `it is ${version}`));
  }
  const policy = get('maxmemory_policy');
  if (policy !== '' && policy !== 'noeviction') findings.push(found('SBX203', where, `it is ${policy}`));
  if (get('maxmemory') === '0') findings.push(found('SBX204', where));
  if (get('aof_enabled') === '0' && save === '') findings.push(found('SBX205', where));
  if (/^(?:slave|replica)$/.test(get('role'))) findings.push(found('SBX206', where));
  if (!hasPassword && isOpen) findings.push(found('SBX207', where));
  const failed = ['rdb_last_bgsave_status', 'aof_last_write_status'].filter((name) => get(name) === 'err');
  if (failed.length > 0) findings.push(found('SBX208', where, `${failed.join(', ')}: err`));
  return findings;
}

/** What CONFIG tells beyond INFO. */
export interface Protection {
  hasPassword: boolean;
  /** Whether it listens beyond loopback, and lets strangers in. */
  isOpen: boolean;
  /** `undefined` where it may not be asked. */
  save: string | undefined;
}

/** What CONFIG tells, which managed Redis often forbids: then nothing is concluded. */
async function isProtected(link: RedisLink): Promise<Protection> {
  const settings = new Map<string, string>();
  for (const name of ['requirepass', 'protected-mode', 'bind', 'save']) {
    const reply = await link.command('CONFIG', 'GET', name).catch(() => undefined);
    if (Array.isArray(reply) && typeof reply[1] === 'string') settings.set(name, reply[1]);
  }
  const bind = settings.get('bind');
  const isLocal = bind?.split(/\s+/).every((address) => /^-?(?:127\.|::1$|localhost$)/.test(address));
  return {
    hasPassword: settings.get('requirepass') !== '',
    isOpen: settings.get('protected-mode') === 'no' && bind !== undefined && isLocal === false,
    save: settings.get('save'),
  };
}
