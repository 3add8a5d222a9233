export { deprecated } from './deprecated.js';
export {
  AmbiguousApiVersionError,
  ApiVersionGoneError,
  ApiVersionRequiredError,
  UnsupportedApiVersionError,
} from './errors.js';
export { memoryUsageStore } from './memory-usage-store.js';
export { redisUsageStore } from './redis-usage-store.js';
export { usageReport } from './usage-report.js';
export { versions } from './versions.js';

export type { RedisSource } from '@signalbox/redis';
export type { ConsumerFunction } from './consumer.js';
export type { DeprecatedOptions, DeprecationLinks } from './deprecation-options.js';
export type { AmbiguousVersionDetails, GoneDetails, VersionDetails } from './errors.js';
export type { RedisUsageStoreOptions } from './redis-usage-store.js';
export type { UsageReportOptions } from './usage-options.js';
export type { UsageReport, UsageRow, UsageSummary } from './usage-report.js';
export type { UsageBatch, UsageCount, UsageStore } from './usage-store.js';
export type { UsageStoreOptions } from './usage-store-options.js';
export type { MediaTypeOptions, VersionHandlers, VersionsOptions } from './version-options.js';
export type { Versions } from './versions.js';
