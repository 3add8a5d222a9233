import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

/** A folder from which programs find the package as it is installed, gone when the test ends. */
function folder(files: Record<string, string>): string {
  const path = mkdtempSync(join(packageFolder, 'test', '.programs-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

/** Runs a program to its end, as a process of its own. */
async function run(program: string, cwd: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd,
    env: { PATH: process.env['PATH'] },
    timeout: 10_000,
  });
  let output = '';
  const keep = (chunk: Buffer): void => void (output += chunk.toString());
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, output };
}

const PRELUDE = `
  import express, { Router } from 'express';
  import { module, modules } from '@signalbox/compose';
  import { errorHandler } from '@signalbox/errors';
  const app = express();
  const log = { info: (_, message) => console.log(message), error: (_, message) => console.log(message) };
  const until = async (done) => { while (!done()) await new Promise((resolve) => setTimeout(resolve, 5)); };
`;

describe('a file that fails when it is imported', () => {
  it('takes nothing else with it, and is evaluated anew by its URL until it works', async () => {
    const files = folder({
      // Fails the first two times, as with a database that is not there yet.
      'late.js': `
        import { Router } from 'express';
        globalThis.tries = (globalThis.tries ?? 0) + 1;
        if (globalThis.tries < 3) throw new Error('the database is not there');
        export const router = Router().get('/', (_req, res) => res.send('late'));`,
      'fine.js': `
        import { Router } from 'express';
        export default Router().get('/', (_req, res) => res.send('fine'));`,
      'broken.js': 'this is no JavaScript',
    });
    const { code, output } = await run(
      `${PRELUDE}
      const base = ${JSON.stringify(`${pathToFileURL(files).href}/`)};
      const { ready, states, close } = modules(app, [
        module('late', '/late', new URL('late.js', base)),
        module('fine', '/fine', () => import(base + 'fine.js')),
        module('broken', '/broken', () => import(base + 'broken.js')),
        module('missing', '/missing', () => import(base + 'missing.js')),
      ], { log, retryMinMs: 20, retryMaxMs: 40 });
      await ready;
      app.use(errorHandler());
      const server = app.listen(0, '127.0.0.1');
      await until(() => server.listening);
      const ask = async (path) => {
        const response = await fetch('http://127.0.0.1:' + server.address().port + path);
        return response.status === 200 ? response.text() : response.status;
      };
      console.log(JSON.stringify([await ask('/fine'), await ask('/broken'), await ask('/missing')]));
      await until(() => states()[0].state === 'ready');
      console.log('now ' + await ask('/late'));
      await close();
      server.close();`,
      files,
    );
    expect(output).toContain('["fine",503,503]');
    expect(output).toContain('now late');
    expect(code).toBe(0);
  });

  it('is not what a file by its URL is told to be, where what it imports fails', async () => {
    const files = folder({
      'database.js': `throw new Error('the database is not there');`,
      'late.js': `import './database.js';`,
    });
    const { output } = await run(
      `${PRELUDE}
      const base = ${JSON.stringify(`${pathToFileURL(files).href}/`)};
      const late = module('late', '/late', new URL('late.js', base));
      const { ready, states, close } = modules(app, [late], { log, retryMinMs: 20, retryMaxMs: 40 });
      await ready;
      await until(() => states()[0].attempts > 2);
      await close();`,
      files,
    );
    expect(output).toContain('but Node keeps the failure of a file that it imports');
    expect(output).not.toContain('load it by its URL');
  });
});

describe('a process that boots', () => {
  it('waits for a load until its time is up, though nothing else keeps it alive', async () => {
    const { code, output } = await run(
      `${PRELUDE}
      const { ready } = modules(app, [module('a', '/a', () => new Promise(() => {}), { timeoutMs: 100 })], { log });
      await ready;
      console.log('booted');`,
      folder({}),
    );
    expect(output).toContain('Module "a" failed to load');
    expect(output).toContain('booted');
    // The next try holds nothing up.
    expect(code).toBe(0);
  });

  it('ends when a critical module fails and nobody says otherwise', async () => {
    const { code, output } = await run(
      `${PRELUDE}
      modules(app, [module('auth', '/auth', () => { throw new Error('no keys'); }, { critical: true })], { log });
      setInterval(() => {}, 1000);`,
      folder({}),
    );
    expect(code).toBe(1);
    expect(output).toContain('CriticalModuleError: The critical module "auth" failed to load');
    expect(output).toContain('no keys');
  });
});

describe('a module that fails', () => {
  it('is a process warning where nobody listens', async () => {
    const { code, output } = await run(
      `${PRELUDE}
      modules(app, [module('a', '/a', () => Promise.reject(new Error('no database')))]);
      process.once('warning', ({ message }) => {
        console.log(message);
        process.exit();
      });`,
      packageFolder,
    );
    expect(code).toBe(0);
    expect(output).toMatch(/^Module "a" failed to load; the next try is in .*: Error: no database\n/m);
  });
});
