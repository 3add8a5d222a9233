export { createLogger } from './create-logger.js';
export { log } from './log.js';
export { logPerformance } from './log-performance.js';
export { recordErrors } from './record-errors.js';
export { requestLogger } from './request-logger.js';
export { slowAfter } from './slow-requests.js';

export type { Logger } from 'pino';
export type { LoggerHandle, RootLogger } from './create-logger.js';
export type { LogPerformanceOptions } from './log-performance.js';
export type { LogDestination, LogFileOptions, LoggerOptions } from './logger-options.js';
export type { RedactOptions } from './redact.js';
export type { RequestLoggerOptions } from './request-logger-options.js';
export type { PrivacyOptions } from './visitor.js';
