import type { NextFunction, Request, Response } from 'express';

/**
 * Makes a response that is answered in its handler's place deaf to the handler. One that answers later
 * must neither throw, in a callback where nobody catches, nor change what is on its way to the client.
 *
 * Until headers are sent everything works as before, for the error handler.
 *
 * @param onAnswer called when the response is answered, before anything can be late
 */
export function guardLateWrites(res: Response, onAnswer: () => void): void {
  const isSent = (): boolean => res.headersSent;
  const isEnded = (): boolean => res.writableEnded;

  for (const method of ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader', 'writeHead'] as const) {
    ignoreWhen(isSent, res, method, res);
  }
  ignoreWhen(isEnded, res, 'write', false);
  ignoreWhen(isEnded, res, 'end', res);
  // A pipeline that is aborted destroys the response, which is still needed.
  ignoreWhen(() => !res.headersSent || res.writableEnded, res, 'destroy', res);
  tellOnEnd(res, onAnswer);
  keepStatusOnceSent(res);
  keepNext(res.req);
  keepConnection(res.req, res);
}

function ignoreWhen(isLate: () => boolean, res: Response, method: keyof Response, result: unknown): void {
  const original: unknown = res[method];
  if (typeof original !== 'function') return;

  Object.defineProperty(res, method, {
    configurable: true,
    writable: true,
    value: function ignoredOnceLate(this: Response, ...args: unknown[]): unknown {
      if (!isLate()) return Reflect.apply(original, this, args);
      const callback = args.at(-1);
      if (typeof callback === 'function') process.nextTick(callback);
      return result;
    },
  });
}

function tellOnEnd(res: Response, onAnswer: () => void): void {
  const end: unknown = Reflect.get(res, 'end');
  if (typeof end !== 'function') return;

  Object.defineProperty(res, 'end', {
    configurable: true,
    writable: true,
    value: function endAndTell(this: Response, ...args: unknown[]): unknown {
      const result: unknown = Reflect.apply(end, this, args);
      onAnswer();
      return result;
    },
  });
}

/** The line in the request log, too, tells what was sent. */
function keepStatusOnceSent(res: Response): void {
  let statusCode = res.statusCode;

  Object.defineProperty(res, 'statusCode', {
    configurable: true,
    enumerable: true,
    get: () => statusCode,
    set(status: number) {
      if (!res.headersSent) statusCode = status;
    },
  });
}

/** `res.sendFile` and `res.render` tell failures to `req.next`, which is gone once all routers are left. */
function keepNext(req: Request): void {
  let { next } = req;

  Object.defineProperty(req, 'next', {
    configurable: true,
    enumerable: true,
    get: () => next ?? nobody,
    set(innermost: NextFunction | undefined) {
      next = innermost;
    },
  });
}

/**
 * Express' final handler destroys `req.socket` for a failure after the answer, while the connection may
 * already serve somebody's next request.
 */
function keepConnection(req: Request, res: Response): void {
  const { socket } = req;
  const destroy = (error?: Error): unknown => (res.writableEnded ? view : socket.destroy(error));
  const view: unknown = Object.create(socket, { destroy: { value: destroy } });

  Object.defineProperty(req, 'socket', { configurable: true, enumerable: true, writable: true, value: view });
}

function nobody(): void {
  // Whoever would hear of the failure has heard of the deadline.
}
