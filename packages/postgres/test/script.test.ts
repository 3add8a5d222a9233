import { describe, expect, it } from 'vitest';
import { statementsOf } from '../src/script.js';

describe('the statements of a script', () => {
  it('stand between semicolons, and what is only a comment is none', () => {
    expect(statementsOf('-- no transaction\nSELECT 1;\n\nSELECT 2 ;; -- the last\n/* really */')).toEqual([
      '-- no transaction\nSELECT 1',
      'SELECT 2',
    ]);
    expect(statementsOf(' \n-- nothing; yet')).toEqual([]);
    expect(statementsOf('SELECT 1;')).toEqual(['SELECT 1']);
  });

  it.each([
    ["SELECT 'a;b', 'it''s; so', E'it\\'s; so', 'c:\\'"],
    ['SELECT 1 AS "a;b", 2 AS "c"";d"'],
    ['SELECT $$a;b$$, $tag$ $$;$$ ; $tag$'],
    ['SELECT 1 /* a; /* nested; */ still; */ + 1'],
    ['SELECT 1 -- a; b\n+ 1'],
    ['SELECT a$1 FROM b$$c'],
    ['CREATE RULE r AS ON UPDATE TO t DO ALSO (DELETE FROM u; DELETE FROM v)'],
    [
      'CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE a WHEN 1 THEN 2 END; SELECT a; END',
    ],
    ['CREATE PROCEDURE p(begin int) BEGIN ATOMIC DELETE FROM t; END'],
  ])('does not end within %s', (statement) => {
    expect(statementsOf(`${statement};\nSELECT 1`)).toEqual([statement, 'SELECT 1']);
  });

  it('that begin and end a transaction are three', () => {
    expect(statementsOf('BEGIN; CREATE TABLE begin_end (id int); END')).toEqual([
      'BEGIN',
      'CREATE TABLE begin_end (id int)',
      'END',
    ]);
  });

  it('goes to the end where something does not end, which the server refuses', () => {
    for (const open of [
      "SELECT 'a; SELECT 2",
      'SELECT $a$; SELECT 2',
      'SELECT 1 /* ; SELECT 2',
      'SELECT "a; b',
    ]) {
      expect(statementsOf(open)).toEqual([open]);
    }
  });
});
