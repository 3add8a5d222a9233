import { duration } from './api.js';

const WAITING_ROWS = 4;

/** One result as a list item. Text is set as text, never as markup. */
export function resultItem(result, words) {
  const link = document.createElement('a');
  link.href = result.url;
  link.rel = 'noopener noreferrer';
  link.dir = 'auto';
  link.append(...highlighted(result.title, words));

  const heading = document.createElement('h2');
  heading.append(link);

  const passage = paragraph('passage', highlighted(result.content, words));
  passage.dir = 'auto';

  const item = document.createElement('li');
  item.className = 'result';
  item.append(heading, paragraph('address', [address(result.url)]), passage);
  return item;
}

/** Grey rows in the place of results that are on their way. */
export function waitingItems() {
  return Array.from({ length: WAITING_ROWS }, () => {
    const item = document.createElement('li');
    item.className = 'waiting';
    item.setAttribute('aria-hidden', 'true');
    item.append(
      document.createElement('span'),
      document.createElement('span'),
      document.createElement('span'),
    );
    return item;
  });
}

/** "43 results in 0.12 s from SearXNG", or "43 results from SearXNG, kept 2 minutes ago". */
export function summaryLine({ page, source, degraded, origin, _meta }, query) {
  const { total, number, size, last: lastPage } = page;
  const label = document.createElement('span');
  label.className = 'source';
  label.dataset.origin = degraded ? 'degraded' : origin.kind;
  label.textContent = degraded ? `${sourceName(source)}, as a fallback` : sourceName(source);
  if (total === 0) {
    const nothing = `Nothing found for “${query}”`;
    if (origin.kind !== 'live') return [`${nothing} by `, label, `, ${age('asked', origin)}`];
    // The first choice might have found something.
    return degraded ? [`${nothing} by `, label] : [`${nothing}.`];
  }
  if (number > lastPage) {
    return [`There is no page ${number}: ${total} result${total === 1 ? '' : 's'} on ${pages(lastPage)}.`];
  }

  const first = (number - 1) * size + 1;
  const last = Math.min(number * size, total);
  const count =
    number > 1 ? `${first}–${last} of ${total} results` : `${total} result${total === 1 ? '' : 's'}`;
  if (origin.kind === 'live') return [`${count} in ${seconds(_meta.duration)} from `, label];
  return [`${count} from `, label, `, ${age('found', origin)}`];
}

function pages(count) {
  return `${count} page${count === 1 ? '' : 's'}`;
}

const AND = {
  cached: '',
  renewed: ', newer ones are on their way',
  stale: ', newer ones cannot be had at the moment',
};

function age(done, { kind, ageSeconds }) {
  return `${done} ${ageSeconds < 1 ? 'just now' : `${duration(ageSeconds)} ago`}${AND[kind]}`;
}

/** What people call a source. */
export function sourceName(source) {
  return source === 'embedded' ? 'this machine' : source.replace(/^searxng/, 'SearXNG');
}

function seconds(duration) {
  return `${duration < 0.01 ? '<0.01' : duration.toFixed(2)} s`;
}

function paragraph(className, children) {
  const element = document.createElement('p');
  element.className = className;
  element.append(...children);
  return element;
}

function address(url) {
  try {
    const { host, pathname } = new URL(url);
    return pathname === '/' ? host : `${host}${readable(pathname)}`;
  } catch {
    return url;
  }
}

/** What turns the order of letters around stays encoded: `moc.knab//:sptth` must not look like a bank. */
function readable(pathname) {
  return decodeURI(pathname).replace(/\p{Bidi_Control}/gu, encodeURIComponent);
}

/** The text in pieces, those that were searched for as <mark>. */
function highlighted(text, words) {
  if (words.length === 0) return [text];
  const pattern = new RegExp(
    `(${words.map((word) => RegExp.escape?.(word) ?? escape(word)).join('|')})`,
    'giu',
  );
  return text.split(pattern).map((piece, index) => {
    if (index % 2 === 0) return piece;
    const mark = document.createElement('mark');
    mark.textContent = piece;
    return mark;
  });
}

function escape(word) {
  return word.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

/** The words of a query that are worth marking. */
export function wordsOf(query) {
  const words = query.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return [...new Set(words)].filter((word) => word.length > 1).toSorted((a, b) => b.length - a.length);
}
