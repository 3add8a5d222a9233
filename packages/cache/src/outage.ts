import { signals } from '@signalbox/signals';

/** How often a store that failed is tried again, so that an outage ends also where nobody asks. */
const PROBE_EVERY_MS = 250;

/** Says when the cache begins to do without its store, and when that ends. */
export class Outage {
  private isOn = false;
  private timer: NodeJS.Timeout | undefined = undefined;

  constructor(private readonly probe: () => Promise<unknown>) {}

  failed(error: unknown): void {
    if (this.isOn) return;
    this.isOn = true;
    this.publish(
      true,
      `The store does not answer: ${error instanceof Error ? error.message : String(error)}`,
    );
    this.probeLater();
  }

  close(): void {
    clearTimeout(this.timer);
    this.isOn = true;
  }

  private probeLater(): void {
    this.timer = setTimeout(() => {
      this.probe().then(
        () => this.end(),
        () => this.probeLater(),
      );
    }, PROBE_EVERY_MS).unref();
  }

  private end(): void {
    this.isOn = false;
    this.publish(false, 'The store answers again');
  }

  private publish(degraded: boolean, reason: string): void {
    if (!signals.featureState.hasSubscribers) return;
    signals.featureState.publish({ feature: 'cache', degraded, policy: 'open', reason });
  }
}
