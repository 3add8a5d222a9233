import { UnprocessableContentError } from '@signalbox/errors';
import { validate, type ValidationMiddleware } from '@signalbox/validation';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Request, Response } from 'express';

/** Makes of what was sent what the handler gets; rejects with 422 `validation_failed`. */
export type PayloadCheck = (payload: unknown) => Promise<unknown>;

/**
 * Judges payloads exactly as the bodies of requests are judged: the same bounds on depth and size, the same error, the
 * same silence about values.
 *
 * @throws {TypeError} when `schema` is no Standard Schema
 */
export function payloadCheck(event: string, schema: unknown): PayloadCheck {
  if (schema === undefined) return async () => undefined;
  const middleware = validatorOf(event, schema as StandardSchemaV1);

  return (payload) =>
    new Promise((resolve, reject) => {
      const request = { body: payload } as Request;
      const next = (error?: unknown): void => {
        if (error === undefined) resolve(middleware.read(request).body);
        else reject(inOurWords(error));
      };
      try {
        Promise.resolve(middleware(request, {} as Response, next)).catch(reject);
      } catch (error) {
        reject(error);
      }
    });
}

type Validator = ValidationMiddleware<{ body: StandardSchemaV1 }>;

function validatorOf(event: string, schema: StandardSchemaV1): Validator {
  try {
    return validate({ body: schema });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const message = error.message.replace('validate: "body"', `realtime: "events.${event}.schema"`);
    throw new TypeError(message, { cause: error });
  }
}

function inOurWords(error: unknown): unknown {
  if (!(error instanceof UnprocessableContentError)) return error;
  const details = Array.isArray(error.details) ? (error.details as object[]) : [];
  return new UnprocessableContentError(error.message.replace(/^The body/, 'The payload'), {
    code: error.code,
    details: details.map((detail) => ({ ...detail, in: 'payload' })),
  });
}
