import { metrics } from '@signalbox/metrics';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary';

export interface KnownMetric {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
}

/** What is known only once all processes are counted, and so in no registry. */
const OF_SCRAPE: KnownMetric = {
  name: 'signalbox_workers',
  type: 'gauge',
  help: 'Processes that answer requests and are counted.',
};

/** What the app shows at `/metrics`, in the order in which it does. */
export async function knownMetrics(): Promise<readonly KnownMetric[]> {
  const measured = metrics();
  const text = await measured.registry.metrics();
  await measured.close();
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [name, help]));
  const registered = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => ({
    name,
    type: type as MetricType,
    help: helps.get(name) ?? '',
  }));
  return [...registered, OF_SCRAPE];
}

/** Every name of a series that a metric has. */
export function seriesOf({ name, type }: KnownMetric): readonly string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

/** How the names of the backup's metrics begin, which are not the app's. */
export const OF_BACKUP = 'signalbox_backup_';

/**
 * A panel without data looks like a panel where all is well, and a rule without data never fires.
 *
 * @throws an error that names the metrics that the app does not have
 */
export function requireKnown(expressions: readonly string[], known: readonly KnownMetric[]): void {
  const names = new Set(known.flatMap(seriesOf));
  const unknown = expressions
    .flatMap(namesIn)
    .filter((name) => !names.has(name) && !name.startsWith(OF_BACKUP));
  if (unknown.length > 0) throw new Error(`The app has no metric ${[...new Set(unknown)].join(', ')}`);
}

/** The names of the app's series in an expression. What is recorded by a rule has colons in its name. */
export function namesIn(expression: string): readonly string[] {
  const withoutTexts = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
  return [...withoutTexts.matchAll(/(?<![\w:])(?:http|process|nodejs|signalbox)_\w+(?![\w:])/g)].map(
    ([name]) => name,
  );
}
