import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('programs/late-writers.mjs', import.meta.url));

/**
 * The answer to a late handler's request, and to a request that follows on the same connection once
 * the handler has done what it does.
 */
interface Outcome {
  status: number | undefined;
  lateHeaders: string[];
  body: string;
  next: string;
  sameConnection: boolean;
}

describe('a handler that answers or fails after its deadline', () => {
  let server: ChildProcessByStdio<null, Readable, Readable>;
  let stderr = '';
  let url = '';
  let whats: string[] = [];
  const heard: string[] = [];

  beforeAll(async () => {
    const env = { ...process.env, NODE_ENV: 'production', NODE_OPTIONS: '' };
    server = spawn(process.execPath, [PROGRAM], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    server.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const lines = createInterface(server.stdout);
    const [ready] = (await once(lines, 'line')) as [string];
    ({ url, whats } = JSON.parse(ready) as { url: string; whats: string[] });
    lines.on('line', (line) => heard.push(line));
  });

  afterAll(() => {
    server.kill('SIGKILL');
  });

  it.each(['/plain', '/nested', '/mounted'])(
    'changes neither its own answer nor the next one on the connection (%s)',
    async (mount) => {
      expect(whats.length).toBeGreaterThan(20);
      const outcomes = await Promise.all(whats.map((what) => outcomeOf(mount + what)));

      for (const [i, outcome] of outcomes.entries()) {
        expect(outcome, whats[i]).toEqual({
          status: 504,
          lateHeaders: [],
          body: '{"code":"deadline_exceeded"}',
          next: 'pong',
          sameConnection: true,
        });
      }
    },
  );

  it('is told to the error handlers once, as what it is', () => {
    for (const [mount, name] of [
      ['/plain', 'outer'],
      ['/nested', 'inner'],
      ['/mounted', 'outer'],
    ]) {
      for (const what of whats) {
        const line = `${name} heard of ${mount}${what}: The request took longer than 30 ms`;
        expect(heard.filter((other) => other.includes(`${name} heard of ${mount}${what}:`))).toEqual([line]);
      }
    }
  });

  it('writes nothing to stderr', () => {
    expect(stderr).toBe('');
  });

  it("is logged by Express' own final handler where there is no other, also after a stream was cut off", async () => {
    await expect((await fetch(`${url}/begun`)).text()).rejects.toThrow('terminated');

    await expect.poll(() => stderr).toMatch(/^DeadlineExceededError: The request took longer than 30 ms$/m);
  });

  it("does no harm either where Express' own final handler answers, which logs what fails late", async () => {
    const outcomes = await Promise.all(whats.map((what) => outcomeOf(`/unhandled${what}`)));

    for (const [i, outcome] of outcomes.entries()) {
      expect(outcome, whats[i]).toEqual({
        status: 504,
        lateHeaders: [],
        body: expect.stringMatching(/^<!DOCTYPE html>[^]*<\/html>\n$/),
        next: 'pong',
        sameConnection: true,
      });
    }
  });

  it('does not end the process', async () => {
    expect(server.exitCode).toBeNull();
    const exit = once(server, 'exit');
    server.kill('SIGTERM');

    expect(await exit).toEqual([0, null]);
  });

  async function outcomeOf(path: string): Promise<Outcome> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const happened = fetch(`${url}/after?url=${path}`);
    const answer = await ask(path, agent);
    expect(await (await happened).text()).toBe('happened');
    const next = await ask('/ping', agent);
    agent.destroy();

    return {
      status: answer.response.statusCode,
      lateHeaders: Object.keys(answer.response.headers).filter((name) => /late|cookie|location/.test(name)),
      body: answer.body,
      next: next.body,
      sameConnection: next.reused,
    };
  }

  async function ask(
    path: string,
    agent: Agent,
  ): Promise<{ response: IncomingMessage; body: string; reused: boolean }> {
    const request = get(url + path, { agent });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return { response, body: await text(response), reused: request.reusedSocket };
  }
});
