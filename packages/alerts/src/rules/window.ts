/** Readings of counters over a stretch of time. */
export interface Window<Reading> {
  /** Adds a reading, and gives the one from the beginning of the stretch, once there is one that old. */
  add(reading: Reading): Reading | undefined;
}

/**
 * @param hasFallen whether counters began anew, so that what was read before is worth nothing
 */
export function window<Reading>(
  overMs: number,
  now: () => number,
  hasFallen: (before: Reading, reading: Reading) => boolean,
): Window<Reading> {
  let readings: { readonly atMs: number; readonly reading: Reading }[] = [];

  return {
    add(reading) {
      const atMs = now();
      const last = readings.at(-1);
      if (last !== undefined && hasFallen(last.reading, reading)) readings = [];
      readings.push({ atMs, reading });
      // One that is older than the stretch is its beginning.
      while (readings.length > 1 && (readings[1]?.atMs ?? atMs) <= atMs - overMs) readings.shift();
      const first = readings[0];
      // A process that has just begun is judged by what it has done so far.
      return first === undefined || readings.length === 1 ? undefined : first.reading;
    },
  };
}
