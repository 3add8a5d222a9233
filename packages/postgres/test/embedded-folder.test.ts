import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/keeper.js';
import { embeddedPostgres } from '../src/index.js';
import { errorOf, stageOf } from './stage.js';

describe('an embedded Postgres', () => {
  it('keeps its data in a folder, which one process has at a time', { timeout: 60_000 }, async (context) => {
    const stage = stageOf(context);
    const { path } = temporaryFolder('pglite');
    const folder = join(path, 'data');
    // Of a process that was killed.
    writeFileSync(`${folder}.lock`, '4194305');
    const first = stage.closing(embeddedPostgres(folder));
    expect(first.state).toBe('connecting');
    await first.query('CREATE TABLE kept AS SELECT 1 AS one');
    expect(first.state).toBe('up');

    const second = stage.closing(embeddedPostgres(folder));
    const error = await errorOf(second.query('SELECT 1'));
    expect(error).toMatchObject({ status: 503, reason: 'down' });
    expect(error.message).toContain('is open in this process already');
    expect(second.state).toBe('down');

    await first.close();
    expect(first.state).toBe('closed');
    expect(await errorOf(first.query('SELECT 1'))).toMatchObject({ reason: 'closed' });
    const third = stage.closing(embeddedPostgres(folder));
    expect((await third.query('SELECT one FROM kept')).rows).toEqual([{ one: 1 }]);
  });

  it('begins from its template, which it makes, makes anew where it is broken, and keeps alone where a start was killed', {
    timeout: 60_000,
  }, async (context) => {
    const stage = stageOf(context);
    const template = join(temporaryFolder('pglite').path, 'cache', 'empty.tar');
    const first = stage.closing(embeddedPostgres(undefined, { template }));
    await first.query('CREATE TABLE mine AS SELECT 1 AS one');
    const made = statSync(template);
    expect(made.mode & 0o077).toBe(0);
    // Of a process that was killed while it wrote.
    const leave = (): void => {
      mkdirSync(`${template}.parts`);
      writeFileSync(join(`${template}.parts`, randomUUID()), 'half of a data');
    };
    leave();

    const second = stage.closing(embeddedPostgres(undefined, { template }));
    expect((await errorOf(second.query('SELECT * FROM mine'))).code).toBe('42P01');
    expect((await second.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(statSync(template).mtimeMs).toBe(made.mtimeMs);
    expect(readdirSync(dirname(template))).toEqual(['empty.tar']);

    writeFileSync(template, 'not a database');
    leave();
    const third = stage.closing(embeddedPostgres(undefined, { template }));
    expect((await third.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(statSync(template).size).toBe(made.size);
    expect(readdirSync(dirname(template))).toEqual(['empty.tar']);
  });

  it('starts without a template that cannot be written', { timeout: 60_000 }, async (context) => {
    const database = stageOf(context).closing(
      embeddedPostgres(undefined, { template: '/dev/null/empty.tar' }),
    );
    expect((await database.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});
