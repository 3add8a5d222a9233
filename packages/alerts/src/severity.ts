/** How bad it is: worth knowing, worth a look today, worth waking somebody. */
export type Severity = 'info' | 'warning' | 'critical';

export const SEVERITIES: readonly Severity[] = ['info', 'warning', 'critical'];

/** 1, 2 or 3: more is worse. */
export function rankOf(severity: Severity): number {
  return SEVERITIES.indexOf(severity) + 1;
}

export function worse(one: Severity, other: Severity): Severity {
  return rankOf(one) >= rankOf(other) ? one : other;
}
