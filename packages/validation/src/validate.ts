import { BadRequestError, type HttpError, UnprocessableContentError } from '@signalbox/errors';
import { refuseUnknownOptions, requireFunction, requireObject, wrongOption } from '@signalbox/options';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { attachDescription } from './describe-route.js';
import type { Detail } from './details.js';
import { type ResolvedOptions, resolveOptions, type ValidateOptions } from './options.js';
import { type PartCheck, partCheck, type PartVerdict } from './part-check.js';
import type { Part, Schemas, Valid, ValidHandler, ValidationMiddleware, ValidRequest } from './valid.js';

/** In the order in which they are judged: the first that is not valid gives the error its code. */
const PARTS: readonly Part[] = ['params', 'query', 'headers', 'body'];

const CODES: Readonly<Record<Part, string>> = {
  params: 'invalid_params',
  query: 'invalid_query',
  headers: 'invalid_headers',
  body: 'validation_failed',
};

/**
 * Validates parts of a request and keeps what the schemas made of them in `req.valid`; `req.body` and
 * `req.query` stay as they are.
 *
 * With a handler it returns one request handler, inside which `req.valid` has the schemas' types.
 * Without, it returns a middleware whose `read(req)` has them.
 *
 * What is not valid is refused: a body with 422 `validation_failed`, params, query and headers with 400
 * `invalid_params`, `invalid_query` and `invalid_headers`. The error's `details` name the fields, never
 * the values. A schema that throws is an error like any other.
 *
 * @throws {TypeError} when a schema is no Standard Schema or an option is out of range, at construction
 *
 * @example
 * app.get('/search', validate({ query: z.object({ q: z.string() }) }, (req, res) => {
 *   res.json({ query: req.valid.query.q });
 * }));
 */
export function validate<const S extends Schemas>(
  schemas: S,
  options?: ValidateOptions,
): ValidationMiddleware<S>;
export function validate<const S extends Schemas>(schemas: S, handler: ValidHandler<S>): RequestHandler;
export function validate<const S extends Schemas>(
  schemas: S,
  options: ValidateOptions,
  handler: ValidHandler<S>,
): RequestHandler;
export function validate<const S extends Schemas>(
  schemas: S,
  second: ValidateOptions | ValidHandler<S> = {},
  third?: ValidHandler<S>,
): RequestHandler {
  const handler = typeof second === 'function' ? second : third;
  if (handler !== undefined) requireFunction('validate', 'handler', handler);
  const options = resolveOptions(typeof second === 'function' ? {} : second);
  const checks = checksOf(schemas, options);

  const middleware: RequestHandler = function validateRequest(req, res, next) {
    const pending = judge(checks, req);
    if (pending instanceof Promise) {
      return pending.then((verdicts) => conclude(verdicts, options, handler, req, res, next));
    }
    return conclude(pending, options, handler, req, res, next);
  };
  attachDescription(middleware, schemas, options.describe);
  return handler === undefined ? Object.assign(middleware, { read: readerOf<S>(checks) }) : middleware;
}

function checksOf(schemas: Schemas, options: ResolvedOptions): readonly PartCheck[] {
  requireObject('validate', 'schemas', schemas);
  refuseUnknownOptions('validate', schemas, PARTS);
  const checks: PartCheck[] = [];
  for (const part of PARTS) {
    const schema: unknown = schemas[part];
    if (schema === undefined) continue;
    if (!isStandardSchema(schema)) {
      const wanted = 'a Standard Schema, such as one of zod, valibot or arktype';
      throw wrongOption('validate', part, wanted, schema);
    }
    checks.push(partCheck(part, schema, options));
  }
  if (checks.length === 0) {
    throw new TypeError('validate: "schemas" must have one of params, query, headers and body');
  }
  return checks;
}

/** arktype's schemas are functions. */
function isStandardSchema(value: unknown): value is NonNullable<Schemas['body']> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const { '~standard': standard } = value as { '~standard'?: { version?: unknown; validate?: unknown } };
  return standard?.version === 1 && typeof standard.validate === 'function';
}

/** All parts, so that one answer names every problem. In one turn, unless a schema needs more. */
function judge(checks: readonly PartCheck[], req: Request): PartVerdict[] | Promise<PartVerdict[]> {
  const verdicts: (PartVerdict | Promise<PartVerdict>)[] = [];
  let isPending = false;
  for (const check of checks) {
    const verdict = check.check(req);
    if (verdict instanceof Promise) {
      isPending = true;
      // Should a later schema throw at once, nobody would hear this one reject, and the process would end.
      verdict.catch(() => undefined);
    }
    verdicts.push(verdict);
  }
  return isPending ? Promise.all(verdicts.map(async (verdict) => verdict)) : (verdicts as PartVerdict[]);
}

function conclude<S extends Schemas>(
  verdicts: readonly PartVerdict[],
  options: ResolvedOptions,
  handler: ValidHandler<S> | undefined,
  req: Request,
  res: Response,
  next: NextFunction,
): void | Promise<void> {
  for (const { details } of verdicts) {
    if (details !== undefined) return next(refusal(verdicts, options));
  }
  // A new object where an outer `validate()` has left one: what that has read does not change.
  const valid: Record<string, unknown> = { ...(req.valid as Record<string, unknown> | undefined) };
  for (const { part, value } of verdicts) valid[part] = value;
  req.valid = valid;

  if (handler === undefined) return next();
  return handler(req as ValidRequest<S>, res, next) as void | Promise<void>;
}

function refusal(verdicts: readonly PartVerdict[], { code, maxDetails }: ResolvedOptions): HttpError {
  const all: Detail[] = verdicts.flatMap(({ details }) => details ?? []);
  const details = all.slice(0, maxDetails);
  const part = verdicts.find((verdict) => verdict.details !== undefined)?.part ?? 'body';
  const errorOptions = { code: code ?? CODES[part], details };

  const [first] = details;
  const where =
    first === undefined ? '' : `${first.pointer === '' ? '' : `${first.pointer}: `}${first.message}`;
  const message = `The ${part} ${part === 'params' || part === 'headers' ? 'are' : 'is'} not valid: ${where}`;
  return part === 'body'
    ? new UnprocessableContentError(message, errorOptions)
    : new BadRequestError(message, errorOptions);
}

function readerOf<S extends Schemas>(checks: readonly PartCheck[]): ValidationMiddleware<S>['read'] {
  return function read({ valid }) {
    const isThere = typeof valid === 'object' && valid !== null && checks.every(({ part }) => part in valid);
    if (!isThere) throw new TypeError('validate: read() was called for a request that was not validated');
    return valid as Valid<S>;
  };
}
