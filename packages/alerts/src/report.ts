import { outboxOf } from './board.js';
import type { Turn } from './coordination.js';
import type { Judge } from './judge.js';
import type { AlertsSettings } from './options.js';
import type { Severity } from './severity.js';

/** An incident that goes on. */
export interface OpenIncident {
  readonly id: string;
  readonly rule: string;
  readonly subject: string;
  readonly severity: Severity;
  readonly title: string;
  readonly details: readonly string[];
  readonly openedAt: Date;
  /** Whether it is gone, though not for long enough to be over. */
  readonly isQuiet: boolean;
  /** Whether it is told within another incident. */
  readonly isExplained: boolean;
  readonly returns: number;
  readonly toldTo: readonly string[];
}

/** How a channel fares. */
export interface ChannelReport {
  readonly channel: string;
  readonly severity: Severity;
  readonly queued: number;
  readonly dropped: number;
  readonly sentLastHour: number;
  readonly failingSince: Date | undefined;
  readonly error: string | undefined;
}

/** What is wrong, for an admin page. */
export interface AlertsReport {
  /** `lead`: this process sends. `follow`: another does. `alone`: it cannot reach the others. */
  readonly role: Turn['role'];
  readonly incidents: readonly OpenIncident[];
  readonly channels: readonly ChannelReport[];
  readonly rules: readonly {
    readonly rule: string;
    readonly severity: Severity;
    /** Why it could not look the last time. */
    readonly problem: string | undefined;
  }[];
}

export function reportOf(
  { channels, rules, now }: AlertsSettings,
  { role, view }: Turn,
  problems: ReadonlyMap<string, string>,
  judge: Judge,
): AlertsReport {
  return {
    role,
    incidents: [...view.incidents.values()].map((incident) => ({
      id: incident.id,
      rule: incident.rule,
      subject: incident.subject,
      severity: incident.severity,
      title: incident.title,
      details: incident.details,
      openedAt: new Date(incident.openedMs),
      isQuiet: incident.goneMs !== undefined,
      isExplained: judge.isExplained(view, incident),
      returns: incident.returns,
      toldTo: Object.keys(incident.told),
    })),
    channels: channels.map(({ name, severity }) => {
      const { notices, dropped, sentMs, failingSinceMs, lastError } = outboxOf(view, name);
      return {
        channel: name,
        severity,
        queued: notices.length,
        dropped,
        sentLastHour: sentMs.filter((ms) => now() - ms < 3_600_000).length,
        failingSince: failingSinceMs === undefined ? undefined : new Date(failingSinceMs),
        error: lastError,
      };
    }),
    rules: rules.map(({ name, severity }) => ({ rule: name, severity, problem: problems.get(name) })),
  };
}
