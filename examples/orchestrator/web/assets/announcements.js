const $ = (id) => document.getElementById(id);

/** What operators tell everybody. */
export function showAlert({ level, message }) {
  $('alert').hidden = false;
  $('alert-title').textContent = { info: 'Note', warning: 'Warning' }[level] ?? 'Alert';
  $('alert-text').textContent = message;
}

const STATUS_SHOWN_MS = 8_000;
let statusTimer;

/** Work in the background, such as of an indexer: what it does, and how far it is. */
export function showStatus({ query, status, progress, resultsCount }) {
  const words = { started: 'begun', complete: 'done', failed: 'failed' }[status] ?? 'under way';
  const share = status === 'progress' && progress !== undefined ? `, ${Math.round(progress * 100)} %` : '';
  const count = resultsCount === undefined ? '' : `, ${resultsCount} so far`;
  $('background').textContent = `${query}: ${words}${share}${status === 'progress' ? count : ''}`;
  $('background').hidden = false;
  clearTimeout(statusTimer);
  statusTimer = setTimeout(() => ($('background').hidden = true), STATUS_SHOWN_MS);
}

$('alert-close').addEventListener('click', () => {
  $('alert').hidden = true;
});
