import { setMaxListeners } from 'node:events';
import { runInContext } from '@signalbox/context';
import { readEvent, writeEvent, writeFailure } from './job-events.js';
import { jobCancelled, resultTooLarge } from './job-errors.js';
import type { JobKind } from './job-options.js';
import { createSaver, type Saver, type SaverStore } from './job-saver.js';
import type { NewJob } from './job-store.js';
import { within } from './within.js';

/** A job as it is begun here, by somebody who wants it or after another process was lost. */
export interface Begun {
  readonly job: NewJob;
  readonly holder: string;
  readonly attempt: number;
  /** Whether it was cancelled while nobody had it. */
  readonly isCancelled?: boolean | undefined;
  /** What was told before; empty for a new one. */
  readonly events: readonly string[];
  /** The first event of a new one. */
  readonly started?: string | undefined;
  /** Whether it is not to be begun before it is kept. */
  readonly waits?: boolean | undefined;
}

export interface RunLimits {
  readonly maxEvents: number;
  readonly maxEventBytes: number;
  readonly maxResultBytes: number;
  readonly leaseMs: number;
  readonly ttlMs: number;
}

/** A job that this process runs. */
export interface JobRun {
  readonly job: NewJob;
  readonly holder: string;
  readonly saver: Saver;
  /** Settles, well, when the function is done and what it told is kept; or when the job was lost. */
  readonly done: Promise<void>;
  /** Whether the function is still at work. */
  isWorking(): boolean;
  cancel(): void;
  /** Stops without a word, so that somebody else may go on. */
  stop(): void;
}

/**
 * Runs a job. Events that an earlier attempt has told already are not told again: of those that carry a number
 * `progress`, whatever does not go beyond it; of others, those that are the same.
 */
export function startRun(
  begun: Begun,
  kind: JobKind,
  store: SaverStore,
  limits: RunLimits,
  failed: (error: unknown, job: NewJob) => void,
): JobRun {
  const { job, attempt } = begun;
  const control = new AbortController();
  // Every call of the job may listen; Node would take the eleventh for a leak.
  setMaxListeners(0, control.signal);
  let isWorking = true;
  const saver = createSaver(begun, store, limits, {
    lost: () => stop(new Error('another process has the job')),
    cancelled: () => stop(jobCancelled()),
  });
  const told = rememberTold(begun.events);
  let stopReason: Error | undefined = begun.isCancelled === true ? jobCancelled() : undefined;

  function stop(reason: Error): void {
    stopReason ??= reason;
    control.abort(reason);
  }

  function progress(data: object): void {
    if (!isWorking || control.signal.aborted) return;
    const text = writeEvent('progress', data);
    if (Buffer.byteLength(text) > limits.maxEventBytes) {
      throw new TypeError(`progress: an event must be at most ${limits.maxEventBytes} bytes`);
    }
    // Room for the end, which everybody waits for.
    if (saver.length >= limits.maxEvents - 1 || told.has(text, data)) return;
    saver.add(text);
  }

  async function work(): Promise<string> {
    if (stopReason !== undefined) throw stopReason;
    const input: unknown = JSON.parse(job.input);
    const context = { id: job.id, owner: job.owner, attempt, signal: control.signal, progress };
    const scope = {
      id: job.id,
      traceparent: job.traceparent === '' ? undefined : job.traceparent,
      signal: control.signal,
      deadline: performance.now() + kind.timeoutMs,
      facts: { userId: job.owner ?? undefined, route: job.kind },
    };
    const stopped = new Promise<never>((_resolve, reject) => {
      control.signal.addEventListener('abort', () => reject(stopReason ?? STOPPED), { once: true });
    });
    const running = runInContext(scope, async () => kind.run(input, context));
    const result = await within(kind.timeoutMs, Promise.race([running, stopped]), (late) =>
      control.abort(late),
    );
    const text = writeEvent('complete', isObject(result) ? result : { result });
    if (Buffer.byteLength(text) > limits.maxResultBytes) throw resultTooLarge(limits.maxResultBytes);
    return text;
  }

  async function run(): Promise<void> {
    if (begun.events.length === 0) saver.add(begun.started ?? writeEvent('started', {}));
    if (begun.waits === true && (await saver.first) === 'failed') {
      isWorking = false;
      return;
    }
    try {
      saver.finish(await work(), 'complete');
    } catch (error) {
      if (!saver.isLost && error !== STOPPED) {
        failed(error, job);
        saver.finish(writeFailure(error, job.id), 'failed');
      }
    } finally {
      isWorking = false;
    }
    await saver.saved;
  }

  return {
    job,
    holder: begun.holder,
    saver,
    done: run(),
    isWorking: () => isWorking,
    cancel: () => stop(jobCancelled()),
    stop() {
      saver.stop();
      stop(STOPPED);
    },
  };
}

const STOPPED = new Error('this process is about to end');

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What earlier attempts have told. */
function rememberTold(events: readonly string[]): { has(text: string, data: object): boolean } {
  const texts = new Set(events);
  let furthest = -Infinity;
  for (const text of events) furthest = Math.max(furthest, progressOf(readEvent('', '', 0, text).data));
  return {
    has(text, data) {
      const at = progressOf(data);
      return at === -Infinity ? texts.has(text) : at <= furthest;
    },
  };
}

function progressOf(data: object): number {
  const { progress } = data as { progress?: unknown };
  return typeof progress === 'number' ? progress : -Infinity;
}
