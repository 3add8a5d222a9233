import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { NextFunction, Request, Response } from 'express';

declare global {
  namespace Express {
    interface Request {
      /**
       * What `validate()` has made of the parts that it was given schemas for. Typed inside a handler
       * given to `validate()`, and by the middleware's own `read(req)`.
       */
      valid?: unknown;
    }
  }
}

/** The parts of a request that can be validated. */
export type Part = 'params' | 'query' | 'headers' | 'body';

/** A schema of zod, valibot, arktype or any other Standard Schema, for each part to be validated. */
export interface Schemas {
  /** `req.body`, as the body parser left it; `undefined` where there was none. */
  readonly body?: StandardSchemaV1 | undefined;
  /** `req.query`: strings, and arrays for parameters given more than once. */
  readonly query?: StandardSchemaV1 | undefined;
  /** `req.params`: strings, and arrays for wildcards. */
  readonly params?: StandardSchemaV1 | undefined;
  /** `req.headers`: names in lower case. */
  readonly headers?: StandardSchemaV1 | undefined;
}

/** What the schemas make of a request: the type of `req.valid`. */
export type Valid<S extends Schemas> = {
  readonly [P in Extract<keyof S, Part> as S[P] extends StandardSchemaV1
    ? P
    : never]: S[P] extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S[P]> : never;
};

/** A request that has been validated. */
export type ValidRequest<S extends Schemas> = Request & { readonly valid: Valid<S> };

/** A handler behind its validation. */
export type ValidHandler<S extends Schemas> = (
  req: ValidRequest<S>,
  res: Response,
  next: NextFunction,
) => unknown;

/** The middleware that `validate(schemas)` returns, where it was given no handler. */
export interface ValidationMiddleware<S extends Schemas> {
  // Generic, unlike RequestHandler, so that the handlers after it keep the params that the path tells.
  <P, ResBody, ReqBody, ReqQuery, Locals extends Record<string, unknown>>(
    req: Request<P, ResBody, ReqBody, ReqQuery, Locals>,
    res: Response<ResBody, Locals>,
    next: NextFunction,
  ): void | Promise<void>;
  /**
   * What this middleware has validated of the request.
   *
   * @throws {TypeError} when it has not been run for the request
   */
  read(req: { readonly valid?: unknown }): Valid<S>;
}
