import type { AlertMessage, AlertNotice } from './channel.js';
import type { Incident } from './incident.js';
import type { Notice } from './notice.js';
import type { Outbox } from './outbox.js';

export interface MessageSettings {
  service: string;
  environment: string;
  /** Ends with a slash. */
  runbooks: string | undefined;
}

/** How many of those that follow from an incident are named. */
const MAX_ALSO = 5;

/** What a channel is told of these notices; what happened to one incident meanwhile is one. */
export function messageOf(
  { service, environment, runbooks }: MessageSettings,
  outbox: Outbox,
  notices: readonly Notice[],
  alsoOf: (incident: Incident) => readonly string[],
): AlertMessage {
  const merged = new Map<string, Notice>();
  for (const notice of notices) {
    const key = `${notice.incident.id} ${notice.incident.openedMs}`;
    const before = merged.get(key);
    const isStillNew = before?.kind === 'open' && notice.kind !== 'over';
    merged.set(key, isStillNew ? { ...notice, kind: 'open' } : notice);
  }
  return {
    service,
    environment,
    notices: [...merged.values()].map(({ kind, incident, atMs }): AlertNotice => {
      const { id, rule, subject, severity, title, details, openedMs, returns } = incident;
      return {
        id,
        kind,
        rule,
        subject,
        severity,
        title,
        details,
        returns,
        openedAt: new Date(openedMs),
        overAt: kind === 'over' ? new Date(atMs) : undefined,
        also: kind === 'over' ? [] : shortened(alsoOf(incident)),
        runbook: runbooks === undefined ? undefined : runbooks + rule,
      };
    }),
    dropped: outbox.dropped,
    unreachableSince: outbox.failingSinceMs === undefined ? undefined : new Date(outbox.failingSinceMs),
  };
}

/** What `test()` sends. */
export function testMessage({ service, environment }: MessageSettings, nowMs: number): AlertMessage {
  return {
    service,
    environment,
    notices: [
      {
        id: 'test',
        kind: 'test',
        rule: 'test',
        subject: 'test',
        severity: 'info',
        title: 'This is a test; nothing is wrong',
        details: [],
        openedAt: new Date(nowMs),
        returns: 0,
        also: [],
      },
    ],
    dropped: 0,
  };
}

function shortened(titles: readonly string[]): readonly string[] {
  if (titles.length <= MAX_ALSO) return titles;
  return [...titles.slice(0, MAX_ALSO), `and ${titles.length - MAX_ALSO} more`];
}
