import { createServer } from 'node:net';

// Below the range from which the kernel (Linux, macOS, Windows) picks by itself, for `listen(0)` and for every
// outgoing connection: a port from here is taken only by somebody who asks for it.
const FIRST = 20_000;
const LAST = 32_000;

/** Of the workers of a run each has ports to itself, and most often so have runs at the same time, as of two checkouts. */
const WORKERS = 4;
const RUNS = 3;
const SHARES = WORKERS * RUNS;

/** Which worker of Vitest or Jest this is, from 1 on; of other runners the processes began one after the other. */
function share(): number {
  const { VITEST_POOL_ID, JEST_WORKER_ID } = process.env;
  const worker = Number(VITEST_POOL_ID ?? JEST_WORKER_ID ?? process.pid) % WORKERS;
  return worker * RUNS + (process.ppid % RUNS);
}

/** Not given again for long: whoever has one may be about to start anew on it, as after a crash that is tested. */
const given = new Set<number>();
const MAX_GIVEN = 500;

/**
 * A port on which nobody listens, for a program that cannot pick one by itself. Somebody else may take it before
 * the program does: {@link onFreePort} tries again then.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const at = Math.floor((Math.random() * (LAST - FIRST)) / SHARES);
    const port = FIRST + at * SHARES + share();
    if (given.has(port) || !(await isFree(port)) || given.has(port)) continue;
    if (given.size >= MAX_GIVEN) given.delete(given.values().next().value ?? port);
    given.add(port);
    return port;
  }
  throw new Error(`No free port between ${FIRST} and ${LAST} in 100 tries`);
}

/** Calls `start` with a free port, and again with another one as long as it fails since the port was taken. */
export async function onFreePort<Started>(start: (port: number) => Promise<Started>): Promise<Started> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    try {
      return await start(port);
    } catch (error) {
      const taken = error instanceof Error && /EADDRINUSE|address already in use/i.test(error.message);
      if (!taken || tries === 5) throw error;
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
