export { allowFrom } from './allow-from.js';
export { cors } from './cors.js';
export { exposedByDefault } from './cors-options.js';
export { cspNonce } from './csp-nonce.js';
export { cspReports } from './csp-reports.js';
export { csrf } from './csrf.js';
export {
  AddressNotAllowedError,
  CsrfError,
  HttpsRequiredError,
  IdempotencyInProgressError,
  IdempotencyKeyError,
  IdempotencyKeyReusedError,
  IdempotencyNotReplayableError,
  IdempotencyUnavailableError,
} from './errors.js';
export { httpsOnly } from './https-only.js';
export { idempotency } from './idempotency.js';
export { inspect } from './screening/inspect.js';
export { memoryIdempotencyStore } from './memory-idempotency-store.js';
export { redisIdempotencyStore } from './redis-idempotency-store.js';
export { screening } from './screening.js';
export { ScreenedError } from './screening/screened-error.js';
export { securityHeaders } from './security-headers.js';
export { trustProxy } from './trust-proxy.js';

export type { Secrets } from '@signalbox/options';
export type { Directives, SourceFunction } from './content-security-policy.js';
export type { CorsOptions, CorsRule } from './cors-options.js';
export type { CspReport } from './csp-report.js';
export type { CspReportsOptions } from './csp-reports.js';
export type { Csrf } from './csrf.js';
export type { CsrfCookieOptions, CsrfOptions } from './csrf-options.js';
export type { CsrfCheck } from './errors.js';
export type { HttpsOnlyOptions } from './https-only.js';
export type { IdempotencyOptions } from './idempotency-options.js';
export type { Begun, Claim, IdempotencyStore } from './idempotency-store.js';
export type { MemoryIdempotencyStoreOptions } from './memory-idempotency-store.js';
export type { OriginFunction } from './origin-functions.js';
export type { PublicUrl } from './public-origin.js';
export type { RedisIdempotencyStoreOptions } from './redis-idempotency-store.js';
export type { Screening } from './screening.js';
export type { ScreeningKind } from './screening/kinds.js';
export type { InspectOptions, Inspection } from './screening/inspect.js';
export type { FieldKinds, ScreeningFields, ScreeningLimits, ScreeningOptions } from './screening/options.js';
export type { ScreeningReport, ScreeningSample } from './screening/report.js';
export type { ScreenedPart } from './screening/screened-error.js';
export type { RuleId } from './screening/tally.js';
export type { SecurityHeadersOptions } from './security-headers.js';
export type { ProxyTrust, TrustProxyOptions, TrustProxySetting } from './trust-proxy.js';
