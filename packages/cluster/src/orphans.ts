import { readFileSync, readdirSync } from 'node:fs';
import type { ServerLog } from '@signalbox/server';

const LOOK_EVERY_MS = 60_000;

/**
 * As the first process of a container this one inherits what workers left behind. Node collects the exit codes of
 * its own children only, so the others stay as zombies; somebody should know.
 */
export function watchOrphans(log: ServerLog, everyMs: number = LOOK_EVERY_MS): () => void {
  if (process.pid !== 1) return () => undefined;
  let before: readonly string[] = [];
  const timer = setInterval(() => {
    const now = zombies();
    // A child of this process' own may have ended this very moment.
    const count = now.filter((pid) => before.includes(pid)).length;
    before = now;
    if (count === 0) return;
    clearInterval(timer);
    log.warn(
      { zombies: count },
      `${count} ended ${count === 1 ? 'process stays' : 'processes stay'} in the table of processes, since nobody collects what workers leave behind; start the container with an init, such as docker run --init, or tini`,
    );
  }, everyMs).unref();
  return () => clearInterval(timer);
}

/** Ended processes that are this one's to collect. */
function zombies(): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      // The name of the program stands in brackets and may hold anything (proc(5)).
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8').replace(/^.*\) /s, '');
      return stat.startsWith('Z 1 ');
    } catch {
      // It is gone by now.
      return false;
    }
  });
}
