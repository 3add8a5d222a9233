import type { ProxySettings } from './proxy-options.js';
import { UploadBody } from './proxy-request-body.js';

/** `stuck`: the client takes nothing. `still` and `slow`: the upstream sends nothing, or next to nothing. */
export type PaceVerdict = 'fine' | 'stuck' | 'still' | 'slow';

/** How fast an answer comes, and who is waited for. Times are on the clock of `performance.now()`. */
export class Pace {
  received = 0;
  isPaused = false;
  /** When there was a connection for the request; before, it has waited for the others'. */
  askedAt: number = Infinity;
  private progressAt = 0;
  private windowAt = 0;
  private windowBytes = 0;
  /** Somebody else was waited for in this window, so that it says nothing of the upstream. */
  private isExcused = false;

  /** The upstream is asked, or its header section is there. */
  restart(now: number): void {
    this.progressAt = now;
    this.windowAt = now;
  }

  came(bytes: number): void {
    this.received += bytes;
    this.progressAt = performance.now();
  }

  pause(): void {
    this.isPaused = true;
    this.isExcused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.progressAt = performance.now();
  }

  /** How long the upstream has been asked without a header section in return. */
  waitedMs(now: number, upload: unknown): number {
    if (upload instanceof UploadBody) {
      // As long as the client sends, it is not the upstream that one waits for.
      this.progressAt = !upload.isOver && !upload.isFull ? now : Math.max(this.progressAt, upload.progressAt);
    }
    return now - this.progressAt;
  }

  /** How long the server itself has been waited for. */
  askedMs(now: number, upload: unknown): number {
    return Math.max(0, Math.min(now - this.askedAt, this.waitedMs(now, upload)));
  }

  judge(now: number, upload: unknown, isEventStream: boolean, settings: ProxySettings): PaceVerdict {
    const { idleTimeoutMs, minBytesPerSecond } = settings;
    if (upload instanceof UploadBody && !upload.isOver) {
      this.progressAt = Math.max(this.progressAt, upload.progressAt);
      this.isExcused = true;
    }
    const isStill = now - this.progressAt > idleTimeoutMs;
    if (this.isPaused) return isStill ? 'stuck' : 'fine';
    if (isEventStream) return 'fine';
    if (isStill) return 'still';

    const windowMs = now - this.windowAt;
    if (windowMs < idleTimeoutMs) return 'fine';
    const bytes = this.received - this.windowBytes;
    const isSlow = !this.isExcused && bytes < (minBytesPerSecond * windowMs) / 1_000;
    this.windowAt = now;
    this.windowBytes = this.received;
    this.isExcused = false;
    return isSlow ? 'slow' : 'fine';
  }
}
