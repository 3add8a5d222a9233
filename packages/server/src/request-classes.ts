import { IncomingMessage as NodeRequest, ServerResponse as NodeResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The part of an Express app that matters here: what it makes of every request and response. */
export interface ExpressPrototypes {
  /** `app.request` */
  readonly request: object;
  /** `app.response` */
  readonly response: object;
}

/** Options for `http.createServer`, `https.createServer` and `http2.createSecureServer` with `allowHTTP1`. */
export interface RequestClasses {
  readonly IncomingMessage: typeof NodeRequest;
  readonly ServerResponse: typeof NodeResponse;
  readonly Http1IncomingMessage: typeof NodeRequest;
  readonly Http1ServerResponse: typeof NodeResponse;
}

/** Node's constructors are plain functions, which may be called on an object that exists already. */
interface Initializer {
  call(self: object, ...args: readonly unknown[]): void;
}
const initRequest: Initializer = NodeRequest;
const initResponse: Initializer = NodeResponse;

/**
 * V8 reserves room in an object for as many properties as its constructor names, be it in a line that never
 * runs. Node's constructors, which set some thirty, are called as functions and are not looked at: without
 * this, the properties do not fit, and the object becomes a hash table whose every access is slow.
 */
type Slots = Record<string, undefined>;
const neverTrue: boolean = process.pid === -1;

/**
 * Classes whose instances are born as the requests and responses of `app`.
 *
 * Express puts its own prototype under every request and response with `Object.setPrototypeOf`, which
 * costs V8 its fast property access for as long as they live. Here they have that prototype from the
 * start, and setting it again to what it is changes nothing. `instanceof` and `constructor.name` stay
 * as they are, because `app.request` itself descends from Node's class and names it as its constructor.
 *
 * @example
 * https.createServer({ key, cert, ...requestClasses(app) }, app);
 */
export function requestClasses(app: ExpressPrototypes): RequestClasses {
  // Functions and not classes: `Reflect.construct`, which `super()` amounts to, makes it slower than
  // what it is to cure. They are made here, because every app has prototypes, and so classes, of its own. Their
  // names are Node's, since V8 shows them in stack traces: `at ServerResponse.send`.
  // oxlint-disable-next-line unicorn/consistent-function-scoping
  function IncomingMessage(this: Slots, socket: Socket): void {
    initRequest.call(this, socket);
    if (neverTrue) {
      this.a = this.b = this.c = this.d = this.e = this.f = this.g = this.h = this.i = this.j = undefined;
      this.k = this.l = this.m = this.n = this.o = this.p = this.q = this.r = this.s = this.t = undefined;
      this.A = this.B = this.C = this.D = this.E = this.F = this.G = this.H = this.I = this.J = undefined;
      this.K = this.L = this.M = this.N = this.O = this.P = this.Q = this.R = this.S = this.T = undefined;
    }
  }
  IncomingMessage.prototype = app.request;

  // oxlint-disable-next-line unicorn/consistent-function-scoping
  function ServerResponse(this: Slots, req: NodeRequest, options: object | undefined): void {
    initResponse.call(this, req, options);
    if (neverTrue) {
      this.a = this.b = this.c = this.d = this.e = this.f = this.g = this.h = this.i = this.j = undefined;
      this.k = this.l = this.m = this.n = this.o = this.p = this.q = this.r = this.s = this.t = undefined;
      this.A = this.B = this.C = this.D = this.E = this.F = this.G = this.H = this.I = this.J = undefined;
      this.K = this.L = this.M = this.N = this.O = this.P = this.Q = this.R = this.S = this.T = undefined;
    }
  }
  ServerResponse.prototype = app.response;

  // Static members are inherited, as `extends` would have it.
  const requestClass: typeof NodeRequest = Object.setPrototypeOf(IncomingMessage, NodeRequest);
  const responseClass: typeof NodeResponse = Object.setPrototypeOf(ServerResponse, NodeResponse);
  return {
    IncomingMessage: requestClass,
    ServerResponse: responseClass,
    Http1IncomingMessage: requestClass,
    Http1ServerResponse: responseClass,
  };
}

/** Whether `app` has prototypes of its own, as Express apps do and plain listeners do not. */
export function hasPrototypes(app: object): app is ExpressPrototypes {
  return (
    'request' in app &&
    'response' in app &&
    app.request instanceof NodeRequest &&
    app.response instanceof NodeResponse
  );
}
