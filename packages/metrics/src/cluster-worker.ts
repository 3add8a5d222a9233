import { ServiceUnavailableError } from '@signalbox/errors';
import type { Registry } from 'prom-client';
import { isOurs, type FromPrimary, type FromWorker } from './cluster-messages.js';
import { readNow } from './instruments.js';
import { lasting } from './merging.js';
import { changesSince, pack, type PackedMetric, unpack } from './packing.js';
import { completeness, workerCount, type Scrape } from './scrape.js';
import { takeSnapshot, type MetricSnapshot, type Sample } from './snapshot.js';

/** A worker's part in the metrics of its cluster. There is one a process, for all its registries. */
export interface WorkerLink {
  /**
   * Reads the whole app; where no primary adds up, `registry` alone.
   *
   * Rejects when the primary is there, but does not answer: without the others the counters would seem to fall.
   */
  scrape(registry: Registry): Promise<Scrape>;
  add(registry: Registry): void;
  /** Tells the primary what was counted so far. After the last registry the link is closed. */
  remove(registry: Registry): Promise<void>;
}

/** How often the primary is told, so that it knows what a worker had counted that dies without a word. */
const PUSH_MS = 1_000;
/** Pushing shall take no more than a hundredth of a worker's time. */
const PUSH_SHARE = 0.01;
/** The primary answers within 0.4 s by default; a scrape shall take less than one in all. */
const PRIMARY_TIMEOUT_MS = 800;

type Scraped = Extract<FromPrimary, { kind: 'scraped' }>;

let link: WorkerLink | undefined;

export function workerLink(): WorkerLink {
  link ??= openLink();
  return link;
}

function openLink(): WorkerLink {
  const registries = new Set<Registry>();
  /** Those that say their last word. */
  const leaving = new Set<Registry>();
  /** What those had counted that are closed: it is told as long as the process lives. */
  const left = new Map<Registry, PackedMetric[]>();
  const scrapes = pendingScrapes();
  let last: RegistrySnapshot[] = [];
  /** The same, as the primary was told. */
  let told: PackedMetric[] = [];
  let sending: Promise<unknown> = Promise.resolve();
  let pushTimer: NodeJS.Timeout | undefined;
  let hasPrimary = false;
  let isOpen = false;

  /** One after the other, so that no older numbers arrive after newer ones. Resolves with how long packing took. */
  function sendSnapshot(reply: { collect?: number; final?: boolean } = {}): Promise<number> {
    const sent = sending.then(() => sendSnapshotNow(reply));
    sending = sent;
    return sent;
  }

  async function sendSnapshotNow(reply: { collect?: number; final?: boolean }): Promise<number> {
    try {
      // At once with the list of the others: nobody is missing, or in both.
      const gone = [...left.values()].flat();
      last = await Promise.all(
        [...registries].map(async (registry) => ({ registry, snapshot: await takeSnapshot(registry) })),
      );
      const startedMs = performance.now();
      const metrics = [...last.flatMap(({ snapshot }) => snapshot.map(pack)), ...gone];
      told = metrics;
      const tookMs = performance.now() - startedMs;
      // It may have been opened again meanwhile.
      const final = reply.final === true && !isOpen;
      await send({ signalbox: 'metrics', kind: 'snapshot', metrics, ...reply, final });
      return tookMs;
    } catch (error) {
      // A collector of the app failed. The primary goes on with what it knows.
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
      return 0;
    }
  }

  async function push(): Promise<void> {
    const tookMs = await sendSnapshot();
    clearTimeout(pushTimer);
    if (!isOpen) return;
    pushTimer = setTimeout(push, Math.max(PUSH_MS, tookMs / PUSH_SHARE)).unref();
  }

  function onMessage(message: unknown): void {
    if (!isOurs(message)) return;
    const ours = message as FromPrimary;
    hasPrimary = true;
    if (ours.kind === 'collect') void sendSnapshot({ collect: ours.collect });
    if (ours.kind === 'scraped') scrapes.answer(ours);
  }

  /** As the process exits only what is synchronous still happens: what the channel does not take at once is lost. */
  function onExit(): void {
    const changes = changesSince(told, last.flatMap(updated).map(pack));
    void send({ signalbox: 'metrics', kind: 'changes', changes });
  }

  function open(): void {
    isOpen = true;
    process.on('message', onMessage);
    process.on('exit', onExit);
    void push();
  }

  function close(): void {
    isOpen = false;
    clearTimeout(pushTimer);
    process.off('message', onMessage);
    process.off('exit', onExit);
  }

  return {
    async scrape(registry) {
      const whole = await scrapes.ask();
      if (whole !== undefined) return whole;
      if (!hasPrimary) return scrapeAlone(registry);
      throw new ServiceUnavailableError('The primary process does not answer.', {
        code: 'metrics_incomplete',
        retryAfterSeconds: 1,
      });
    },
    add(registry) {
      leaving.delete(registry);
      left.delete(registry);
      registries.add(registry);
      if (!isOpen) open();
    },
    async remove(registry) {
      if (!registries.has(registry)) return;
      leaving.add(registry);
      const isLast = leaving.size === registries.size;
      if (isLast) close();
      await sendSnapshot({ final: isLast });
      // Somebody may have added it again meanwhile.
      if (!leaving.delete(registry)) return;
      registries.delete(registry);
      const own = last.find((each) => each.registry === registry);
      left.set(registry, lasting((own?.snapshot ?? []).map(pack)));
    },
  };
}

interface RegistrySnapshot {
  readonly registry: Registry;
  readonly snapshot: readonly MetricSnapshot[];
}

/** The snapshot, with what can be read now in place of what was read then. */
function updated({ registry, snapshot }: RegistrySnapshot): MetricSnapshot[] {
  const now = readNow(registry);
  // A gauge without labels of its own shows the registry's default labels, which `now` knows nothing of.
  const inFlight = snapshot.find(({ name }) => name === 'http_requests_in_flight');
  const defaults = inFlight?.values[0]?.labels ?? {};
  const labelled = (sample: Sample): Sample => ({ ...sample, labels: { ...defaults, ...sample.labels } });
  return snapshot.map((metric) => {
    const values = now.get(metric.name)?.map(labelled);
    return values === undefined ? metric : { ...metric, values };
  });
}

/** Asks the primary for the numbers of the whole app. */
function pendingScrapes() {
  let asked = 0;
  const waiting = new Map<number, (answer: Scrape | undefined) => void>();

  return {
    /** Resolves with `undefined` when there is no answer in time. */
    async ask(): Promise<Scrape | undefined> {
      const id = ++asked;
      const answered = new Promise<Scrape | undefined>((resolve) => {
        const timer = setTimeout(() => settle(id, undefined), PRIMARY_TIMEOUT_MS);
        waiting.set(id, (answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
      });
      const sent = await send({ signalbox: 'metrics', kind: 'scrape', scrape: id });
      if (!sent) settle(id, undefined);
      return answered;
    },
    answer({ scrape, metrics, workers, workersMissing }: Scraped): void {
      settle(scrape, { metrics: metrics.map(unpack), scope: 'cluster', workers, workersMissing });
    },
  };

  function settle(id: number, answer: Scrape | undefined): void {
    waiting.get(id)?.(answer);
    waiting.delete(id);
  }
}

/** Resolves with whether the message could be handed to the channel. Never rejects. */
function send(message: FromWorker): Promise<boolean> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve(false);
    process.send(message, undefined, undefined, (error) => resolve(error === null));
  });
}

let warned = false;

async function scrapeAlone(registry: Registry): Promise<Scrape> {
  if (!warned) {
    warned = true;
    process.emitWarning(
      'metrics: the primary does not answer, so a scrape shows one worker only. Call clusterMetrics() in the primary.',
      { code: 'SIGNALBOX_METRICS_ALONE' },
    );
  }
  const metrics = await takeSnapshot(registry);
  return {
    metrics: [...metrics, workerCount(1), completeness(false)],
    scope: 'worker',
    workers: 1,
    workersMissing: 0,
  };
}
