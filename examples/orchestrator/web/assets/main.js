import { accountView } from './account.js';
import { showAlert, showStatus } from './announcements.js';
import { duration, health, search, UnknownError, WhoError } from './api.js';
import { ask, nameOf, whoAmI } from './identity.js';
import { useKeyboard } from './keyboard.js';
import { operationsView } from './operations.js';
import { liveConnection } from './live.js';
import { resultItem, sourceName, summaryLine, waitingItems, wordsOf } from './results.js';
import { signInDialog } from './sign-in.js';

const $ = (id) => document.getElementById(id);
const form = $('search');
const input = $('q');
const list = $('list');

const HEALTH_EVERY_MS = 15_000;
// An answer that comes sooner needs no waiting rows: they would only flicker.
const WAIT_BEFORE_ROWS_MS = 150;

let running;
/** Who is signed in; `undefined` for nobody, `null` where that is not known. */
let user;
/** What was typed just now. */
let askedFor;

const live = liveConnection({
  onState: showLive,
  onAlert: showAlert,
  onStatus: showStatus,
  onEnded: () => void lookWho(),
});
const account = accountView();
const operations = operationsView(() => void lookWho());
const dialog = signInDialog((who) => {
  showUser(who);
  void show();
});

/** Shows what the address bar asks for. */
async function show() {
  running?.abort();
  showRest();
  const view = viewOf(location.hash);
  for (const part of [form, $('hint'), $('summary'), $('results')]) part.hidden = view !== undefined;
  for (const other of [account, operations]) if (other !== view) other.hide();
  if (view !== undefined) {
    hideNotice();
    $('start').hidden = true;
    document.title = `${view.title} – Signalbox`;
    await view.show(user);
    return;
  }
  const asked = new URLSearchParams(location.search);
  const q = (asked.get('q') ?? '').trim();
  const page = Math.max(1, Number.parseInt(asked.get('page') ?? '1', 10) || 1);
  input.value = q;
  document.title = q === '' ? 'Signalbox search' : `${q} – Signalbox search`;

  hideNotice();
  $('start').hidden = q !== '' || isHeldUp();
  if (isHeldUp()) return showFailure(new UnknownError());
  if (q === '') return clear();
  if (user === undefined) return showFailure(new WhoError());

  running = new AbortController();
  const { signal } = running;
  const rows = setTimeout(() => {
    if (signal.aborted) return;
    list.replaceChildren(...waitingItems());
    if ($('progress').hidden) $('summary').textContent = 'Searching…';
    $('pages').hidden = true;
    $('suggestions').hidden = true;
  }, WAIT_BEFORE_ROWS_MS);
  $('results').setAttribute('aria-busy', 'true');
  try {
    showAnswer(await find(q, page, signal), q);
    // Somebody has searched: it can be known again who.
    if (user === null) void lookWho();
  } catch (error) {
    if (!signal.aborted) showFailure(error);
  } finally {
    clearTimeout(rows);
    // What is shown instead may be a search of its own.
    if (!signal.aborted) showRest();
  }
}

/** Nothing is under way. */
function showRest() {
  $('progress').hidden = true;
  $('results').setAttribute('aria-busy', 'false');
}

/** A new search is followed live, where that can be; one that is shown again may be kept. */
async function find(q, page, signal) {
  const isNew = askedFor === q && page === 1;
  askedFor = undefined;
  return isNew && live.isLive ? live.search(q, showProgress, signal) : search({ q, page }, signal);
}

function showProgress({ progress, stage }) {
  $('progress').hidden = false;
  $('progress').value = progress;
  $('summary').textContent = `${STAGES[stage.split(' ', 1)[0]] ?? 'Searching'}${sourceOf(stage)}…`;
}

const STAGES = { preparing: 'Preparing', asking: 'Asking', sorting: 'Sorting' };

function sourceOf(stage) {
  const source = stage.split(' ')[1];
  return source === undefined ? '' : ` ${sourceName(source)}`;
}

const LIVE = { live: 'Live', reconnecting: 'Reconnecting…', offline: 'Not live' };

function showLive(state) {
  $('live').hidden = user === undefined || user === null;
  $('live').dataset.state = { live: 'good', reconnecting: 'warn', offline: 'bad' }[state];
  $('live-text').textContent = LIVE[state];
}

const VIEWS = new Set(['#account', '#operations']);
/** Whether what is asked for is shown as soon as it is known who is here. */
const isHeldUp = () => user === null && VIEWS.has(location.hash);

/** What is shown instead of the search, to who may see it. */
function viewOf(hash) {
  if (hash === '#account' && user) return account;
  if (hash === '#operations' && isAdmin()) return operations;
  return undefined;
}

function isAdmin() {
  return user?.roles.includes('admin') === true;
}

function clear() {
  list.replaceChildren();
  $('summary').textContent = '';
  $('pages').hidden = true;
  $('suggestions').hidden = true;
}

function showAnswer(answer, q) {
  const words = wordsOf(q);
  list.replaceChildren(...answer.data.map((result) => resultItem(result, words)));
  $('summary').replaceChildren(...summaryLine(answer, q));
  showSuggestions(answer.suggestions, answer.page.total === 0);
  showPages(answer.page, q);
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
    // The letters of one do not move those of the next.
    link.dir = 'auto';
    return link;
  });
  $('suggestions').replaceChildren('Also: ', ...links);
}

function showPages({ number, last }, q) {
  $('pages').hidden = last === 1 && number === 1;
  $('page').textContent = number > last ? '' : `Page ${number} of ${last}`;
  linkTo($('previous'), number > 1 ? addressOf(q, Math.min(number - 1, last)) : undefined);
  linkTo($('next'), number < last ? addressOf(q, number + 1) : undefined);
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
  $('retry').hidden = error.needsSignIn === true;
  $('notice-sign-in').hidden = error.needsSignIn !== true;
  $('notice-guest').hidden = error.needsSignIn !== true;
  if (error.needsSignIn) showUser(undefined);
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
  $('retry').hidden = false;
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
  if (q === '') return;
  askedFor = q;
  void go(addressOf(q, 1));
});

// Links to this page change the results without loading it again.
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !plain || link.origin !== location.origin || link.pathname !== '/') return;
  if (link.hash && !VIEWS.has(link.hash)) return;
  event.preventDefault();
  void go(link.href);
});

useKeyboard(input, list);

$('retry').addEventListener('click', () => void (isHeldUp() ? lookWho() : show()));
window.addEventListener('popstate', () => {
  const resetToken = takeResetToken();
  if (resetToken === undefined) void show();
  else dialog.reset(resetToken);
});

function showUser(who) {
  if (who?.id !== user?.id) {
    live.close();
    account.leave();
    if (who) void live.open();
  }
  user = who;
  const isSomebody = who !== undefined && who !== null;
  // Who is nobody misses nothing.
  if (!isSomebody) $('live').hidden = true;
  $('sign-in').hidden = isSomebody;
  $('sign-out').hidden = !isSomebody;
  $('account-link').hidden = !isSomebody;
  $('account-link').textContent = isSomebody ? nameOf(who) : '';
  $('operations-link').hidden = !isAdmin();
  if (who === undefined && location.hash !== '') history.replaceState(null, '', '/');
}

$('sign-in').addEventListener('click', () => dialog.open());
$('notice-sign-in').addEventListener('click', () => dialog.open());
$('notice-guest').addEventListener('click', async () => {
  try {
    await dialog.goOnAsGuest();
  } catch (error) {
    $('notice-text').textContent = error.message;
  }
});
$('sign-out').addEventListener('click', async () => {
  try {
    await ask('POST', '/auth/logout');
  } catch (error) {
    // Who is not signed in any more has what they wanted.
    if (error.status !== 401) {
      showFailure(error);
      return;
    }
  }
  location.assign('/');
});

/** The token of a letter's link, which leaves the address bar, and the history with it. */
function takeResetToken() {
  const token = /^#reset=([\w-]+)$/.exec(location.hash)?.[1];
  if (token !== undefined) history.replaceState(null, '', '/');
  return token;
}

/**
 * Asks anew who is here: in another tab somebody may have signed out, or in as somebody else, and a server that could not
 * know may know now.
 */
async function lookWho() {
  const before = user;
  const who = await whoAmI().catch(() => null);
  // Whoever came or went meanwhile is known better.
  if (who === null || user !== before || (before !== null && who?.id === before?.id)) return;
  showUser(who);
  // Results that are here already stay: only whose they are was not known.
  if (before !== null || who === undefined || !$('notice').hidden) await show();
}

async function start() {
  const resetToken = takeResetToken();
  try {
    showUser(await whoAmI());
  } catch {
    // It cannot be known at the moment; a search says why.
    showUser(null);
  }
  await show();
  if (resetToken !== undefined) dialog.reset(resetToken);
}

async function showHealth() {
  if (document.hidden) return;
  const { state, text } = await health();
  $('health').dataset.state = state;
  $('health-text').textContent = text;
}

document.addEventListener('visibilitychange', () => {
  void showHealth();
  if (!document.hidden) void lookWho();
});
window.addEventListener('focus', () => void lookWho());
setInterval(() => {
  void showHealth();
  if (user === null) void lookWho();
}, HEALTH_EVERY_MS);
void showHealth();
void start();
if (input.value === '') input.focus();
