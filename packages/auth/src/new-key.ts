import { UnprocessableContentError } from '@signalbox/errors';
import type { ResolvedApiKeys } from './api-keys-options.js';
import { ROLE, SCOPE } from './words.js';

/** What a new API key is to be. */
export interface NewKey<Scope extends string = string, Role extends string = string> {
  /** What the owner calls it: 1 to 100 characters. */
  name: string;
  /**
   * What the key may do. A key of a user must not be able to do more than the user: the app sees to that.
   * @default []
   */
  scopes?: readonly Scope[] | undefined;
  /** @default [] */
  roles?: readonly Role[] | undefined;
  /** Which limits it has. */
  plan?: string | undefined;
  /** For how long it is valid, in milliseconds. By default until it is revoked. */
  ttlMs?: number | undefined;
}

const FIELDS = ['name', 'scopes', 'roles', 'plan', 'ttlMs'];
const MAX_SCOPES = 100;
/** A hundred years, so that the date stays one. */
const MAX_TTL_MS = 100 * 365 * 24 * 3_600_000;
// oxlint-disable-next-line no-control-regex -- these are what a name must not have
const CONTROL = /[\u0000-\u001f\u007f-\u009f\p{Surrogate}]/u;

/**
 * It most often comes from a form: what is wrong is the caller's mistake, not the program's.
 *
 * @throws {UnprocessableContentError} 422 `invalid_key_request`
 */
export function requireKeyRequest(subject: string, request: NewKey, known: Allowed): NewKey {
  if (typeof subject !== 'string' || subject === '') {
    throw new TypeError('create: "subject" must be a non-empty string');
  }
  if (typeof request !== 'object' || request === null) throw invalid('', 'an object');
  const { name, scopes, roles, plan, ttlMs } = request;
  for (const field of Object.keys(request)) {
    if (!FIELDS.includes(field)) throw invalid(field, `left out: there are ${FIELDS.join(', ')}`);
  }
  if (!isName(name)) throw invalid('name', 'a text of 1 to 100 characters');
  requireWords('scopes', scopes, SCOPE, known.scopes);
  requireWords('roles', roles, ROLE, known.roles);
  if (plan !== undefined && !isName(plan)) throw invalid('plan', 'a text of 1 to 100 characters');
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= MAX_TTL_MS)) {
    throw invalid('ttlMs', 'a whole number of milliseconds, at most a hundred years');
  }
  return request;
}

type Allowed = Pick<ResolvedApiKeys, 'scopes' | 'roles'>;

function isName(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '' && value.length <= 100 && !CONTROL.test(value);
}

function requireWords(
  field: string,
  value: unknown,
  shape: RegExp,
  allowed: readonly string[] | undefined,
): void {
  if (value === undefined) return;
  if (!Array.isArray(value) || value.length > MAX_SCOPES) {
    throw invalid(field, `a list of at most ${MAX_SCOPES}`);
  }
  const isAllowed = (word: unknown): boolean =>
    typeof word === 'string' && (allowed === undefined ? shape.test(word) : allowed.includes(word));
  if (value.every(isAllowed)) return;
  throw invalid(field, allowed === undefined ? 'a list of words' : `some of ${allowed.join(', ')}`);
}

function invalid(field: string, wanted: string): UnprocessableContentError {
  const message = `"${field}" must be ${wanted}`;
  return new UnprocessableContentError(`The API key cannot be made: ${message}`, {
    code: 'invalid_key_request',
    details: [{ in: 'body', pointer: field === '' ? '' : `/${field}`, message: `must be ${wanted}` }],
  });
}
