const $ = (id) => document.getElementById(id);

/** `/` leads to what is searched for, the arrows lead through the results, and the first link past the head. */
export function useKeyboard(input, list) {
  // Followed as an address, it would lead away from what is shown in the place of results, and search again.
  document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault();
    const shown = [$('account'), $('operations')].find((view) => !view.hidden) ?? $('results');
    shown.focus();
  });

  document.addEventListener('keydown', (event) => {
    // Whoever composes a word, as in Japanese, chooses it with the arrows.
    if (event.isComposing) return;
    if (event.metaKey || event.ctrlKey || event.altKey || $('identity').open) return;
    if (event.target instanceof HTMLInputElement && event.target !== input) return;
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
}
