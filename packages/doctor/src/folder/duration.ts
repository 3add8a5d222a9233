const UNITS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  msec: 1,
  '': 1_000,
  s: 1_000,
  sec: 1_000,
  second: 1_000,
  seconds: 1_000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
  d: 86_400_000,
};

/** `90`, `90s`, `1m30s`, `1min 30s`, as compose, systemd and nginx write it, in milliseconds. */
export function readMs(text: string): number | undefined {
  if (/^infinity$/i.test(text.trim())) return Number.POSITIVE_INFINITY;
  if (!/^\s*(?:\d+(?:\.\d+)?\s*[a-z]*\s*)+$/i.test(text)) return undefined;
  let sum = 0;
  for (const [, number = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)/gi)) {
    const factor = UNITS[unit.toLowerCase()];
    if (factor === undefined) return undefined;
    sum += Number(number) * factor;
  }
  return sum;
}

/** `512m`, `1Gi`, `1gb`, `536870912`, in bytes. */
export function readBytes(text: string): number | undefined {
  const [, number, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*$/i.exec(text) ?? [];
  if (number === undefined) return undefined;
  return Number(number) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(unit.toLowerCase());
}

/** How long, for people. */
export function inSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
