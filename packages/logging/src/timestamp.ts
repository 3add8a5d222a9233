/** `.000Z"` to `.999Z"`, as they end an ISO 8601 time. */
const ENDS: readonly string[] = Array.from({ length: 1_000 }, (_, ms) => `${String(ms).padStart(3, '0')}Z"`);

/** The `time` member of a line, as pino wants it: ISO 8601, in UTC, formatted anew once a second. */
export function timestamper(now: () => number = Date.now): () => string {
  let second = Number.NaN;
  let start = '';

  return () => {
    const nowMs = now();
    const thisSecond = Math.floor(nowMs / 1_000);
    if (thisSecond !== second) {
      second = thisSecond;
      start = `,"time":"${new Date(thisSecond * 1_000).toISOString().slice(0, -4)}`;
    }
    return start + (ENDS[nowMs - thisSecond * 1_000] ?? ENDS[0] ?? '');
  };
}
