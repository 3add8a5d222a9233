import { monitorEventLoopDelay, performance, type EventLoopUtilization } from 'node:perf_hooks';

/** How the event loop was doing lately. */
export interface EventLoopReading {
  delayP50Seconds: number;
  delayP99Seconds: number;
  /** Of the last minute. */
  delayMaxSeconds: number;
  /** Share of the time that the loop was busy, 0 to 1. */
  utilization: number;
}

export interface EventLoopMonitor {
  read(): EventLoopReading;
  close(): void;
}

const RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;
/** A scrape that came while the loop was blocked has been given up: the next one shall see it still. */
const PEAK_FOR_MS = 60_000;

/**
 * Watches the event loop. A reading covers the time since the window began, and a window that is older
 * than `windowMs` ends with the reading: two who read one after the other do not empty it for each other. The longest
 * delay stays for a minute.
 */
export function eventLoopMonitor(windowMs = 10_000): EventLoopMonitor {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let windowStartMs = performance.now();
  let mark: EventLoopUtilization = performance.eventLoopUtilization();
  let last: EventLoopReading | undefined;
  let peaks: { readonly seconds: number; readonly untilMs: number }[] = [];

  return {
    read() {
      // A timer that has not fired since the window began knows nothing yet.
      if (delay.count === 0 && last !== undefined) return last;
      const now = performance.now();
      peaks = peaks.filter(({ untilMs }) => untilMs > now);
      const longestSeconds = delaySeconds(delay.count, delay.max);
      const reading = {
        delayP50Seconds: delaySeconds(delay.count, delay.percentile(50)),
        delayP99Seconds: delaySeconds(delay.count, delay.percentile(99)),
        delayMaxSeconds: Math.max(longestSeconds, ...peaks.map(({ seconds }) => seconds)),
        utilization: performance.eventLoopUtilization(mark).utilization,
      };
      if (now - windowStartMs < windowMs) return reading;
      last = reading;
      peaks.push({ seconds: longestSeconds, untilMs: now + PEAK_FOR_MS });
      delay.reset();
      windowStartMs = now;
      mark = performance.eventLoopUtilization();
      return reading;
    },
    close() {
      delay.disable();
    },
  };
}

/** Node records how long its timer took, not how late it was. */
function delaySeconds(count: number, nanoseconds: number): number {
  if (count === 0) return 0;
  return Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1000);
}
