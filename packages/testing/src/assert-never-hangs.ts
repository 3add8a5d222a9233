/** Options of {@link assertNeverHangs}. */
export interface AssertNeverHangsOptions {
  /**
   * How long is not yet a hang, in milliseconds.
   * @default 2_000
   */
  withinMs?: number | undefined;
  /** What to call it in the error; by default the function's name, or the URL. */
  name?: string | undefined;
}

/**
 * Rejects, with a sentence naming what hung, when the function does not settle in time, or the URL
 * does not answer with a whole body. Otherwise it is as if it had been called directly: the result is
 * returned, a failure passed on.
 *
 * @param subject a function, which gets a signal that is aborted when the time is up; or a URL to GET
 * @throws {TypeError} when an option is out of range
 *
 * @example
 * await assertNeverHangs(() => link.get('key'), { withinMs: 150, name: 'GET against a dead Redis' });
 */
export function assertNeverHangs(subject: string | URL, options?: AssertNeverHangsOptions): Promise<Response>;
export function assertNeverHangs<Result>(
  subject: (signal: AbortSignal) => Result | PromiseLike<Result>,
  options?: AssertNeverHangsOptions,
): Promise<Result>;
export async function assertNeverHangs(
  subject: string | URL | ((signal: AbortSignal) => unknown),
  options: AssertNeverHangsOptions = {},
): Promise<unknown> {
  const { withinMs = 2_000, name = nameOf(subject) } = options;
  if (!(Number.isFinite(withinMs) && withinMs > 0)) {
    throw new TypeError(`assertNeverHangs: "withinMs" must be a number above 0, got ${String(withinMs)}`);
  }

  const control = new AbortController();
  let progress = '';
  const answered = (status: number): void => {
    progress = `: it answered ${status}, but its body did not end`;
  };
  // Before the first await: the error shall point at the caller.
  const hung = new Error();

  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      hung.message = `${name} did not finish within ${withinMs} ms${progress}`;
      // First, so that what the abort makes of the subject is no longer its outcome.
      reject(hung);
      control.abort(hung);
    }, withinMs);
  });

  try {
    const outcome =
      typeof subject === 'function'
        ? Promise.resolve(subject(control.signal))
        : fetchWhole(subject, control.signal, answered);
    return await Promise.race([outcome, expired]);
  } finally {
    clearTimeout(timer);
  }
}

async function fetchWhole(
  url: string | URL,
  signal: AbortSignal,
  answered: (status: number) => void,
): Promise<Response> {
  const response = await fetch(url, { signal, redirect: 'manual' });
  answered(response.status);
  const copy = response.clone();
  await response.arrayBuffer();
  return copy;
}

function nameOf(subject: string | URL | ((signal: AbortSignal) => unknown)): string {
  if (typeof subject !== 'function') return `GET ${String(subject)}`;
  return subject.name === '' ? 'the function' : subject.name;
}
