/** What forms have in common: they are sent by script, and say what is wrong beside the field. */

/** The values of a form's visible fields; empty ones that are not required are left out. */
export function valuesOf(form) {
  const values = {};
  for (const input of fieldsOf(form)) {
    if (input.value !== '' || input.required) values[input.name] = input.value;
  }
  return values;
}

/** Runs `send` when the form is submitted, once at a time, and shows what it rejects with. */
export function onSubmit(form, send) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (form.getAttribute('aria-busy') === 'true') return;
    clearProblems(form);
    const empty = fieldsOf(form).find((input) => input.required && input.value.trim() === '');
    if (empty !== undefined) return showProblem(form, empty, 'Please fill this in.');
    form.setAttribute('aria-busy', 'true');
    try {
      await send(valuesOf(form));
    } catch (error) {
      showRefusal(form, error);
    } finally {
      form.setAttribute('aria-busy', 'false');
    }
  });
}

export function clearProblems(form) {
  form.querySelector('.problem').textContent = '';
  for (const input of form.querySelectorAll('[aria-invalid]')) {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  }
  for (const words of form.querySelectorAll('.field-problem')) words.remove();
}

function showRefusal(form, refusal) {
  const wrong = fieldsOf(form).filter((input) => refusal.fields?.has(input.name));
  if (wrong.length === 0) {
    form.querySelector('.problem').textContent = refusal.message;
    return;
  }
  for (const input of wrong.toReversed()) showProblem(form, input, refusal.fields.get(input.name));
}

/** Beside the field, read out with it, and with the cursor where something has to be changed. */
function showProblem(_form, input, words) {
  const text = document.createElement('p');
  text.className = 'field-problem';
  text.id = `${input.id}-problem`;
  text.textContent = sentence(words);
  input.after(text);
  input.setAttribute('aria-invalid', 'true');
  input.setAttribute('aria-describedby', text.id);
  input.focus();
}

/** `must be an e-mail address` as a person reads it. */
function sentence(words) {
  const whole = /^(must|is|holds) /.test(words) ? `This ${words}` : words;
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function fieldsOf(form) {
  return [...form.elements].filter(
    (element) =>
      element.name && element.closest('[hidden]') === null && !(element instanceof HTMLButtonElement),
  );
}
