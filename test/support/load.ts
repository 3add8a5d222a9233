import { Agent, request, type ClientRequest, type OutgoingHttpHeaders } from 'node:http';
import { whenTestEnds, type TestContext } from '@signalbox/testing';
import { loadReport, type LoadReport, type LoadResult } from './load-report.js';

/** Either `ratePerSecond` or `clients`, and for how long. */
export interface LoadOptions {
  /** So many requests begin each second, however long the answers take: the server's trouble delays no request. */
  ratePerSecond?: number | undefined;
  /** So many visitors, each of whom sends the next request once there is an answer. */
  clients?: number | undefined;
  durationMs: number;
  /** @default 'GET' */
  method?: string | undefined;
  /** The same for all, or made for each by its number, from 0. */
  headers?: OutgoingHttpHeaders | ((n: number) => OutgoingHttpHeaders) | undefined;
  body?: string | undefined;
  /**
   * When a request is given up, in milliseconds; its error is `timeout`.
   * @default 10_000
   */
  timeoutMs?: number | undefined;
  /**
   * Beyond so many requests without an answer, further ones are not sent; their error is `too many in flight`.
   * @default 1_000
   */
  maxInFlight?: number | undefined;
}

/** A load that runs. Times are in milliseconds since its start. */
export interface Load extends LoadReport {
  /** The load's own time: `const diedMs = load.nowMs(); await redis.kill()`. */
  nowMs(): number;
  /** Requests without an answer so far. */
  readonly inFlight: number;
  /** Settles, and never rejects, when the time is up and every request has ended, one way or another. */
  readonly done: Promise<void>;
  /** Sends no more, and waits for what is in flight. */
  stop(): Promise<void>;
}

/** So long a client waits after a failure: one that is refused at once would else do nothing but ask. */
const PAUSE_AFTER_ERROR_MS = 10;

/** How often requests are looked at that may have timed out; a timer for each would cost more than the request. */
const SWEEP_MS = 50;

/**
 * Sends requests steadily over kept-alive connections, and notes of each when it began, how long it took to the end
 * of the body, and how it ended. It stops when the running test ends.
 *
 * @param url what to ask for, or a function that is given the request's number
 *
 * @example
 * const load = await steadyLoad(`${url}/search?q=x`, { ratePerSecond: 200, durationMs: 5_000 });
 * const diedMs = load.nowMs();
 * await redis.kill();
 * await load.done;
 * expect(load.percentile(99, diedMs, diedMs + 1_000)).toBeLessThan(150);
 */
export async function steadyLoad(
  url: string | ((n: number) => string),
  options: LoadOptions,
  test?: TestContext,
): Promise<Load> {
  const { ratePerSecond, clients, durationMs, maxInFlight = 1_000 } = checked(options);
  const results: LoadResult[] = [];
  const beganAt = performance.now();
  const nowMs = (): number => performance.now() - beganAt;
  const sender = openSender(url, options, nowMs, (result) => results.push(result));
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;

  /** Sends what is due by now: request n at n / rate. */
  const keepRate = (perMs: number): void => {
    while (sender.sent < Math.min(nowMs(), durationMs) * perMs) {
      if (sender.inFlight < maxInFlight) sender.send(() => {});
      else sender.skip('too many in flight');
    }
    timer = setTimeout(keepRate, sender.sent / perMs - nowMs(), perMs);
  };
  const visit = (): void => {
    if (isOver) return;
    sender.send((failed) => void (failed ? setTimeout(visit, PAUSE_AFTER_ERROR_MS) : visit()));
  };
  if (ratePerSecond !== undefined) keepRate(ratePerSecond / 1_000);
  else for (let i = 0; i < (clients ?? 0); i++) visit();

  const stop = (): Promise<void> => {
    isOver = true;
    clearTimeout(timer);
    clearTimeout(lastly);
    return sender.close();
  };
  const lastly = setTimeout(stop, durationMs);
  await whenTestEnds(async () => {
    const stopped = stop();
    sender.abort('the test has ended');
    await stopped;
  }, test);

  return {
    ...loadReport(results),
    nowMs,
    get inFlight() {
      return sender.inFlight;
    },
    done: sender.closed,
    stop,
  };
}

interface Sender {
  /** Requests so far, sent and skipped. */
  readonly sent: number;
  readonly inFlight: number;
  /** Sends the next request. `then` is told once it has ended and its connection is free again. */
  send(then: (failed: boolean) => void): void;
  skip(error: string): void;
  /** Gives up what is in flight. */
  abort(reason: string): void;
  /** Says that no more will be sent; resolves as `closed` does. */
  close(): Promise<void>;
  /** Settles when everything has ended. */
  readonly closed: Promise<void>;
}

function openSender(
  url: string | ((n: number) => string),
  { method = 'GET', headers = {}, body, timeoutMs = 10_000 }: LoadOptions,
  nowMs: () => number,
  note: (result: LoadResult) => void,
): Sender {
  // Idle connections go before a server's five seconds are over: none is used in the moment in which it ends.
  const agent = new Agent({ keepAlive: true, timeout: 3_000 });
  const open = new Map<ClientRequest, number>();
  let sent = 0;
  let isClosing = false;
  let finish = (): void => {};
  const closed = new Promise<void>((resolve) => (finish = resolve));

  const sweep = setInterval(() => {
    const overdue = nowMs() - timeoutMs;
    for (const [req, startMs] of open) if (startMs <= overdue) req.destroy(new Error('timeout'));
  }, SWEEP_MS);
  const closeIfIdle = (): void => {
    if (!isClosing || open.size > 0) return;
    clearInterval(sweep);
    agent.destroy();
    finish();
  };

  return {
    get sent() {
      return sent;
    },
    get inFlight() {
      return open.size;
    },
    closed,
    send(then) {
      const n = sent++;
      const startMs = nowMs();
      const target = typeof url === 'string' ? url : url(n);
      const fields = typeof headers === 'function' ? headers(n) : headers;
      const req = request(target, { agent, method, headers: fields });
      let status: number | undefined;
      let failed = false;
      const end = (error?: string): void => {
        if (!open.delete(req)) return;
        failed = error !== undefined;
        note({ n, startMs, durationMs: nowMs() - startMs, status, error });
        closeIfIdle();
      };
      open.set(req, startMs);
      req.on('error', (error) => end(reasonOf(error)));
      // The agent has its connection back just after the event.
      req.on('close', () => process.nextTick(() => then(failed)));
      req.on('response', (res) => {
        status = res.statusCode;
        res.on('error', (error) => end(reasonOf(error)));
        res.on('end', () => end());
        res.resume();
      });
      req.end(body);
    },
    skip(error) {
      note({ n: sent++, startMs: nowMs(), durationMs: 0, status: undefined, error });
    },
    abort(reason) {
      for (const req of open.keys()) req.destroy(new Error(reason));
    },
    close() {
      isClosing = true;
      closeIfIdle();
      return closed;
    },
  };
}

function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

function checked(options: LoadOptions): LoadOptions {
  const { ratePerSecond, clients, durationMs, timeoutMs = 1, maxInFlight = 1 } = options;
  if ((ratePerSecond === undefined) === (clients === undefined)) {
    throw new TypeError('steadyLoad: give either "ratePerSecond" or "clients"');
  }
  for (const [name, value] of Object.entries({
    ratePerSecond,
    clients,
    durationMs,
    timeoutMs,
    maxInFlight,
  })) {
    if (value === undefined || (Number.isFinite(value) && value > 0)) continue;
    throw new TypeError(`steadyLoad: "${name}" must be a number above 0, got ${String(value)}`);
  }
  return options;
}
