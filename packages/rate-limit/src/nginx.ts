import { keySourceOf } from './keys.js';
import { writeRate, type Rate } from './rate.js';
import type { ResolvedZone } from './zone-options.js';

/**
 * Limits for nginx, which never refuse what the app would let through: a rate that nginx cannot say (it knows whole
 * requests a second or a minute) is rounded up, and a window lets its whole limit through at once, as does the next one.
 */
export function nginxText(zones: readonly ResolvedZone[]): string {
  const lines = [
    '# In http { }. The lines for locations stand in comments: each belongs where its zone is used.',
    'limit_req_status 429;',
  ];
  for (const zone of zones) lines.push('', ...linesOf(zone));
  return `${lines.join('\n')}\n`;
}

function linesOf({ name, rate, plans, keys, cost, shadow, countsFailures }: ResolvedZone): string[] {
  const title = `# ${name}: ${writeRate(rate)}`;
  if (shadow) return [`${title}. It refuses nobody, and only tells whom it would refuse.`];
  if (countsFailures) return [`${title}. It counts failures, which nginx cannot.`];
  if (plans.size > 0) return [`${title}. Its rate depends on the caller's plan, which nginx does not know.`];
  if (cost !== 1) return [`${title}. Its requests differ in cost, which nginx does not know.`];
  const variables = keys.map((key, place) => keySourceOf(key, place).inNginx);
  if (variables.includes(undefined)) {
    return [`${title}. It is counted by a key that only the app can read.`];
  }

  const lines = [title];
  for (const [index, variable] of variables.entries()) {
    const zone = variables.length === 1 ? name : `${name}-${index + 1}`;
    const burst = burstOf(rate);
    lines.push(
      `limit_req_zone ${variable} zone=${zone}:10m rate=${rateOf(rate)};`,
      `#   limit_req zone=${zone}${burst === 0 ? '' : ` burst=${burst} nodelay`};`,
    );
  }
  return lines;
}

function rateOf({ limit, windowMs }: Rate): string {
  const perSecond = (limit * 1000) / windowMs;
  if (Number.isInteger(perSecond) || perSecond > 1000) return `${Math.ceil(perSecond)}r/s`;
  return `${Math.ceil(perSecond * 60)}r/m`;
}

function burstOf({ limit, burst, sliding }: Rate): number {
  // As a fixed window ends and the next one begins, the limits of both may come at once.
  return burst ?? (sliding === true ? limit : 2 * limit) - 1;
}
