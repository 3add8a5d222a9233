const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 240;
const HEIGHT = 48;
/** Five minutes, at a reading every two seconds. */
const POINTS = 150;

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });

const perSecond = (value) => `${number.format(value)} a second`;
const milliseconds = (value) => `${number.format(value)} ms`;

/**
 * What is drawn: its name, its words, the least that the scale goes up to, and from when on it is worth a look (`warn`)
 * or wrong (`bad`).
 */
const PLOTS = {
  requests: { name: 'Requests', words: perSecond, atLeast: 1 },
  errors: { name: 'Errors', words: (value) => percent.format(value), atLeast: 0.05, warn: 0.01, bad: 0.05 },
  latencyMs: { name: 'Slowest of a hundred', words: milliseconds, atLeast: 100, warn: 1_000, bad: 5_000 },
  hitRate: { name: 'Answers that were kept', words: (value) => percent.format(value), atLeast: 1 },
  refused: { name: 'Refused by limits', words: perSecond, atLeast: 1 },
  pool: {
    name: 'Connections to Postgres in use',
    words: (value) => percent.format(value),
    atLeast: 1,
    warn: 0.9,
  },
  lagMs: { name: 'Delay of the event loop', words: milliseconds, atLeast: 50, warn: 100, bad: 1_000 },
  memoryMb: { name: 'Memory', words: (value) => `${number.format(value)} MB`, atLeast: 256 },
  sockets: { name: 'Sockets', words: (value) => number.format(value), atLeast: 1 },
};

/** Lines of the last minutes, one for each figure. `add` draws one reading more, and gives what is not well. */
export function plots(container) {
  const drawn = Object.entries(PLOTS).map(([key, plot]) => ({ key, plot, values: [], ...figure(plot.name) }));
  container.replaceChildren(...drawn.map(({ element }) => element));

  return {
    add(figures) {
      for (const { key, plot, values, element, line, area, words } of drawn) {
        values.push(figures[key]);
        if (values.length > POINTS) values.shift();
        draw(values, plot, line, area);
        const value = values.at(-1);
        words.textContent = value === null ? '–' : plot.words(value);
        element.dataset.state = stateOf(value, plot);
      }
      return (
        drawn
          .filter(({ element }) => element.dataset.state !== 'good')
          // Without the figure, which stands below: it changes all the time, and each change would be read out.
          .map(({ plot, element }) => ({ state: element.dataset.state, text: `Too high: ${plot.name}` }))
      );
    },
  };
}

function stateOf(value, { warn = Infinity, bad = Infinity }) {
  if (value === null || value < warn) return 'good';
  return value < bad ? 'warn' : 'bad';
}

function figure(name) {
  const element = document.createElement('figure');
  element.className = 'plot';
  const caption = document.createElement('figcaption');
  const words = document.createElement('strong');
  caption.append(name, words);
  const svg = document.createElementNS(SVG, 'svg');
  for (const [attribute, value] of Object.entries({
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  })) {
    svg.setAttribute(attribute, value);
  }
  const [area, line] = ['area', 'line'].map((kind) => {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', kind);
    path.setAttribute('vector-effect', 'non-scaling-stroke');
    return path;
  });
  svg.append(area, line);
  element.append(caption, svg);
  return { element, words, line, area };
}

/** The latest at the right; a gap where there was nothing to draw. */
function draw(values, { atLeast }, line, area) {
  const top = Math.max(atLeast, ...values.filter((value) => value !== null)) * 1.1;
  const first = POINTS - values.length;
  const x = (index) => (((first + index) / (POINTS - 1)) * WIDTH).toFixed(1);
  const y = (value) => (HEIGHT - 1 - (value / top) * (HEIGHT - 2)).toFixed(1);
  let [lines, areas] = ['', ''];
  for (const run of runsOf(values)) {
    const points = run.map(([index, value]) => `${x(index)} ${y(value)}`).join(' L');
    // A single reading is a dot.
    lines += `M${points}${run.length === 1 ? ' h0.1' : ''}`;
    areas += `M${x(run[0][0])} ${HEIGHT} L${points} L${x(run.at(-1)[0])} ${HEIGHT}Z`;
  }
  line.setAttribute('d', lines);
  area.setAttribute('d', areas);
}

function runsOf(values) {
  const runs = [];
  let run;
  values.forEach((value, index) => {
    if (value === null) {
      run = undefined;
    } else {
      if (run === undefined) runs.push((run = []));
      run.push([index, value]);
    }
  });
  return runs;
}
