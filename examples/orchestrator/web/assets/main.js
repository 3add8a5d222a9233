import { duration, health, search } from './api.js';
import { resultItem, summaryLine, waitingItems, wordsOf } from './results.js';

const $ = (id) => document.getElementById(id);
const form = $('search');
const input = $('q');
const list = $('list');

const HEALTH_EVERY_MS = 15_000;
// An answer that comes sooner needs no waiting rows: they would only flicker.
const WAIT_BEFORE_ROWS_MS = 150;

let running;

/** Shows what the address bar asks for. */
async function show() {
  running?.abort();
  const asked = new URLSearchParams(location.search);
  const q = (asked.get('q') ?? '').trim();
  const page = Math.max(1, Number.parseInt(asked.get('page') ?? '1', 10) || 1);
  input.value = q;
  document.title = q === '' ? 'Signalbox search' : `${q} – Signalbox search`;

  hideNotice();
  $('start').hidden = q !== '';
  if (q === '') return clear();

  running = new AbortController();
  const { signal } = running;
  const rows = setTimeout(() => {
    list.replaceChildren(...waitingItems());
    $('summary').textContent = 'Searching…';
    $('pages').hidden = true;
    $('suggestions').hidden = true;
  }, WAIT_BEFORE_ROWS_MS);
  $('results').setAttribute('aria-busy', 'true');
  try {
    showAnswer(await search({ q, page }, signal), q);
  } catch (error) {
    if (!signal.aborted) showFailure(error);
  } finally {
    clearTimeout(rows);
    if (!signal.aborted) $('results').setAttribute('aria-busy', 'false');
  }
}

function clear() {
  list.replaceChildren();
  $('summary').textContent = '';
  $('pages').hidden = true;
  $('suggestions').hidden = true;
}

function showAnswer(answer, q) {
  const words = wordsOf(q);
  list.replaceChildren(...answer.results.map((result) => resultItem(result, words)));
  $('summary').replaceChildren(...summaryLine(answer));
  showSuggestions(answer.meta.suggestions ?? [], answer.results.length === 0);
  showPages(answer.meta, q);
}

function showSuggestions(suggestions, nothingFound) {
  $('suggestions').hidden = suggestions.length === 0 && !nothingFound;
  if (suggestions.length === 0) {
    $('suggestions').textContent = 'Fewer or other words may find more.';
    return;
  }
  const links = suggestions.map((suggestion) => {
    const link = document.createElement('a');
    link.href = addressOf(suggestion, 1);
    link.textContent = suggestion;
    return link;
  });
  $('suggestions').replaceChildren('Also: ', ...links);
}

function showPages({ page, perPage, total }, q) {
  const last = Math.max(1, Math.ceil(total / perPage));
  $('pages').hidden = last === 1;
  $('page').textContent = `Page ${page} of ${last}`;
  linkTo($('previous'), page > 1 ? addressOf(q, page - 1) : undefined);
  linkTo($('next'), page < last ? addressOf(q, page + 1) : undefined);
}

function linkTo(link, address) {
  if (address === undefined) link.removeAttribute('href');
  else link.href = address;
}

function showFailure(error) {
  clear();
  $('notice-title').textContent = error.title ?? 'That did not work';
  $('notice-text').textContent =
    error.message + (error.requestId ? ` If it stays, quote request ${error.requestId}.` : '');
  $('notice').hidden = false;
  if (error.overAt !== undefined) countDown(error.overAt);
}

let countdown;

/** Says how long it lasts, and when it is over. The seconds are for the eye: read out, each would interrupt. */
function countDown(overAt) {
  const tell = () => {
    const seconds = Math.ceil((overAt - Date.now()) / 1_000);
    $('notice-wait').textContent = seconds > 0 ? `You can search again in ${duration(seconds)}.` : '';
    $('retry').disabled = seconds > 0;
    if (seconds > 0) return;
    clearInterval(countdown);
    $('notice-over').textContent = 'You can search again now.';
  };
  countdown = setInterval(tell, 250);
  tell();
}

function hideNotice() {
  clearInterval(countdown);
  $('notice').hidden = true;
  $('notice-wait').textContent = '';
  $('notice-over').textContent = '';
  $('retry').disabled = false;
}

function addressOf(q, page) {
  const query = new URLSearchParams({ q });
  if (page > 1) query.set('page', String(page));
  return `/?${query}`;
}

function go(address) {
  history.pushState(null, '', address);
  window.scrollTo(0, 0);
  return show();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const q = input.value.trim();
  if (q !== '') void go(addressOf(q, 1));
});

// Links to this page change the results without loading it again.
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain || link.origin !== location.origin || link.pathname !== '/' || link.hash) return;
  event.preventDefault();
  void go(link.href);
});

document.addEventListener('keydown', (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === '/' && document.activeElement !== input) {
    event.preventDefault();
    input.focus();
    input.select();
  } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    moveAlong(event);
  }
});

function moveAlong(event) {
  const stops = [input, ...list.querySelectorAll('h2 a')];
  const at = stops.indexOf(document.activeElement);
  if (at === -1) return;
  const next = stops[at + (event.key === 'ArrowDown' ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

$('retry').addEventListener('click', () => void show());
window.addEventListener('popstate', () => void show());

async function showHealth() {
  if (document.hidden) return;
  const { state, text } = await health();
  $('health').dataset.state = state;
  $('health-text').textContent = text;
}

document.addEventListener('visibilitychange', () => void showHealth());
setInterval(showHealth, HEALTH_EVERY_MS);
void showHealth();
void show();
if (input.value === '') input.focus();
