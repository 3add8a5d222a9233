import { FAMILY } from './scan-words.js';

/** A text up to this length is one window; in a longer one no rule sees more than this at once. */
export const WINDOW = 1_024;
const BEFORE = 64;
const AFTER = 256;
/** Windows that touch share this much, so that an attack on the border is whole in one of them. */
const OVERLAP = 192;

/** Adds the surroundings of `at` to the windows. */
export function mark(windows: number[], at: number, length: number, families: number): void {
  const count = windows.length;
  if (length <= WINDOW) {
    // A short text is judged whole, by all.
    if (count === 0) windows.push(0, length, FAMILY.all);
    return;
  }
  const to = Math.min(length, at + AFTER);
  if (count === 0) {
    windows.push(Math.max(0, at - BEFORE), to, families);
    return;
  }
  const lastFrom = windows[count - 3] as number;
  const lastTo = windows[count - 2] as number;
  if (at - BEFORE > lastTo) windows.push(at - BEFORE, to, families);
  else if (to - lastFrom <= WINDOW) {
    if (to > lastTo) windows[count - 2] = to;
    windows[count - 1] = (windows[count - 1] as number) | families;
  } else {
    windows[count - 2] = lastFrom + WINDOW;
    windows.push(lastFrom + WINDOW - OVERLAP, Math.max(to, lastFrom + WINDOW), families);
  }
}
