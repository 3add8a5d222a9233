import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { passwordProblem } from '../src/index.js';

describe('passwordProblem', () => {
  it.each([
    'correct horse battery staple',
    'tr4in-Station-9',
    'ünïcödé wörds',
    'пароль для поезда',
    '正しい馬の電池の留め金',
    '        nine spaces and words',
    '🐢🦆🐝🦋🐞🕷🦂🐙',
    'aliceblue-forever-and-ever',
  ])('has nothing against %j', (password) => {
    expect(passwordProblem(password, { email: 'alice@example.org', words: ['Signalbox'] })).toBeUndefined();
  });

  it.each([
    ['', 'too_short'],
    ['short', 'too_short'],
    ['1234567', 'too_short'],
    ['🐢🐢🐢🐢🐢🐢🐢', 'too_short'],
    ['a'.repeat(257), 'too_long'],
    ['a b'.repeat(400_000), 'too_long'],
    ['half \uD800 a character', 'invalid'],
    ['password', 'common'],
    ['PassWord', 'common'],
    ['P@ssw0rd', 'common'],
    ['Sunshine2024!', 'common'],
    ['iloveyou', 'common'],
    ['baseball!!', 'common'],
    ['aaaaaaaaaaaa', 'repetitive'],
    ['abcabcabcab', 'repetitive'],
    ['zyxwvuts', 'sequential'],
    ['abcdefgh', 'sequential'],
    ['oiuytrewq9', 'sequential'],
    ['98765432', 'sequential'],
    ['alice2024', 'personal'],
    ['Alice@Example.org', 'personal'],
    ['xx-example', 'personal'],
    ['alice-alice-alice', 'personal'],
    ['alice@signalbox', 'personal'],
    ['signalbox!1', 'personal'],
    ['smith-wood', 'personal'],
  ])('finds %j wanting: %s', (password, code) => {
    const email =
      code === 'personal' && password.startsWith('smith') ? 'jo.smith@x.org' : 'alice@example.org';
    const problem = passwordProblem(password, { email, words: ['Signalbox', 'Al'] });
    expect(problem).toMatchObject({ code });
    expect(problem?.message).toMatch(/^[A-Z].*\.$/);
  });

  it('counts characters as people do, after they are brought to one form', () => {
    expect(passwordProblem('e\u0301'.repeat(7))).toMatchObject({ code: 'too_short' });
    expect(passwordProblem('zwölf länger', { minLength: 12 })).toBeUndefined();
    expect(passwordProblem('zwölf lange', { minLength: 12 })).toMatchObject({ code: 'too_short' });
  });

  it.each([undefined, null, 42, {}, ['password'], { toString: () => 'x' }])(
    'calls %o no password',
    (value) => {
      expect(passwordProblem(value)).toMatchObject({ code: 'invalid' });
    },
  );

  it('never throws for a password or an address, and never asks for kinds of characters', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.string({ unit: 'binary' }),
        (password, email) => {
          const problem = passwordProblem(password, { email });
          expect(problem === undefined || problem.message.length > 10).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'c', 'e', 'g', 'i', 'k', 'm', 'o', 'q', 's', 'u', 'w', 'y'), {
          minLength: 30,
          maxLength: 60,
        }),
        (letters) => {
          const { code } = passwordProblem(letters.join('')) ?? {};
          expect([undefined, 'repetitive']).toContain(code);
        },
      ),
    );
  });

  it.each([
    [{ minLength: 7 }, 'passwordProblem: "minLength" must be an integer from 8 to 64, got 7'],
    [{ words: 'Signalbox' }, 'passwordProblem: "words" must be a list of strings, got "Signalbox"'],
    [{ mail: 'a@b.c' }, 'passwordProblem: "mail" is not an option; did you mean "email"?'],
  ])('refuses the options %o', (options, message) => {
    expect(() => passwordProblem('whatever', options as object)).toThrow(message);
  });
});
