import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { connectPostgres, type Database } from '../src/index.js';

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');

/** Everything that a declaration imports, and what those files import in turn. */
function importsOf(file: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?['"]([^'"]+)['"]/g)) {
    if (from.startsWith('.')) importsOf(resolve(dirname(file), from.replace(/\.js$/, '.d.ts')), seen);
    else seen.add(from);
  }
  return seen;
}

describe('the types', () => {
  it('need neither those of pg nor those of PGlite', () => {
    const imported = [...importsOf(join(dist, 'index.d.ts'))].filter((name) => !name.startsWith(dist));
    expect(imported).toEqual(['@signalbox/errors']);
  });

  it("take pg's pools and settings as they are", async () => {
    const config: pg.PoolConfig = { host: '127.0.0.1', max: 5 };
    const pool = new pg.Pool(config);
    const all: Database[] = [connectPostgres(pool), connectPostgres(config)];
    expect(all.map((db) => db.stats().max)).toEqual([5, 5]);
    await Promise.all(all.map((db) => db.close()));
    await pool.end();
  });
});
