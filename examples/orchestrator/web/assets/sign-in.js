import { clearProblems, onSubmit } from './forms.js';
import { ask } from './identity.js';

const $ = (id) => document.getElementById(id);

/** What the dialog is for: its words, and the fields that it shows. */
const MODES = {
  'sign-in': { title: 'Sign in', go: 'Sign in', fields: ['email', 'password'], password: 'current-password' },
  register: {
    title: 'Make an account',
    text: 'The password needs at least eight characters. A sentence is a good one.',
    go: 'Register',
    fields: ['email', 'password'],
    password: 'new-password',
  },
  forgot: {
    title: 'Forgot the password',
    text: 'A link to choose a new one comes by e-mail, if there is such an account.',
    go: 'Send the link',
    fields: ['email'],
  },
  reset: {
    title: 'Choose a new password',
    text: 'You will be signed out everywhere.',
    go: 'Set the password',
    fields: ['password'],
    password: 'new-password',
  },
};

/**
 * The dialog that lets people in.
 *
 * @param signedIn hears of everyone who came in
 */
export function signInDialog(signedIn) {
  const dialog = $('identity');
  const form = $('identity-form');
  let mode = 'sign-in';
  let resetToken;

  function show(next) {
    mode = next;
    const { title, text = '', go, fields, password } = MODES[mode];
    clearProblems(form);
    $('identity-title').textContent = title;
    $('identity-text').textContent = text;
    $('identity-go').textContent = go;
    $('password-label').textContent = mode === 'reset' ? 'New password' : 'Password';
    if (password) $('password').autocomplete = password;
    for (const field of form.querySelectorAll('.field')) field.hidden = !fields.includes(field.dataset.field);
    $('identity-guest').hidden = mode !== 'sign-in';
    for (const other of form.querySelectorAll('[data-mode]')) {
      other.hidden = other.dataset.mode === mode || mode === 'reset';
    }
  }

  function open(next = 'sign-in') {
    show(next);
    $('password').value = '';
    $('code').value = '';
    if (!dialog.open) dialog.showModal();
    form.querySelector('.field:not([hidden]) input').focus();
  }

  function close() {
    dialog.close();
    $('password').value = '';
    $('code').value = '';
  }

  async function come(path, body) {
    const { user } = await ask('POST', path, body);
    close();
    signedIn(user);
  }

  const send = {
    async 'sign-in'(values) {
      try {
        await come('/auth/login', values);
      } catch (error) {
        if (error.type !== 'second_factor_required') throw error;
        form.querySelector('[data-field=code]').hidden = false;
        $('identity-text').textContent = 'Your account has a second factor.';
        $('code').required = true;
        $('code').focus();
      }
    },
    async register(values) {
      await ask('POST', '/auth/register', values);
      try {
        await come('/auth/login', values);
      } catch (error) {
        // There is nothing to register any more.
        show('sign-in');
        $('identity-text').textContent = 'Your account is made.';
        throw error;
      }
    },
    async forgot(values) {
      await ask('POST', '/auth/password/forgot', values);
      show('sign-in');
      $('identity-text').textContent =
        'A link is on its way, if there is such an account. It is good for an hour.';
    },
    async reset({ password }) {
      await ask('POST', '/auth/password/reset', { token: resetToken, password });
      show('sign-in');
      $('password').value = '';
      $('identity-text').textContent = 'The new password is set. Sign in with it.';
      $('email').focus();
    },
  };
  onSubmit(form, (values) => send[mode](values));

  $('identity-guest').addEventListener('click', async () => {
    clearProblems(form);
    try {
      await goOnAsGuest();
    } catch (error) {
      form.querySelector('.problem').textContent = error.message;
    }
  });
  $('identity-close').addEventListener('click', close);
  for (const other of form.querySelectorAll('[data-mode]')) {
    other.addEventListener('click', () => {
      show(other.dataset.mode);
      $('code').required = false;
      form.querySelector('.field:not([hidden]) input').focus();
    });
  }

  async function goOnAsGuest() {
    await come('/auth/guest');
  }

  return {
    open,
    goOnAsGuest,
    /** With the token of a link that came by e-mail. */
    reset(token) {
      resetToken = token;
      open('reset');
    },
  };
}
