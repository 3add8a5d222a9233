export { deadline, remainingMs } from './deadline.js';
export { DeadlineExceededError, RequestAbortedError } from './errors.js';
export { facts } from './facts.js';
export { requestContext } from './request-context.js';
export { routeTable } from './route-table.js';
export { routeTemplate } from './route-template.js';
export { declareMount } from './router-walk.js';
export { currentRequest, runInContext } from './run-in-context.js';
export { traceHeaders } from './trace-headers.js';

export type { DeadlineOptions } from './deadline.js';
export type { Facts } from './facts.js';
export type { RequestContextOptions } from './request-context.js';
export type { RouteEntry } from './route-table.js';
export type { ScopeInit } from './run-in-context.js';
export type { RequestScope } from './scope.js';
export type { Trace } from './trace.js';
