import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { connectPostgres, embeddedPostgres } from '../src/index.js';

const URL = 'postgres://app:s3cret@127.0.0.1:5432/app';

describe('connectPostgres', () => {
  it.each([
    ['', '"source" must be a URL beginning with postgres:// or postgresql://, got ""'],
    [
      'localhost',
      '"source" must be a URL beginning with postgres:// or postgresql://, got text of 9 characters',
    ],
    ['postgres://app:s3cret@host:port/app', '"source" must'],
    ['postgres://app:s3cret@host:99999/app', '"source" must'],
    [5, '"source" must be a postgres:// URL, a pool\'s settings, or a pool of pg\'s, got 5'],
    [undefined, '"source" must be'],
  ])('refuses %j, and shows no password', (source, words) => {
    const connect = (): unknown => connectPostgres(source as string);
    expect(connect).toThrow(TypeError);
    expect(connect).toThrow(words);
    expect(connect).toThrow(expect.not.objectContaining({ message: expect.stringContaining('s3cret') }));
  });

  it.each([
    [{ max: 0 }, '"max" must be an integer from 1 to 10000, got 0'],
    [{ max: 1.5 }, '"max" must be an integer'],
    [{ connectTimeoutMs: 0 }, '"connectTimeoutMs" must be an integer from 1'],
    [{ statementTimeoutMs: -1 }, '"statementTimeoutMs" must be an integer from 0'],
    [{ lockTimeoutMs: '1s' }, '"lockTimeoutMs" must be an integer'],
    [{ idleTransactionMs: NaN }, '"idleTransactionMs" must be an integer'],
    [{ recycleMs: 2 ** 31 }, '"recycleMs" must be an integer'],
    [{ idleMs: null }, '"idleMs" must be an integer'],
    [{ slowMs: -1 }, '"slowMs" must be'],
    [{ leakWarningMs: -1 }, '"leakWarningMs" must be'],
    [{ name: ' ' }, '"name" must be a non-empty string'],
    [{ queryLog: 'yes' }, '"queryLog" must be true or false'],
    [{ log: {} }, '"log" must be a logger with warn() and debug(), got an object'],
    [{ migrationsTable: 'a; DROP TABLE b' }, '"migrationsTable" must be a name such as'],
    [{ breaker: { failures: 0 } }, '"breaker.failures" must be an integer from 1 to 1000, got 0'],
    [{ breaker: { failure: 1 } }, '"failure" is not an option; did you mean "failures"?'],
    [{ slowMS: 5 }, '"slowMS" is not an option; did you mean "slowMs"?'],
    [5, '"options" must be an object, got 5'],
  ])('refuses %j', (options, words) => {
    const connect = (): unknown => connectPostgres(URL, options as never);
    expect(connect).toThrow(TypeError);
    expect(connect).toThrow(words);
  });

  it('takes a pool with its settings, and once', async () => {
    const pool = new pg.Pool({ connectionString: URL });
    expect(() => connectPostgres(pool, { max: 5 })).toThrow('"max" is for a pool that is made here');
    const db = connectPostgres(pool);
    expect(db.stats()).toEqual({ max: 10, size: 0, idle: 0, waiting: 0 });
    expect(() => connectPostgres(pool)).toThrow('is a pool that has a database already');
    await db.close();
    await pool.end();
  });

  it('takes the settings of a pool, which go before the defaults', async () => {
    const db = connectPostgres({ host: '127.0.0.1', user: 'app', max: 3 });
    expect(db).toMatchObject({ name: 'postgres', state: 'connecting' });
    expect(db.stats().max).toBe(3);
    await db.close();
    expect(db.state).toBe('closed');
  });
});

describe('embeddedPostgres', () => {
  it.each([
    [[''], '"folder" must be a non-empty string'],
    [[undefined, { max: 5 }], '"max" is not an option'],
    [[undefined, { connectTimeoutMs: 0 }], '"connectTimeoutMs" must be an integer'],
  ])('refuses %j', (args, words) => {
    const embed = embeddedPostgres as (...args: unknown[]) => unknown;
    expect(() => embed(...args)).toThrow(TypeError);
    expect(() => embed(...args)).toThrow(words);
  });
});
