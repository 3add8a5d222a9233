import { signals } from '@signalbox/signals';
import type { Verdict } from './breaker.js';
import type { UpstreamSettings } from './options.js';
import type { Server } from './server.js';

/** Breakers and signals know what a proxy sends by this. */
export const ROUTE = 'proxy';

export type CallOutcome = 'ok' | 'error' | 'timeout' | 'aborted';

/** Who makes a call. */
export interface Caller {
  dispatch(server: Server): void;
  /** The breaker is being probed by somebody else. */
  refusedByBreaker(): void;
}

/** One attempt against one server: what the server, its breaker and the signals are told of it. */
export class ProxyCall {
  readonly server: Server;
  readonly startedAt: number = performance.now();

  private readonly settings: UpstreamSettings;
  private readonly attempt: number;
  private readonly endAtServer: (verdict: Verdict, isOver?: boolean) => void;
  private endProbe: ((outcome: { verdict: Verdict }) => void) | undefined = undefined;
  private isCounted = false;

  constructor(settings: UpstreamSettings, server: Server, attempt: number) {
    this.settings = settings;
    this.server = server;
    this.attempt = attempt;
    this.endAtServer = server.begin();
  }

  begin(caller: Caller): void {
    const breaker = this.server.breaker(ROUTE);
    if (breaker === undefined || breaker.state() === 'closed') caller.dispatch(this.server);
    else void this.probe(caller);
  }

  /** The first request to a server whose breaker was open tells whether it closes. */
  private async probe(caller: Caller): Promise<void> {
    const outcome = await this.server.breaker(ROUTE)?.run(
      () =>
        new Promise<{ verdict: Verdict }>((resolve) => {
          this.endProbe = resolve;
          caller.dispatch(this.server);
        }),
    );
    if (outcome === undefined) caller.refusedByBreaker();
  }

  /**
   * Tells the breaker, and who waits for a server on trial, once: with the header section, since a body may last.
   *
   * @param tookMs without the time in which a client sent its body
   */
  count(verdict: Verdict, tookMs: number = performance.now() - this.startedAt): void {
    if (this.isCounted) return;
    this.isCounted = true;
    const slowMs = this.settings.breaker?.slowCallMs ?? Infinity;
    const isSlow = verdict === 'ok' && tookMs > slowMs;
    const judged = isSlow ? 'failed' : verdict;
    this.endAtServer(judged, false);
    if (this.endProbe === undefined) this.server.breaker(ROUTE)?.count(judged);
    else this.endProbe({ verdict: judged });
  }

  end(verdict: Verdict, outcome: CallOutcome, status: number | undefined): void {
    this.count(verdict);
    this.endAtServer(verdict);
    if (!signals.upstreamRequest.hasSubscribers) return;
    signals.upstreamRequest.publish({
      upstream: this.settings.name,
      server: this.server.address.origin,
      route: ROUTE,
      attempt: this.attempt,
      outcome,
      status,
      durationMs: performance.now() - this.startedAt,
    });
  }
}
