import { config, ConfigError, type Config } from '@signalbox/config';
import { describe, expect, it } from 'vitest';
import { hostAndPort } from '../src/address.js';
import { SETTINGS } from '../src/settings.js';

function settingsOf(env: Record<string, string>): Config<typeof SETTINGS> {
  return config(SETTINGS, { env });
}

function problemsOf(env: Record<string, string>): string {
  try {
    settingsOf(env);
    return '';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}

describe('HOST', () => {
  it.each(['::1', '[::1]'])('may be IPv6 as in %s, which stands in brackets beside a port', (HOST) => {
    const settings = settingsOf({ HOST });
    expect(settings.HOST).toBe('::1');
    expect(hostAndPort(settings)).toBe('[::1]:8889');
  });
});

describe('PUBLIC_URL', () => {
  it('is one origin, as browsers write it', () => {
    expect(settingsOf({ PUBLIC_URL: 'https://Ü.example:443/' }).PUBLIC_URL).toBe('https://xn--tda.example');
  });

  it.each(['https://a.example/app', 'https://me@a.example', 'https://a.example?q', 'http://a:80,b:90'])(
    'is not %s',
    (PUBLIC_URL) => {
      expect(problemsOf({ PUBLIC_URL })).toMatch(/^.*\n {2}PUBLIC_URL must be an origin, such as [^\n]+$/);
    },
  );
});

describe('ADMIN_EMAIL', () => {
  const ADMIN_PASSWORD = 'Seven-wooden-signals-at-night';

  it.each(['admin', 'admin@localhost', 'Admin <admin@example.org>'])(
    'is not %s, with which nobody could sign in',
    (ADMIN_EMAIL) => {
      expect(problemsOf({ ADMIN_EMAIL, ADMIN_PASSWORD })).toContain('ADMIN_EMAIL must be an e-mail address');
    },
  );

  it('is compared as the form of the sign-in does', () => {
    expect(settingsOf({ ADMIN_EMAIL: ' Admin@Example.org ', ADMIN_PASSWORD }).ADMIN_EMAIL).toBe(
      'admin@example.org',
    );
  });
});

describe('PUBLIC_URL', () => {
  it.each(['https://search.example.org', 'https://search.example.org/', 'HTTPS://Search.Example.org:443'])(
    'is the origin that %s is of, for links to begin with',
    (PUBLIC_URL) => expect(settingsOf({ PUBLIC_URL }).PUBLIC_URL).toBe('https://search.example.org'),
  );

  it.each(['https://example.org/search', 'https://example.org/?q=', 'https://me@example.org'])(
    'is not %s, which is more than an origin',
    (PUBLIC_URL) => expect(problemsOf({ PUBLIC_URL })).toContain('PUBLIC_URL must be an origin'),
  );

  it('says what it wants of what is no URL', () => {
    expect(problemsOf({ PUBLIC_URL: 'example.org' })).toContain('PUBLIC_URL must be a URL that begins with');
  });
});
