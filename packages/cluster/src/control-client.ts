import { once } from 'node:events';
import { connect } from 'node:net';
import { ClusterError, codeOf } from './cluster-error.js';

/** What may be asked of a manager. */
export type Command = 'status' | 'reload' | 'stop' | 'quit';

/** What it answers. */
export type Reply = { ok: true; result: unknown } | { ok: false; error: string };

/**
 * Gives a manager a command.
 *
 * @throws {ClusterError} when none listens there, it may not be asked, or does not answer
 */
export async function command(path: string, name: Command, withinMs: number): Promise<unknown> {
  const socket = connect(path);
  socket.setTimeout(withinMs, () => socket.destroy(new Error('timeout')));
  try {
    await once(socket, 'connect');
    socket.write(`${JSON.stringify({ command: name })}\n`);
    let text = '';
    for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
    const answer = JSON.parse(text) as Reply;
    if (answer.ok) return answer.result;
    throw new ClusterError('failed', answer.error);
  } catch (error) {
    if (error instanceof ClusterError) throw error;
    throw unreachable(path, error, withinMs);
  } finally {
    socket.destroy();
  }
}

function unreachable(path: string, error: unknown, withinMs: number): ClusterError {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return new ClusterError('no_permission', `no permission to use the control socket ${path}`, {
      cause: error,
    });
  }
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new ClusterError('not_running', `no manager listens on ${path}`, { cause: error });
  }
  const isLate = error instanceof Error && error.message === 'timeout';
  if (isLate) return new ClusterError('timed_out', `the manager did not answer within ${withinMs} ms`);
  return new ClusterError('failed', `the manager broke off the connection`, { cause: error });
}
