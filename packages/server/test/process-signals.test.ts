import { describe, expect, it } from 'vitest';
import { type Program, eventually, rawConnection, refused, runProgram } from './support.js';

// These run `fixtures/server.mjs` on the built package, as a user's program would.
describe('a process that serves', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'drains on %s, closes its resources and exits with 0',
    async (signal) => {
      const program = await runProgram('server.mjs');
      const slow = await underWay(program, '/slow');
      program.child.kill(signal);

      const response = await slow.response;
      expect(response.headers.get('connection')).toBe('close');
      expect(await response.text()).toBe('answered');
      expect((await program.exited).code).toBe(0);
      expect(program.lines).toEqual([
        'holding',
        'closed io',
        'closed queue',
        'closed pool',
        expect.stringMatching(/^info drained in \d+ ms$/),
        'closed log',
        'exit 0',
      ]);
    },
  );

  it('exits with 1 when it had to abandon a request', async () => {
    const program = await runProgram('server.mjs', { DRAIN: '{"httpMs":300,"lingerMs":0}' });
    const { lost } = await underWay(program, '/never');
    program.child.kill('SIGTERM');
    await lost;
    expect((await program.exited).code).toBe(1);
    expect(program.lines).toContainEqual(
      expect.stringMatching(/^warn drained .* abandon 1 unanswered request$/),
    );
    expect(program.lines).toContain('closed pool');
  });

  it('exits with 1 when a resource hangs, and has closed the others', async () => {
    const { child, exited } = await runProgram('server.mjs', { HANGS: '1' });
    child.kill('SIGTERM');
    const { code, lines } = await exited;
    expect(code).toBe(1);
    expect(lines).toEqual([
      'closed io',
      'closed queue',
      'closed pool',
      expect.stringMatching(/^warn drained .* abandon the resource stuck$/),
      'closed log',
      'exit 1',
    ]);
  });

  it('exits with 0 after it has cut an event stream', async () => {
    const { child, firstLine, exited } = await runProgram('server.mjs', {
      DRAIN: '{"socketsMs":200,"lingerMs":0}',
    });
    const stream = await fetch(`${firstLine}/events`, { headers: { accept: 'text/event-stream' } });
    const cut = expect(stream.text()).rejects.toThrow('terminated');
    child.kill('SIGTERM');
    await cut;
    expect((await exited).code).toBe(0);
  });

  it('drains a server, too, that begins to listen only after the signal', async () => {
    const { child, exited } = await runProgram('two-servers.mjs');
    child.kill('SIGTERM');
    expect((await exited).lines.at(-1)).toBe('exit 0, the second is closed');
  });

  it('exits although something forgotten keeps it busy', async () => {
    const { child, exited } = await runProgram('server.mjs', { FORGETS: '1' });
    child.kill('SIGTERM');
    const { code, lines } = await exited;
    expect(code).toBe(0);
    expect(lines.at(-1)).toBe('exit 0');
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('exits at once on a second signal, %s', async (signal, expected) => {
    const program = await runProgram('server.mjs');
    const { lost } = await underWay(program, '/never');
    program.child.kill('SIGTERM');
    await refused(program.firstLine);
    program.child.kill(signal);

    await lost;
    expect((await program.exited).code).toBe(expected);
    expect(program.lines).toEqual(['holding', `exit ${expected}`]);
  });

  it('takes the same Ctrl-C that arrives twice for one', async () => {
    const { child, exited } = await runProgram('server.mjs');
    child.kill('SIGINT');
    child.kill('SIGINT');
    expect((await exited).code).toBe(0);
  });

  it('closes idle connections and still answers on them meanwhile', async () => {
    const { child, firstLine: url, exited } = await runProgram('server.mjs', { DRAIN: '{"lingerMs":1000}' });
    const connection = await rawConnection(url);
    connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => connection.received().includes('answered'));
    child.kill('SIGTERM');
    await refused(url);
    connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { text } = await connection.ended();
    expect(text.match(/answered/g)).toHaveLength(2);
    expect((await exited).code).toBe(0);
  });
});

/** A request that the program has begun to handle; `lost` is for one that is not answered. */
async function underWay(
  { firstLine, lines }: Program,
  path: string,
): Promise<{ response: Promise<Response>; lost: Promise<void> }> {
  const response = fetch(firstLine + path);
  const lost = response.then(
    () => Promise.reject(new Error('it was answered')),
    () => undefined,
  );
  lost.catch(() => undefined);
  await eventually(() => lines.includes('holding'));
  return { response, lost };
}
