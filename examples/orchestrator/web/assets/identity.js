import { duration } from './api.js';

/** What the server refused, in words, and field by field. */
export class Refusal extends Error {
  constructor(status, { type, message, details, requestId } = {}, retryAfterSeconds = 0) {
    super(message ?? `The server answered ${status}.`);
    this.status = status;
    this.type = type;
    this.requestId = requestId;
    /** Messages by the names of the fields that they are about. */
    this.fields = new Map(
      (Array.isArray(details) ? details : []).map(({ pointer = '', message: words }) => [
        pointer.slice(1),
        words,
      ]),
    );
    if (status === 429) this.message = `Too many attempts. Try again in ${duration(retryAfterSeconds || 1)}.`;
    // That one does not pass by itself.
    if (status === 503 && type !== 'second_factor_unavailable')
      this.message = 'That cannot be done at the moment. Try again in a little while; you stay signed in.';
  }
}

const PATIENCE_MS = 20_000;

/** Asks the server; resolves to the body, or rejects with a {@link Refusal}. */
export async function ask(method, path, body) {
  const response = await send(method, path, body);
  const answer = await response.json().catch(() => undefined);
  const isWhole = answer !== undefined || response.status === 204;
  if (response.ok && isWhole) return answer;
  if (response.ok) throw new Refusal(0, { message: 'The answer broke off. Try again.' });
  throw new Refusal(response.status, answer?.error, Number(response.headers.get('retry-after')));
}

/** As {@link ask}, for what is answered as text. */
export async function askText(path) {
  const response = await send('GET', path);
  if (response.ok) return response.text();
  const answer = await response.json().catch(() => undefined);
  throw new Refusal(response.status, answer?.error, Number(response.headers.get('retry-after')));
}

async function send(method, path, body) {
  try {
    return await fetch(path, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (error) {
    throw new Refusal(0, { message: 'The server cannot be reached.' }, 0, { cause: error });
  }
}

/** Who is signed in; `undefined` for nobody. */
export async function whoAmI() {
  return (await ask('GET', '/auth/session')).user ?? undefined;
}

/** What people call somebody who is signed in. */
export function nameOf(user) {
  return user.email ?? 'Guest';
}
