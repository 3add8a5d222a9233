import { execFile } from 'node:child_process';
import type { ServerLog } from '@signalbox/server';

/** Tells systemd how the service does, where systemd wants to know (sd_notify(3)). */
export interface SystemdNotifier {
  ready(status: string): void;
  reloading(status: string): void;
  stopping(status: string): void;
  /** Resolves when all was told. */
  close(): Promise<void>;
}

const SILENT: SystemdNotifier = {
  ready: () => undefined,
  reloading: () => undefined,
  stopping: () => undefined,
  close: async () => undefined,
};

/** Longer than `systemd-notify` itself waits for systemd to take the message. */
const TOLD_WITHIN_MS = 6_000;

/**
 * Node cannot send to a Unix datagram socket. systemd's own `systemd-notify`, which is wherever systemd is, can, and
 * waits until the message has been taken.
 */
export function systemdNotifier(env: NodeJS.ProcessEnv, log: ServerLog): SystemdNotifier {
  if (!env['NOTIFY_SOCKET']) return SILENT;
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  let isWarned = false;

  /** One after the other, so that they arrive in order. */
  function tell(...variables: string[]): void {
    waiting += 1;
    last = last.then(() => run(variables));
  }

  function run(variables: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      execFile('systemd-notify', variables, { env, timeout: TOLD_WITHIN_MS }, (err) => {
        waiting -= 1;
        if (err !== null && !isWarned) {
          isWarned = true;
          log.warn({ err }, 'systemd could not be told how the service does; is systemd-notify installed?');
        }
        resolve();
      });
    });
  }

  const watchdog = startWatchdog(env, () => {
    // Any message will do; where they are taken slowly, more of them would not help.
    if (waiting === 0) tell('WATCHDOG=1');
  });
  return {
    ready: (status) => tell('READY=1', `STATUS=${status}`),
    // Type=notify-reload wants to know when (in microseconds of the monotonic clock).
    reloading: (status) =>
      tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`, `STATUS=${status}`),
    stopping: (status) => tell('STOPPING=1', `STATUS=${status}`),
    async close() {
      clearInterval(watchdog);
      await last;
    },
  };
}

/** Twice as often as systemd asks for (sd_watchdog_enabled(3)). */
function startWatchdog(env: NodeJS.ProcessEnv, ping: () => void): NodeJS.Timeout | undefined {
  const everyMs = Number(env['WATCHDOG_USEC']) / 2_000;
  const isMeant = env['WATCHDOG_PID'] === undefined || Number(env['WATCHDOG_PID']) === process.pid;
  if (!isMeant || !(everyMs > 0)) return undefined;
  return setInterval(ping, everyMs).unref();
}
