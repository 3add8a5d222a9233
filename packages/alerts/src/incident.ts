import { createHash } from 'node:crypto';
import { isTextList, numberAt, textAt } from './reading.js';
import { SEVERITIES, type Severity } from './severity.js';

/** Something that is wrong, from when it was noticed until it has been gone for a while. */
export interface Incident {
  /** The same in every process, and each time that it comes back. */
  readonly id: string;
  readonly rule: string;
  readonly subject: string;
  severity: Severity;
  title: string;
  details: readonly string[];
  readonly openedMs: number;
  /** Since when it is gone, while that is not for long enough to be over. */
  goneMs: number | undefined;
  /** How long that must be: longer for what keeps coming back. */
  readonly quietMs: number;
  /** How often it went and came back. */
  returns: number;
  /** How bad each channel knows it to be: 1, 2 or 3. */
  told: Record<string, number>;
  toldMs: number;
}

/** An incident that is over, for as long as it counts as the same when it comes back. */
export interface PastIncident {
  readonly openedMs: number;
  readonly overMs: number;
  readonly quietMs: number;
}

/** The same in all processes of a service, and in each outage: receivers fold what has the same. */
export function incidentId(scope: string, rule: string, subject: string): string {
  return createHash('sha256')
    .update(JSON.stringify([scope, rule, subject]))
    .digest('hex')
    .slice(0, 32);
}

/** An incident of what JSON holds, or `undefined` when it is none. */
export function readIncident(value: unknown): Incident | undefined {
  const [id, rule, subject, title] = ['id', 'rule', 'subject', 'title'].map((name) => textAt(value, name));
  const [openedMs, quietMs] = [numberAt(value, 'openedMs'), numberAt(value, 'quietMs')];
  const severity = SEVERITIES.find((each) => each === textAt(value, 'severity'));
  if (id === undefined || rule === undefined || subject === undefined || title === undefined)
    return undefined;
  if (openedMs === undefined || quietMs === undefined || severity === undefined) return undefined;
  const details: unknown = Reflect.get(Object(value), 'details');
  const told: unknown = Reflect.get(Object(value), 'told');
  return {
    id,
    rule,
    subject,
    severity,
    title,
    details: isTextList(details) ? details : [],
    openedMs,
    goneMs: numberAt(value, 'goneMs'),
    quietMs,
    returns: numberAt(value, 'returns') ?? 0,
    told: Object.fromEntries(
      Object.entries(Object(told) as object).filter(([, rank]) => typeof rank === 'number'),
    ) as Record<string, number>,
    toldMs: numberAt(value, 'toldMs') ?? openedMs,
  };
}
