interface MediaRange {
  type: string;
  version: string | undefined;
  quality: number;
}

const OPEN_METRICS = 'application/openmetrics-text';

/**
 * Whether an `Accept` asks for OpenMetrics 1.0.0 rather than for Prometheus' text. It must be named: browsers
 * and curl, which take anything, get the text.
 *
 * Not `req.accepts()`: that takes a range with a parameter it does not know, such as Prometheus' `escaping`, as
 * no match.
 */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const ranges = accept.toLowerCase().split(',').map(parseRange);
  const openMetrics = bestQuality(ranges, [OPEN_METRICS], '1.0.0');
  return openMetrics > 0 && openMetrics >= bestQuality(ranges, ['text/plain', 'text/*', '*/*'], '0.0.4');
}

function bestQuality(ranges: readonly MediaRange[], types: readonly string[], version: string): number {
  const fitting = ranges.filter(
    (range) => types.includes(range.type) && (range.version ?? version) === version,
  );
  return Math.max(0, ...fitting.map((range) => range.quality));
}

/** RFC 9110 section 12.5.1. */
function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
  const valueOf = (name: string) =>
    parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1);
  const quality = Number(valueOf('q') ?? 1);
  return { type, version: valueOf('version'), quality: quality >= 0 && quality <= 1 ? quality : 0 };
}
