import { AsyncResource } from 'node:async_hooks';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Gathering } from './proxy-turn.js';

/**
 * Hears of an answer in the context of the request that it is for. Connections and timers are shared, and bring along
 * the context of whoever needed them first: its deadline, which may be over, its session, and its log.
 */
export abstract class InRequestContext
  extends AsyncResource
  implements Dispatcher.DispatchHandler, Gathering
{
  constructor() {
    super('signalbox.proxy');
  }

  onHeaders(status: number, raw: Buffer[], _resume: () => void, statusText: string): boolean {
    this.hear(() => this.headCame(status, raw, statusText));
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.hear(() => this.bytesCame(chunk));
    return true;
  }

  onComplete(trailers: (string | Buffer)[] | null): void {
    this.hear(() => this.endCame(trailers));
  }

  onUpgrade(_status: number, raw: Buffer[] | string[] | null, upstream: Duplex): void {
    this.hear(() => this.tunnelCame(raw, upstream));
  }

  onError(cause: Error): void {
    this.hear(() => this.broke(cause));
  }

  turnEnds(): void {
    this.hear(() => this.sendGathered());
  }

  inspect(now: number): void {
    this.hear(() => this.judge(now));
  }

  private hear(news: () => void): void {
    this.runInAsyncScope(() => {
      try {
        news();
      } catch (error) {
        this.failed(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** What the app has put in the place of the response's functions, or hung on them, has thrown. */
  protected abstract failed(error: Error): void;
  protected abstract headCame(status: number, raw: readonly Buffer[], statusText: string): void;
  protected abstract bytesCame(chunk: Buffer): void;
  protected abstract endCame(trailers: (string | Buffer)[] | null): void;
  protected abstract tunnelCame(raw: Buffer[] | string[] | null, upstream: Duplex): void;
  protected abstract broke(cause: Error): void;
  protected abstract sendGathered(): void;
  protected abstract judge(now: number): void;
}
