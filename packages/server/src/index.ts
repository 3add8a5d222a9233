export { crashHandlers } from './crash-handlers.js';
export { requireFreeAddress } from './listen.js';
export { isManaged } from './managed.js';
export { ListenError } from './listen-error.js';
export { requestClasses } from './request-classes.js';
export { serve } from './serve.js';
export { shedLoad } from './shed-load.js';
export { signalKeeper } from './signal-keeper.js';
export { weakETag } from './weak-etag.js';

export type { CrashHandlersOptions } from './crash-handlers.js';
export type { DrainOptions, Resource, ResourcePhase } from './drain-options.js';
export type { ClosedResource, DrainReport, DrainedPhase } from './drain-report.js';
export type { ServerLog } from './log.js';
export type { Address, ServeOptions } from './options.js';
export type { ExpressPrototypes, RequestClasses } from './request-classes.js';
export type { CloseOptions, RunningServer } from './serve.js';
export type { DefaultPriority, ShedLoadOptions } from './shed-options.js';
