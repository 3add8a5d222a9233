export { unless, when } from './conditional.js';
export { CriticalModuleError } from './critical-module-error.js';
export { inParallel } from './in-parallel.js';
export { module } from './module.js';
export { modules } from './modules.js';
export { formatRoutes, routes } from './routes.js';
export { span, timed, timeSpan } from './timed.js';

export type { Predicate } from './conditional.js';
export type { Load, LoadContext, Loaded, ModuleOptions, ModuleSpec } from './module.js';
export type { ModuleReport, Modules } from './modules.js';
export type { ModuleLog, ModulesOptions } from './options.js';
export type { RouteRow } from './routes.js';
export type { ModuleStatus } from './slot.js';
export type { TimedOptions } from './timed.js';
