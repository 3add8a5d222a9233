import type { Request } from 'express';
import type { AuthenticationMethod } from './methods.js';
import { AuthenticationRequiredError } from './refusals.js';

const ASKED: unique symbol = Symbol('signalbox.auth.asked');

interface Asked {
  [ASKED]?: readonly AuthenticationMethod[];
}

/** Notes who was asked in vain, for a guard behind an `authenticate()` that lets everybody pass. */
export function foundNobody(req: Request, methods: readonly AuthenticationMethod[]): void {
  (req as Asked)[ASKED] = methods;
}

/** Why nobody is let in: a session that could not be read is no reason to sign its user out. */
export function whyNobody(
  req: Request,
  methods: readonly AuthenticationMethod[] | undefined = (req as Asked)[ASKED],
): Error {
  if (methods !== undefined && req.res !== undefined) {
    for (const method of methods) {
      const doubt = method.doubt?.(req, req.res);
      if (doubt !== undefined) return doubt;
    }
  }
  return new AuthenticationRequiredError();
}
