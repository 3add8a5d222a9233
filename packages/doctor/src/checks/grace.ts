import { found, type Finding } from '../finding.js';
import { inSeconds } from '../folder/duration.js';
import { processesOf, type Setup } from '../folder/setup.js';

/** A manager waits that much longer for its workers than they drain. */
const MANAGER_MS = 5_000;

/**
 * How long the app drains, the manager of its processes included.
 *
 * @param isManaged whether there is one even for a single process
 */
export function drainOf(
  drainMs: number | undefined,
  setup: Setup,
  isManaged: boolean = false,
): number | undefined {
  if (drainMs === undefined) return undefined;
  return isManaged || processesOf({ ...setup, replicas: 1 }) > 1 ? drainMs + MANAGER_MS : drainMs;
}

/** Whether what supervises the app waits for it to drain. */
export function checkGrace(
  graceMs: number | undefined,
  drainMs: number | undefined,
  where: string,
  beforeMs = 0,
): Finding[] {
  if (graceMs === undefined || drainMs === undefined || graceMs >= drainMs + beforeMs) return [];
  const before = beforeMs === 0 ? '' : `, after ${inSeconds(beforeMs)} before it`;
  return [
    found('SBX420', where, `${inSeconds(graceMs)}, and the app drains for ${inSeconds(drainMs)}${before}`),
  ];
}
