/** A line of a list: what it is, and a few words on it. */
export function rowOf(title, text) {
  const name = document.createElement('strong');
  name.append(title);
  const small = document.createElement('span');
  small.textContent = text;
  const words = document.createElement('span');
  words.className = 'words';
  words.append(name, small);
  const row = document.createElement('li');
  row.append(words);
  return row;
}

/** A word on the state of something: `good`, `warn` or `bad`. */
export function badge(text, state = 'good') {
  const element = document.createElement('span');
  element.className = 'badge';
  element.dataset.state = state;
  element.textContent = text;
  return element;
}

/** @param label what it says to who does not see beside what it stands */
export function button(text, label, press) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = 'quiet';
  element.textContent = text;
  element.setAttribute('aria-label', label);
  element.addEventListener('click', press);
  return element;
}

/** As `show` of what `load` brings, but of several under way the last one that was begun: its answer is the newest. */
export function newest(load, show) {
  let calls = 0;
  return async () => {
    calls += 1;
    const call = calls;
    const answer = await load();
    if (call === calls) show(answer);
  };
}
