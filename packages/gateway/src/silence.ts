/**
 * How long calls that were cut short have waited for a server since it last answered. Each of them is too short to show
 * anything; a server that hangs shows by all of them.
 */
export class Silence {
  private ms = 0;
  private until = 0;

  broken(): void {
    this.ms = 0;
  }

  /**
   * A call was cut short. What others have waited at the same time counts once.
   *
   * @returns whether that makes `leastMs` in all; it is counted anew then
   */
  lasts(askedMs: number, leastMs: number): boolean {
    const now = performance.now();
    this.ms += now - Math.max(now - askedMs, this.until);
    this.until = now;
    if (this.ms < leastMs) return false;
    this.ms = 0;
    return true;
  }
}
