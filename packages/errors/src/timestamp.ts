let lastMs = 0;
let last = '';

/** The time in ISO 8601. Written out once a millisecond: a scan meets the same one many times. */
export function timestamp(): string {
  const nowMs = Date.now();
  if (nowMs !== lastMs) {
    lastMs = nowMs;
    last = new Date(nowMs).toISOString();
  }
  return last;
}
