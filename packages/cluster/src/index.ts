export { processManager } from './ask-manager.js';
export { ClusterError, EXIT_CODES } from './cluster-error.js';
export { startCluster } from './start-cluster.js';

export type { ManagerLink } from './ask-manager.js';
export type { ClusterErrorCode } from './cluster-error.js';
export type { ClusterHooks, HookedWorker, WorkerExit } from './hooks.js';
export type { ProcessManager, StopOptions } from './manager.js';
export type { ClusterOptions } from './options.js';
export type { ReloadOutcome } from './reload-outcome.js';
export type { ClusterStatus, WorkerFailure, WorkerStatus } from './status.js';
export type { WorkerState } from './worker-process.js';
