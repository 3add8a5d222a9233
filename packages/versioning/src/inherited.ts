import type { Request } from 'express';

const inheriting = new WeakSet<Request>();

/** Notes whether the router that runs now is one that the request's version inherits from. */
export function noteInherited(req: Request, isInherited: boolean): void {
  if (isInherited) inheriting.add(req);
  else inheriting.delete(req);
}

/** Whether the running middleware belongs to an older version than the one that is asked for. */
export function isInherited(req: Request): boolean {
  return inheriting.has(req);
}
