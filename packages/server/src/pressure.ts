import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** What may be measured besides the requests in flight. What is `undefined` is not. */
export interface PressureLimits {
  readonly eventLoopDelayMs: number | undefined;
  readonly eventLoopUtilization: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly heapFraction: number | undefined;
}

export type PressureReason = 'event_loop_delay' | 'event_loop_utilization' | 'memory';

/** Something measured; 1 is at the limit. */
export interface Gauge {
  readonly reason: PressureReason;
  readonly level: number;
}

/**
 * How much a new sample counts against those before. One long turn of the event loop is no overload: what
 * waited behind it can be answered at once. Many of them are.
 */
const WEIGHT = 0.3;

/** Measures memory in every so many samples; it takes a system call, and changes slowly. */
const SAMPLES_PER_MEMORY_SAMPLE = 10;

/**
 * Measures in the background and hands every round of samples to `onSample`. Keeps no process alive; does
 * nothing when there is nothing to measure.
 */
export function watchPressure(
  limits: PressureLimits,
  sampleEveryMs: number,
  onSample: (gauges: readonly Gauge[]) => void,
): void {
  const measures = [...eventLoopMeasures(limits, sampleEveryMs), ...memoryMeasures(limits)];
  if (measures.length === 0) return;
  setInterval(() => onSample(measures.map((measure) => measure())), sampleEveryMs).unref();
}

function eventLoopMeasures(limits: PressureLimits, sampleEveryMs: number): (() => Gauge)[] {
  const measures: (() => Gauge)[] = [];
  const { eventLoopDelayMs, eventLoopUtilization } = limits;

  if (eventLoopDelayMs !== undefined) {
    let last = performance.now();
    measures.push(
      averaged('event_loop_delay', eventLoopDelayMs, () => {
        const now = performance.now();
        const lateMs = now - last - sampleEveryMs;
        last = now;
        return Math.max(0, lateMs);
      }),
    );
  }
  if (eventLoopUtilization !== undefined) {
    let last = performance.eventLoopUtilization();
    measures.push(
      averaged('event_loop_utilization', eventLoopUtilization, () => {
        const now = performance.eventLoopUtilization();
        const { utilization } = performance.eventLoopUtilization(now, last);
        last = now;
        return utilization;
      }),
    );
  }
  return measures;
}

function averaged(reason: PressureReason, limit: number, sample: () => number): () => Gauge {
  let average = 0;
  return () => {
    average += (sample() - average) * WEIGHT;
    return { reason, level: average / limit };
  };
}

function memoryMeasures({ memoryBytes, heapFraction }: PressureLimits): (() => Gauge)[] {
  const measures: (() => Gauge)[] = [];
  if (memoryBytes !== undefined) measures.push(seldom(() => process.memoryUsage.rss() / memoryBytes));
  if (heapFraction !== undefined) {
    measures.push(
      seldom(() => {
        const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
        return used / limit / heapFraction;
      }),
    );
  }
  return measures;
}

function seldom(sample: () => number): () => Gauge {
  let level = sample();
  let round = 0;
  return () => {
    round += 1;
    if (round % SAMPLES_PER_MEMORY_SAMPLE === 0) level = sample();
    return { reason: 'memory', level };
  };
}
