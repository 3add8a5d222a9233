import { readFileSync } from 'node:fs';

/** Linux counts in clock ticks of a hundredth of a second (proc(5), USER_HZ). */
const TICK_MICROSECONDS = 10_000;

/** CPU time that a process has used, its threads included, in microseconds. */
export function processCpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name in parentheses and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
}
