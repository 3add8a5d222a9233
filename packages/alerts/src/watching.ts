import type { Conditions } from './conditions.js';
import { nameOfError } from './clean.js';
import type { MetricsRegistry } from './metrics-registry.js';
import type { AlertRule, Watch } from './rule.js';

export interface WatchingSettings {
  rules: readonly AlertRule[];
  conditions: Conditions;
  registry: MetricsRegistry | undefined;
  now: () => number;
  deadlineMs: number;
}

/** All rules at work. */
export interface Watching {
  /** Has those look that are due; resolves when they have, or took too long. Never rejects. */
  look(): Promise<void>;
  /** Why rules could not look the last time, by their names. */
  problems(): ReadonlyMap<string, string>;
  close(): void;
}

interface Look {
  readonly rule: AlertRule;
  readonly ms: number;
  readonly run: (signal: AbortSignal) => void | Promise<void>;
  dueMs: number;
  isRunning: boolean;
}

const MAX_LOOK_MS = 4_000;

export function watching({ rules, conditions, registry, now, deadlineMs }: WatchingSettings): Watching {
  const lookMs = Math.min(MAX_LOOK_MS, Math.ceil(deadlineMs / 2));
  const looks: Look[] = [];
  const problems = new Map<string, string>();
  const controller = new AbortController();
  const ends = rules.map((rule) => rule.watch(watchOf(rule)));

  function watchOf(rule: AlertRule): Watch {
    return {
      holds: (subject, finding) => conditions.holds(rule, subject, finding),
      gone: (subject) => conditions.gone(rule, subject),
      happened: (subject, finding) => conditions.happened(rule, subject, finding),
      every: (ms, run) => void looks.push({ rule, ms, run, dueMs: now(), isRunning: false }),
      now,
      registry,
    };
  }

  async function run(look: Look): Promise<void> {
    look.dueMs = now() + look.ms;
    look.isRunning = true;
    try {
      await look.run(AbortSignal.any([controller.signal, AbortSignal.timeout(lookMs)]));
      problems.delete(look.rule.name);
    } catch (error) {
      problems.set(look.rule.name, nameOfError(error) ?? 'it failed');
    } finally {
      look.isRunning = false;
    }
  }

  return {
    async look() {
      const due = looks.filter(({ isRunning, dueMs }) => !isRunning && now() >= dueMs);
      if (due.length > 0) await patiently(Promise.all(due.map(run)), lookMs + 100);
    },
    problems: () => problems,
    close() {
      controller.abort();
      for (const end of ends) end?.();
    },
  };
}

/** A look that heeds no signal holds nobody up. */
async function patiently(looks: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([looks, expired]);
  clearTimeout(timer);
}
