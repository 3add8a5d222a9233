/** Options of {@link assertNeverHangs}. */
export interface AssertNeverHangsOptions {
  /**
   * How long is not yet a hang, in milliseconds from the call.
   * @default 2_000
   */
  withinMs?: number | undefined;
  /** What to call it in the error; by default the function's name, or the URL. */
  name?: string | undefined;
}

/**
 * Rejects, with a sentence naming what hung, when something does not settle in time. Otherwise it is as if it had
 * been awaited directly: the result is returned, a failure passed on.
 *
 * For a list of promises, such as requests in flight while a dependency dies, each must settle, well or not: the
 * outcomes are returned, as by `Promise.allSettled`. The response to a URL, or one that was promised, must also end
 * its body in time; of what a function returns, nothing is read.
 *
 * Time for which this process could not run, since its event loop was blocked, does not count, within reason.
 *
 * @param subject a function, which gets a signal that is aborted when the time is up; a URL to GET; a promise; or a
 *   list of promises
 * @throws {TypeError} when an option is out of range
 *
 * @example
 * await assertNeverHangs(() => link.get('key'), { withinMs: 150, name: 'GET against a dead Redis' });
 *
 * @example
 * const inFlight = Array.from({ length: 50 }, () => visitor.get('/search'));
 * await Promise.all([redis.kill(), assertNeverHangs(inFlight, { withinMs: 150, name: 'requests' })]);
 */
export function assertNeverHangs(subject: string | URL, options?: AssertNeverHangsOptions): Promise<Response>;
export function assertNeverHangs<Result>(
  subject: readonly PromiseLike<Result>[],
  options?: AssertNeverHangsOptions,
): Promise<PromiseSettledResult<Result>[]>;
export function assertNeverHangs<Result>(
  subject: PromiseLike<Result> | ((signal: AbortSignal) => Result | PromiseLike<Result>),
  options?: AssertNeverHangsOptions,
): Promise<Result>;
export async function assertNeverHangs(
  subject: Subject,
  options: AssertNeverHangsOptions = {},
): Promise<unknown> {
  const { withinMs = 2_000, name = nameOf(subject) } = options;
  if (!(Number.isFinite(withinMs) && withinMs > 0)) {
    throw new TypeError(`assertNeverHangs: "withinMs" must be a number above 0, got ${String(withinMs)}`);
  }

  const control = new AbortController();
  // Before the first await: the error shall point at the caller.
  const hung = new Error();
  const watched = watch(subject, control.signal);

  const deadline = startDeadline(withinMs);
  const expired = deadline.passed.then(() => {
    hung.message = `${watched.describe(name)} did not finish within ${withinMs} ms${watched.progress()}`;
    return Promise.reject(hung);
  });
  try {
    return await Promise.race([watched.outcome, expired]);
  } finally {
    deadline.cancel();
    // After the race: what the abort makes of the subject is no longer its outcome.
    if (hung.message !== '') control.abort(hung);
  }
}

type Subject =
  | string
  | URL
  | PromiseLike<unknown>
  | readonly PromiseLike<unknown>[]
  | ((signal: AbortSignal) => unknown);

/** Something that is waited for, and what there is to say of it when that takes too long. */
interface Watched {
  outcome: Promise<unknown>;
  describe(name: string): string;
  progress(): string;
}

function watch(subject: Subject, signal: AbortSignal): Watched {
  if (Array.isArray(subject)) return watchAll(subject as readonly PromiseLike<unknown>[]);
  if (typeof subject === 'string' || subject instanceof URL) {
    return watchOne(fetch(subject, { signal, redirect: 'manual' }));
  }
  if (typeof subject !== 'function') return watchOne(subject as PromiseLike<unknown>);
  const outcome = (async () => subject(signal))();
  return { outcome, describe: (name) => name, progress: () => '' };
}

function watchOne(pending: PromiseLike<unknown>): Watched {
  let progress = '';
  const outcome = whole(pending, (status) => {
    progress = `: it answered ${status}, but its body did not end`;
  });
  return { outcome, describe: (name) => name, progress: () => progress };
}

function watchAll(pending: readonly PromiseLike<unknown>[]): Watched {
  const open = new Map<number, string>();
  const outcomes = pending.map((each, index) => {
    open.set(index, `#${index + 1}`);
    const one = whole(each, (status) => open.set(index, `#${index + 1} (answered ${status}, body open)`));
    const settled = (): boolean => open.delete(index);
    one.then(settled, settled);
    return one;
  });
  return {
    outcome: Promise.allSettled(outcomes),
    describe: (name) => `${open.size} of ${pending.length} ${name}`,
    progress() {
      const first = [...open.values()].slice(0, 10).join(', ');
      return `: ${first}${open.size > 10 ? ', …' : ''}`;
    },
  };
}

/** What is promised; a response only once its body has ended, too, and still to be read. */
async function whole(pending: PromiseLike<unknown>, answered: (status: number) => void): Promise<unknown> {
  const result = await pending;
  if (!(result instanceof Response) || result.bodyUsed || result.body === null) return result;
  answered(result.status);
  const copy = result.clone();
  await result.arrayBuffer();
  return copy;
}

/** Later than this a timer was not called for want of the event loop. */
const BLOCKED_MS = 20;

/** A loop that is always late is no excuse for ever. */
const MAX_EXTENSIONS = 3;

/** Passes once `ms` are over, and as much more as the event loop was blocked at that time. */
function startDeadline(ms: number): { passed: Promise<void>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let extensions = 0;
  const passed = new Promise<void>((resolve) => {
    const wait = (waitMs: number): void => {
      const due = performance.now() + waitMs;
      timer = setTimeout(() => {
        const lateMs = performance.now() - due;
        if (lateMs > BLOCKED_MS && extensions++ < MAX_EXTENSIONS) wait(lateMs);
        // Behind what has arrived by now: its callbacks run before this one's.
        else setImmediate(resolve);
      }, waitMs);
    };
    wait(ms);
  });
  return { passed, cancel: () => clearTimeout(timer) };
}

function nameOf(subject: Subject): string {
  if (typeof subject === 'string' || subject instanceof URL) return `GET ${String(subject)}`;
  if (typeof subject === 'function') return subject.name === '' ? 'the function' : subject.name;
  return Array.isArray(subject) ? 'promises' : 'the promise';
}
