export { certificateCheck } from './certificate-check.js';
export { check } from './check.js';
export { diskCheck } from './disk-check.js';
export { eventLoopDelayCheck } from './event-loop-delay-check.js';
export { health } from './health.js';
export { httpCheck } from './http-check.js';
export { memoryCheck } from './memory-check.js';
export { postgresCheck } from './postgres-check.js';
export { redisCheck } from './redis-check.js';
export { s3Check } from './s3-check.js';

export type { DetailAccess } from './access.js';
export type { CertificateCheckOptions } from './certificate-check.js';
export type { Check, CheckFunction, CheckOptions } from './check.js';
export type { CheckReport } from './check-result.js';
export type { DiskCheckOptions } from './disk-check.js';
export type { EventLoopDelayCheckOptions } from './event-loop-delay-check.js';
export type { Health } from './health.js';
export type { HttpCheckOptions } from './http-check.js';
export type { MemoryCheckOptions } from './memory-check.js';
export type { Deployment, HealthOptions, ProbeName } from './options.js';
export type { PostgresLike } from './postgres-check.js';
export type { RedisLike } from './redis-check.js';
export type {
  CheckStatus,
  DetailedHealthReport,
  DetailedServiceReport,
  HealthReport,
  HistoryEntry,
  ModuleStatus,
  OverallStatus,
  StatusReport,
} from './reports.js';
export type { S3CheckOptions } from './s3-check.js';
