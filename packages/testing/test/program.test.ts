import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { freePort, onFreePort, startProgram, waitUntil, type Program } from '../src/index.js';

/** Real programs on a machine that may be busy. */
const patience = { timeout: 60_000 };

const node = (source: string, options = {}) => startProgram(process.execPath, ['-e', source], options);

/** A program of its own, as a test process is one, which can be killed. */
const owner = (name: string): Promise<Program> =>
  startProgram(process.execPath, [fileURLToPath(new URL(`programs/${name}`, import.meta.url))], {
    env: { VITEST: undefined, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined },
  });

/** Whether it runs. An orphan that has ended may stay a zombie until the system's first process looks after it. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return /^[^Z]/.test(stdout.trim());
}

describe('startProgram', patience, () => {
  it('waits for a line of output, keeps what was written and tells how it ended', async () => {
    const program = await node(
      'console.log("ready at 7"); console.error("oh"); setTimeout(() => process.exit(3), 20)',
      {
        ready: /ready/,
      },
    );
    expect((await program.waitFor(/ready at (\d+)/))[1]).toBe('7');
    expect(await program.exited).toEqual({ code: 3, signal: null });
    expect(program.stdout()).toBe('ready at 7\n');
    expect(program.stderr()).toBe('oh\n');
  });

  it('waits for a URL to answer', async () => {
    const port = await freePort();
    const program = await node(
      `setTimeout(() => require('http').createServer((q, s) => s.end('hi')).listen(${port}, '127.0.0.1'), 50)`,
      { ready: `http://127.0.0.1:${port}/` },
    );
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hi');
    expect(await program.stop()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await program.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('says so, with the output, when a program ends before it is ready', async () => {
    const started = node('console.log("no luck"); process.exit(2)', {
      name: 'node',
      ready: async () => false,
    });
    await expect(started).rejects.toThrow(/^node ended with exit code 2\. It printed:\nno luck/);
  });

  it('says so, and ends it, when a program is not ready in time', async () => {
    const started = node('setInterval(() => {}, 1000)', {
      name: 'node',
      ready: /never/,
      readyTimeoutMs: 200,
    });
    await expect(started).rejects.toThrow(
      'Waited for node to print /never/; it did not say so within 200 ms.',
    );
  });

  it('says so when there is no such program', async () => {
    await expect(startProgram('/no/such/program', [])).rejects.toThrow(
      '/no/such/program could not be started: spawn /no/such/program ENOENT',
    );
  });

  it('ends a program that does not listen to SIGTERM, and one that is stopped', async () => {
    const deaf = await node(
      'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)',
      {
        ready: /up/,
      },
    );
    expect(await deaf.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });

    const frozen = await node('console.log("up"); setInterval(() => {}, 1000)', { ready: /up/ });
    frozen.signal('SIGSTOP');
    expect(await frozen.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('ends what the program has started, too', async () => {
    const parent = await node(
      `const child = require('child_process').spawn('sleep', ['60']); console.log('child ' + child.pid); setInterval(() => {}, 1000)`,
      { ready: /child \d+/ },
    );
    const child = Number((await parent.waitFor(/child (\d+)/))[1]);
    expect(isAlive(child)).toBe(true);
    await parent.kill();
    expect(await waitUntil(() => !isAlive(child))).toBe(true);
  });

  it('leaves neither programs nor folders behind when the test process itself is killed', async () => {
    const killed = await owner('owner.mjs');
    const [, pid, folder = ''] = await killed.waitFor(/child (\d+) in (\S+)/);
    const child = Number(pid);
    expect([isAlive(child), existsSync(folder)]).toEqual([true, true]);

    killed.signal('SIGKILL');
    expect(await waitUntil(() => !isAlive(child) && !existsSync(folder))).toBe(true);
  });

  it('is waited for by its process, unless that says otherwise', async () => {
    const forgetful = await owner('forgetful.mjs');
    const [, pid] = await forgetful.waitFor(/child (\d+)/);
    expect(await forgetful.exited).toEqual({ code: 0, signal: null });
    expect(await waitUntil(() => !isAlive(Number(pid)))).toBe(true);
    expect(forgetful.stdout()).toBe(`child ${pid}\nended SIGKILL\n`);
  });
});

describe('onFreePort', patience, () => {
  it('tries another port when somebody was faster', async () => {
    const taken = createServer();
    const ports: number[] = [];
    const port = await onFreePort(async (free) => {
      ports.push(free);
      if (ports.length === 1) {
        await new Promise<void>((resolve) => taken.listen(free, '127.0.0.1', resolve));
        await startOn(free);
      }
      return free;
    });
    expect(ports).toHaveLength(2);
    expect(port).toBe(ports[1]);
    taken.close();
  });

  it('passes any other failure on', async () => {
    await expect(onFreePort(() => Promise.reject(new Error('out of luck')))).rejects.toThrow('out of luck');
  });
});

function startOn(port: number): Promise<void> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}
