import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('programs/asks.mjs', import.meta.url));

/** Lets processes ask for a while; returns when they were let through, by Redis' clock, zone by zone. */
export async function hammer<Name extends string>(
  redisUrl: string,
  processes: number,
  runMs: number,
  rates: Readonly<Record<Name, string>>,
): Promise<Record<Name, number[]>> {
  const children = Array.from({ length: processes }, () =>
    spawn(process.execPath, [program], {
      env: { ...process.env, REDIS_URL: redisUrl, RUN_MS: String(runMs), ZONES: JSON.stringify(rates) },
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  try {
    const lines = children.map((child) => createInterface({ input: child.stdout })[Symbol.asyncIterator]());
    for (const each of lines) {
      const { value } = await each.next();
      if (value !== 'ready') throw new Error(`the program said ${String(value)}`);
    }
    for (const { stdin } of children) stdin.write('go\n');
    const results = await Promise.all(lines.map(async (each) => (await each.next()).value as string));
    for (const child of children) if (child.exitCode === null) await once(child, 'close');

    const all = results.map((text) => JSON.parse(text) as Record<Name, number[]>);
    const names = Object.keys(rates) as Name[];
    return Object.fromEntries(
      names.map((name) => [name, all.flatMap((each) => each[name]).toSorted((a, b) => a - b)]),
    ) as Record<Name, number[]>;
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** Of sorted times, how many lie in that window of this length which has the most of them. */
export function mostInAnyWindow(times: readonly number[], windowMs: number): number {
  let most = 0;
  let first = 0;
  for (const [index, time] of times.entries()) {
    // Times come in whole milliseconds: two that are a window apart may be a little less than that apart.
    while ((times[first] ?? time) <= time - windowMs + 1) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
