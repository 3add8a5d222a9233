import { clean } from './clean.js';
import type { AlertRule, Finding } from './rule.js';
import type { Severity } from './severity.js';

/** What a process says of one condition. Goes from process to process as JSON. */
export interface ConditionReport {
  readonly rule: string;
  readonly subject: string;
  readonly severity: Severity;
  readonly title: string;
  readonly details: readonly string[];
}

/** What this process sees. */
export interface Conditions {
  holds(rule: AlertRule, subject: string, finding: Finding): void;
  gone(rule: AlertRule, subject: string): void;
  happened(rule: AlertRule, subject: string, finding: Finding): void;
  /** Those that hold, and have for long enough. */
  reports(): ConditionReport[];
}

interface Condition {
  readonly rule: AlertRule;
  /** As messages show it; of several whose names differ in what is not shown, the same. */
  readonly subject: string;
  finding: Finding;
  isHeld: boolean;
  /** Time that it held, less half the time that it did not; from 0 to the rule's `forMs`. */
  heldMs: number;
  countedMs: number;
  isReported: boolean;
  /** Of what happened: until when it is said, and how often it was since. */
  untilMs: number | undefined;
  times: number;
}

/** What happened is said this long, so that it reaches who sends, whichever process that is. */
const SAID_FOR_MS = 15_000;

const MAX_CONDITIONS = 500;
const MAX_DETAILS = 5;

/** Keeps what rules tell, and judges for how long it has held. */
export function conditions(now: () => number): Conditions {
  const known = new Map<string, Condition>();

  function conditionOf(rule: AlertRule, subject: string, finding: Finding): Condition {
    const key = `${rule.name}/${subject}`;
    const found = known.get(key);
    if (found !== undefined) {
      found.finding = finding;
      return found;
    }
    // Names without end are one.
    if (known.size >= MAX_CONDITIONS && subject !== 'others') return conditionOf(rule, 'others', finding);
    const condition: Condition = {
      rule,
      subject: clean(subject),
      finding,
      isHeld: false,
      heldMs: 0,
      countedMs: now(),
      isReported: false,
      untilMs: undefined,
      times: 0,
    };
    known.set(key, condition);
    return condition;
  }

  /** Brings the time that it held up to now. */
  function count(condition: Condition): void {
    const passedMs = Math.max(0, now() - condition.countedMs);
    const { forMs } = condition.rule;
    condition.countedMs = now();
    condition.heldMs = condition.isHeld
      ? Math.min(forMs, condition.heldMs + passedMs)
      : Math.max(0, condition.heldMs - passedMs / 2);
  }

  return {
    holds(rule, subject, finding) {
      const condition = conditionOf(rule, subject, finding);
      count(condition);
      condition.isHeld = true;
      condition.untilMs = undefined;
    },

    gone(rule, subject) {
      const condition = known.get(`${rule.name}/${subject}`);
      if (condition === undefined) return;
      count(condition);
      condition.isHeld = false;
    },

    happened(rule, subject, finding) {
      const condition = conditionOf(rule, subject, finding);
      condition.times = condition.isHeld ? condition.times + 1 : 1;
      condition.isHeld = true;
      condition.isReported = false;
      condition.heldMs = rule.forMs;
      condition.countedMs = now();
      condition.untilMs = now() + SAID_FOR_MS;
    },

    reports() {
      const reports: ConditionReport[] = [];
      for (const [key, condition] of known) {
        count(condition);
        const { untilMs, isReported } = condition;
        if (untilMs !== undefined && isReported && now() >= untilMs) condition.isHeld = false;
        if (condition.isHeld && condition.heldMs >= condition.rule.forMs) {
          condition.isReported = true;
          reports.push(reportOf(condition));
        } else if (!condition.isHeld && condition.heldMs === 0) {
          known.delete(key);
        }
      }
      return reports;
    },
  };
}

function reportOf({ rule, subject, finding, times }: Condition): ConditionReport {
  const details = (finding.details ?? []).slice(0, MAX_DETAILS).map(clean);
  if (times > 1) details.push(`${times} times in a row`);
  return {
    rule: rule.name,
    subject,
    severity: finding.severity ?? rule.severity,
    title: clean(finding.title),
    details,
  };
}
