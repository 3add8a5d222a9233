import { type ErrorObject, InternalServerError, toErrorObject } from '@signalbox/errors';

/** The object of HTTP errors, as a client gets it. Details that are no JSON, which nobody can be told, are a 500. */
export function toldError(error: unknown, requestId?: string): ErrorObject {
  const object = toErrorObject(error, { requestId });
  return isJson(object.details) ? object : toErrorObject(new InternalServerError(), { requestId });
}

function isJson(details: unknown): boolean {
  if (details === undefined) return true;
  try {
    JSON.stringify(details);
    return true;
  } catch {
    return false;
  }
}
