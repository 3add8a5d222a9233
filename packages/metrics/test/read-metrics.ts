/** One line of an exposition. */
export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

interface Family {
  name: string;
  type: string;
  samples: Sample[];
}

/** An exposition that has passed all checks. */
export interface Exposition {
  families: ReadonlyMap<string, Family>;
  /** The samples of that name that have at least these labels. */
  find(name: string, labels?: Readonly<Record<string, string>>): Sample[];
  /** Their sum; 0 where there is none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary']);

/**
 * Reads Prometheus' text format 0.0.4, and is as strict as its documentation: each family is described once and
 * stands in one piece, no series comes twice, buckets are cumulative and end in `+Inf`. Names are held against
 * the conventions that `promtool check metrics` knows.
 */
export function readPrometheus(text: string): Exposition {
  return readExposition(text.split('\n'), false);
}

/** Reads OpenMetrics 1.0.0, as strictly. */
export function readOpenMetrics(text: string): Exposition {
  const lines = text.split('\n');
  demand(lines.at(-1) === '' && lines.at(-2) === '# EOF', 'ends in "# EOF" and a line feed');
  demand(!lines.slice(0, -1).includes(''), 'has no empty lines');
  return readExposition(lines.slice(0, -2), true);
}

function readExposition(lines: readonly string[], openMetrics: boolean): Exposition {
  const families = new Map<string, Family>();
  const series = new Set<string>();
  let helped: string | undefined;
  let family: Family | undefined;

  for (const line of lines) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = /^# (\S+) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      demand(rest !== '', `${name} has a help text`);
      helped = name;
    } else if (keyword === 'TYPE') {
      demand(
        NAME.test(name) && name === helped,
        `${name} has a valid name and its HELP stands before its TYPE`,
      );
      demand(TYPES.has(rest), `${name} has a known type, not ${rest}`);
      demand(!families.has(name), `${name} is described once`);
      family = { name, type: rest, samples: [] };
      families.set(name, family);
    } else {
      demand(family !== undefined, `"${line}" belongs to a family`);
      const sample = readSample(line);
      demand(namesOf(family, openMetrics).includes(sample.name), `"${line}" stands with its family`);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).map(String).toSorted(byText)]);
      demand(!series.has(key), `"${line}" comes once`);
      series.add(key);
      family.samples.push(sample);
    }
  }

  for (const each of families.values()) {
    checkConventions(each, openMetrics);
    if (each.type === 'histogram') checkHistogram(each);
  }
  const all = [...families.values()].flatMap(({ samples }) => samples);
  const find: Exposition['find'] = (name, labels = {}) =>
    all.filter((sample) => sample.name === name && hasLabels(sample, labels));
  return {
    families,
    find,
    sum: (name, labels) => find(name, labels).reduce((sum, { value }) => sum + value, 0),
  };
}

function hasLabels(sample: Sample, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([name, value]) => sample.labels[name] === value);
}

function readSample(line: string): Sample {
  const [, name = '', labelText = '', number = ''] = SAMPLE.exec(line) ?? [];
  demand(name !== '', `"${line}" is a sample`);
  const value = number === '+Inf' ? Infinity : Number(number);
  demand(!Number.isNaN(value), `"${line}" has a number`);

  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label, escaped] = LABEL.exec(labelText) ?? [];
    demand(label !== undefined && escaped !== undefined, `"${line}" has well-formed labels`);
    demand(!(label in labels), `"${line}" has each label once`);
    labels[label] = escaped.replace(/\\(.)/g, (_, character: string) =>
      character === 'n' ? '\n' : character,
    );
  }
  return { name, labels, value };
}

function namesOf({ name, type }: Family, openMetrics: boolean): string[] {
  if (type === 'histogram') return [`${name}_bucket`, `${name}_sum`, `${name}_count`];
  if (type === 'summary') return [name, `${name}_sum`, `${name}_count`];
  return [openMetrics && type === 'counter' ? `${name}_total` : name];
}

/** What promtool complains of. */
function checkConventions({ name, type }: Family, openMetrics: boolean): void {
  const isTotal = name.endsWith('_total');
  if (type === 'counter') demand(isTotal !== openMetrics, `the counter ${name} is named by convention`);
  else demand(!isTotal, `${name}, a ${type}, does not end in _total`);
  demand(
    !/_(milliseconds|ms|minutes|kilobytes|megabytes|percent)(_|$)/.test(name),
    `${name} is in base units`,
  );
  demand(!name.includes(type), `${name} does not contain its type`);
}

function checkHistogram({ name, samples }: Family): void {
  const bySeries = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = JSON.stringify({ ...sample.labels, le: undefined });
    bySeries.set(key, [...(bySeries.get(key) ?? []), sample]);
  }
  for (const group of bySeries.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => (labels['le'] === '+Inf' ? Infinity : Number(labels['le'])));
    const counts = buckets.map(({ value }) => value);
    const count = group.find((sample) => sample.name === `${name}_count`)?.value;
    demand(
      group.some((sample) => sample.name === `${name}_sum`),
      `${name} has a sum`,
    );
    demand(isAscending(bounds) && bounds.at(-1) === Infinity, `the buckets of ${name} ascend to +Inf`);
    demand(isAscending(counts) && counts.at(-1) === count, `the buckets of ${name} are cumulative`);
  }
}

function isAscending(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number >= (numbers[i - 1] ?? 0));
}

function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`The exposition is not valid. It must hold that ${what}.`);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
