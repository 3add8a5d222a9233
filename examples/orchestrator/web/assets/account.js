import { badge, button, newest, rowOf } from './elements.js';
import { onSubmit } from './forms.js';
import { ask } from './identity.js';

const $ = (id) => document.getElementById(id);

const dates = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
const days = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });

/** The view of one's own account: sessions, second factor, keys, history, password. */
export function accountView() {
  let user;

  function say(words) {
    $('account-said').textContent = words;
  }

  /** Does something, and says how it went. */
  async function act(work, words) {
    try {
      await work();
      if (words !== undefined) say(words);
    } catch (error) {
      say(error.message);
    }
  }

  const showSessions = newest(
    () => ask('GET', '/auth/sessions'),
    ({ sessions }) => {
      $('sessions').replaceChildren(
        ...sessions.map((session) => {
          const row = rowOf(session.device, `Last used ${dates.format(new Date(session.lastSeenAt))}`);
          if (session.isCurrent) row.append(badge('This device'));
          else {
            row.append(
              button('End', `End the session on ${session.device}`, () =>
                act(async () => {
                  await ask('DELETE', `/auth/sessions/${session.id}`);
                  await showSessions();
                }, 'The session is ended.'),
              ),
            );
          }
          return row;
        }),
      );
      $('end-others').hidden = sessions.length < 2;
    },
  );

  const showFactor = newest(
    () => ask('GET', '/auth/second-factor'),
    ({ isOn }) => {
      $('factor-state').textContent = isOn
        ? 'On: signing in takes a code of your authenticator, too.'
        : 'Off: your password is all that it takes to sign in.';
      $('factor-add').hidden = isOn;
      $('factor-removal').hidden = !isOn;
      $('factor-setup').hidden = true;
    },
  );

  const showKeys = newest(
    () => ask('GET', '/auth/keys'),
    ({ keys }) => {
      $('keys').replaceChildren(
        ...keys.map((key) => {
          const used = key.lastUsedAt ? `last used ${days.format(new Date(key.lastUsedAt))}` : 'not used yet';
          const until = key.expiresAt ? `, until ${days.format(new Date(key.expiresAt))}` : '';
          const row = rowOf(key.name, `${used}${until}`);
          row.append(
            button('Revoke', `Revoke the key ${key.name}`, () =>
              act(async () => {
                await ask('DELETE', `/auth/keys/${key.id}`);
                await showKeys();
              }, 'The key is revoked.'),
            ),
          );
          return row;
        }),
      );
    },
  );

  const showHistory = newest(
    () => ask('GET', '/api/v2/history'),
    ({ keep, searches }) => {
      $('keep-history').checked = keep;
      $('keep-history').disabled = false;
      $('history').replaceChildren(
        ...searches.map(({ query, searchedAt }) => {
          const link = document.createElement('a');
          link.href = `/?${new URLSearchParams({ q: query })}`;
          link.textContent = query;
          return rowOf(link, dates.format(new Date(searchedAt)));
        }),
      );
      $('delete-history').hidden = searches.length === 0;
    },
  );

  /** Nothing that acts on a state may be used before that state is known: the answer would undo what was done. */
  function hideUnknown() {
    $('keep-history').disabled = true;
    for (const id of ['factor-add', 'factor-setup', 'factor-removal']) $(id).hidden = true;
  }

  /** Nothing is shown of who was here before, also where nothing can be found out about who is here now. */
  function forget() {
    for (const id of ['sessions', 'keys', 'history', 'factor-state']) $(id).replaceChildren();
    for (const id of ['made-key-text', 'recovery-codes', 'factor-secret', 'factor-qr', 'account-title'])
      $(id).replaceChildren();
    for (const id of ['end-others', 'delete-history']) $(id).hidden = true;
    for (const form of $('account').querySelectorAll('form')) form.reset();
    $('keep-history').checked = false;
  }

  onSubmit($('new-key'), async ({ name, expiresInDays }) => {
    const made = await ask('POST', '/auth/keys', {
      name,
      ...(expiresInDays ? { expiresInDays: Number(expiresInDays) } : {}),
    });
    $('made-key-text').textContent = made.key;
    $('made-key').hidden = false;
    $('key-name').value = '';
    await showKeys();
    $('copy-key').focus();
  });
  $('copy-key').addEventListener('click', () => copy($('made-key-text').textContent, 'The key is copied.'));

  $('factor-add').addEventListener('click', () =>
    act(async () => {
      const { secret, qrCode } = await ask('POST', '/auth/second-factor');
      $('factor-qr').replaceChildren(drawing(qrCode));
      $('factor-secret').textContent = secret.replace(/(.{4})(?=.)/g, '$1 ');
      $('factor-setup').hidden = false;
      $('factor-add').hidden = true;
      $('factor-code').value = '';
      $('factor-code').focus();
    }),
  );
  $('factor-setup')
    .querySelector('[data-cancel]')
    .addEventListener('click', () => act(showFactor));
  onSubmit($('factor-setup'), async ({ code }) => {
    const { recoveryCodes } = await ask('POST', '/auth/second-factor/confirm', { code });
    await showFactor();
    $('recovery-codes').replaceChildren(
      ...recoveryCodes.map((text) => {
        const item = document.createElement('li');
        item.textContent = text;
        return item;
      }),
    );
    $('factor-recovery').hidden = false;
    $('copy-codes').focus();
    say('The second factor is on.');
  });
  $('copy-codes').addEventListener('click', () => {
    const codes = [...$('recovery-codes').children].map(({ textContent }) => textContent);
    void copy(codes.join('\n'), 'The codes are copied.');
  });
  onSubmit($('factor-removal'), async ({ code }) => {
    await ask('DELETE', '/auth/second-factor', { code });
    $('removal-code').value = '';
    $('factor-recovery').hidden = true;
    await showFactor();
    say('The second factor is off.');
  });

  onSubmit($('change-password'), async (values) => {
    await ask('POST', '/auth/password/change', values);
    $('change-password').reset();
    await showSessions();
    say('The password is changed; all other sessions are ended.');
  });

  $('end-others').addEventListener('click', () =>
    act(async () => {
      await ask('DELETE', '/auth/sessions');
      await showSessions();
    }, 'All other sessions are ended.'),
  );
  let saving = Promise.resolve();
  $('keep-history').addEventListener('change', () => {
    const keep = $('keep-history').checked;
    // One after the other: what was chosen last is what stays.
    saving = saving.then(() => act(() => saveKeep(keep)));
  });
  $('delete-history').addEventListener('click', () =>
    act(async () => {
      await ask('DELETE', '/api/v2/history');
      await showHistory();
    }, 'They are deleted.'),
  );

  async function saveKeep(keep) {
    try {
      await ask('PUT', '/api/v2/history', { keep });
    } catch (error) {
      $('keep-history').checked = !keep;
      throw error;
    }
    say(keep ? 'Your searches are kept from now on.' : 'Your searches are not kept any more.');
  }

  async function copy(text, words) {
    try {
      await navigator.clipboard.writeText(text);
      say(words);
    } catch {
      // Without TLS there is no clipboard, and with it somebody may have said no.
      say('The browser does not let this page copy: mark it, and copy it by hand.');
    }
  }

  return {
    title: 'Your account',
    /** Shows the account of `who`; of a guest, what guests have. */
    async show(who) {
      if (who.id !== user?.id) forget();
      user = who;
      $('account').hidden = false;
      say('');
      $('made-key').hidden = true;
      $('factor-recovery').hidden = true;
      hideUnknown();
      const isGuest = user.roles.includes('guest');
      $('account-title').textContent = isGuest ? 'You are here as a guest' : user.email;
      for (const part of document.querySelectorAll('#account [data-for=account]')) part.hidden = isGuest;
      await act(async () => {
        await Promise.all([showSessions(), ...(isGuest ? [] : [showFactor(), showKeys(), showHistory()])]);
      });
    },
    hide() {
      $('account').hidden = true;
    },
    /** Whoever had it open is not here any more. */
    leave() {
      user = undefined;
      forget();
    },
  };
}

/** A QR code as one path: dark on white, whatever the colours of the page. */
function drawing({ size, path }) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', `-2 -2 ${size + 4} ${size + 4}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', 'QR code of the secret');
  const dots = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  dots.setAttribute('d', path);
  svg.append(dots);
  return svg;
}
