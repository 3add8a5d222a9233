import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * How many processors this process may use: what the system says, or less where the control groups it runs in (a
 * container's, a service's) grant less. Node itself looks at them in later versions only.
 *
 * @param groups where the control groups are mounted
 * @param membership which of them this process is in, as `/proc/self/cgroup` has it
 */
export function grantedProcessors(
  groups = '/sys/fs/cgroup',
  membership: string = read('/proc/self/cgroup') ?? '',
): number {
  const quotas = [...unifiedQuotas(groups, membership), firstVersionQuota(groups)];
  const granted = Math.min(...quotas.filter((quota) => quota > 0));
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(granted)));
}

/** The limit of the group and of each that it is in: the tightest holds. In processors, `NaN` for none. */
function unifiedQuotas(groups: string, membership: string): number[] {
  const quotas: number[] = [];
  let path = /^0::(\/.*)$/m.exec(membership)?.[1] ?? '/';
  for (;;) {
    const [quota, period] = read(join(groups, path, 'cpu.max'))?.split(' ') ?? [];
    quotas.push(Number(quota) / Number(period));
    if (path === '/') return quotas;
    path = dirname(path);
  }
}

function firstVersionQuota(groups: string): number {
  const [quota, period] = ['quota', 'period'].map((name) => read(join(groups, `cpu/cpu.cfs_${name}_us`)));
  return Number(quota) / Number(period);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // No Linux, or no such limit.
    return undefined;
  }
}
