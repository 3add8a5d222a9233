import { tell, outboxOf, type Board } from './board.js';
import type { AlertChannel } from './channel.js';
import type { ConditionReport } from './conditions.js';
import { incidentId, type Incident } from './incident.js';
import { notice, type Notice, type NoticeKind } from './notice.js';
import { knowsOf, post } from './outbox.js';
import type { AlertRule } from './rule.js';
import { rankOf, worse } from './severity.js';

export interface JudgeSettings {
  /** Service and environment. */
  scope: string;
  rules: readonly AlertRule[];
  channels: readonly AlertChannel[];
  repeatMs: number;
  maxQueued: number;
  onDropped: (notice: Notice, channel: AlertChannel) => void;
}

/** Makes incidents of what processes report, and notices of incidents. */
export interface Judge {
  /**
   * @param reports what holds, as all processes see it
   * @param speaks whether this process tells what every process of the machine sees alike
   */
  judge(board: Board, reports: readonly ConditionReport[], nowMs: number, speaks: boolean): void;
  /** Whether it is told within another incident. */
  isExplained(board: Board, incident: Incident): boolean;
  /** Whether one incident follows from another. */
  explains(cause: Incident, incident: Incident): boolean;
}

/** What `signals.featureState` calls this package. */
export const OWN_FEATURE = 'alerts';

/** What comes back within this is the same trouble, and must be gone for twice as long. */
const MEMORY_MS = 3_600_000;

export function judgeOf(settings: JudgeSettings): Judge {
  const { scope, rules, channels, repeatMs, maxQueued, onDropped } = settings;
  const byName = new Map(rules.map((rule) => [rule.name, rule]));
  const causes = new Set(rules.filter((rule) => rule.explains.length > 0).map(({ name }) => name));

  function explains(cause: Incident, { id, rule, subject }: Incident): boolean {
    const names = byName.get(cause.rule)?.explains ?? [];
    return cause.id !== id && (names.includes(rule) || names.includes(`${rule}/${subject}`));
  }

  function isExplained(board: Board, incident: Incident): boolean {
    if (causes.size === 0) return false;
    for (const cause of board.incidents.values()) {
      if (causes.has(cause.rule) && explains(cause, incident)) return true;
    }
    return false;
  }

  function open(board: Board, id: string, report: ConditionReport, nowMs: number): void {
    const past = board.past.get(id);
    const usualMs = byName.get(report.rule)?.quietMs ?? 120_000;
    const quietMs = past === undefined ? usualMs : Math.min(MEMORY_MS, Math.max(1, past.quietMs) * 2);
    const { rule, subject, severity, title, details } = report;
    board.incidents.set(id, {
      id,
      rule,
      subject,
      severity,
      title,
      details,
      quietMs,
      openedMs: nowMs,
      goneMs: undefined,
      returns: 0,
      told: {},
      toldMs: nowMs,
    });
  }

  /** Opens what is new, brings the known up to date, and notes what is gone. */
  function compare(board: Board, reports: readonly ConditionReport[], nowMs: number): void {
    const held = new Map<string, ConditionReport>();
    for (const report of reports) {
      const id = incidentId(scope, report.rule, report.subject);
      const other = held.get(id);
      const severity = other === undefined ? report.severity : worse(report.severity, other.severity);
      held.set(id, { ...report, severity });
    }
    for (const [id, report] of held) {
      const incident = board.incidents.get(id);
      if (incident === undefined) open(board, id, report, nowMs);
      else refresh(incident, report);
    }
    for (const incident of board.incidents.values()) if (!held.has(incident.id)) incident.goneMs ??= nowMs;
  }

  function put(
    board: Board,
    channel: AlertChannel,
    kind: NoticeKind,
    incident: Incident,
    nowMs: number,
  ): void {
    const dropped = post(outboxOf(board, channel.name), notice(kind, incident, nowMs), maxQueued);
    if (dropped === undefined) return;
    onDropped(dropped, channel);
    // It is counted among the dropped, and not put in again.
    const current = board.incidents.get(dropped.incident.id);
    if (current?.openedMs === dropped.incident.openedMs)
      tell(current, channel.name, rankOf(dropped.incident.severity));
  }

  /** Says of what goes on that it began, got worse, or is still there. */
  function announce(board: Board, incident: Incident, nowMs: number): void {
    const isDue = nowMs - incident.toldMs >= repeatMs;
    if (isDue) incident.toldMs = nowMs;
    for (const channel of channels) {
      if (rankOf(incident.severity) < rankOf(channel.severity)) continue;
      // A channel that cannot be reached is told so by its next message, not by a page when all is well again.
      if (isOurs(incident) && outboxOf(board, channel.name).failures > 0) continue;
      const told = incident.told[channel.name] ?? 0;
      if (!knowsOf(outboxOf(board, channel.name), channel, { incident })) {
        put(board, channel, told === 0 ? 'open' : 'worse', incident, nowMs);
      } else if (isDue && told > 0 && channel.wantsRepeats) {
        put(board, channel, 'repeat', incident, nowMs);
      }
    }
  }

  /** Ends an incident, and says so to who knows of it or is about to. */
  function end(board: Board, incident: Incident, nowMs: number): void {
    const { id, openedMs, quietMs, told } = incident;
    board.incidents.delete(id);
    board.past.set(id, { openedMs, overMs: nowMs, quietMs });
    for (const channel of channels) {
      const { notices } = outboxOf(board, channel.name);
      const isPending = notices.some(({ incident }) => incident.id === id && incident.openedMs === openedMs);
      if (isPending || (told[channel.name] ?? 0) > 0) put(board, channel, 'over', incident, nowMs);
    }
  }

  return {
    explains,
    isExplained,
    judge(board, reports, nowMs, speaks) {
      compare(board, reports, nowMs);
      for (const incident of board.incidents.values()) {
        const { goneMs, quietMs, rule } = incident;
        if (goneMs !== undefined) {
          if (nowMs - goneMs >= quietMs) end(board, incident, nowMs);
        } else if (!isExplained(board, incident)) {
          const isLeftToOthers = !speaks && byName.get(rule)?.isShared === true;
          if (!isLeftToOthers) announce(board, incident, nowMs);
        }
      }
      for (const [id, { overMs }] of board.past) if (nowMs - overMs > MEMORY_MS) board.past.delete(id);
    },
  };
}

/** Whether it is about the channels themselves. */
function isOurs({ subject }: Incident): boolean {
  return subject === OWN_FEATURE;
}

function refresh(incident: Incident, { severity, title, details }: ConditionReport): void {
  if (incident.goneMs !== undefined) {
    incident.goneMs = undefined;
    incident.returns += 1;
  }
  // It may get worse; that it got a little better is no news.
  incident.severity = worse(severity, incident.severity);
  incident.title = title;
  incident.details = details;
}

/** The notices have arrived. */
export function markTold(
  board: Board,
  channel: AlertChannel,
  notices: readonly Notice[],
  nowMs: number,
): void {
  for (const { kind, incident } of notices) {
    const current = board.incidents.get(incident.id);
    if (kind === 'over' || current?.openedMs !== incident.openedMs) continue;
    tell(current, channel.name, rankOf(incident.severity));
    current.toldMs = nowMs;
  }
}
