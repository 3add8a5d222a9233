export {
  SessionConflictError,
  SessionEndedError,
  SessionRequiredError,
  SessionStoreUnavailableError,
  SessionTooLargeError,
  TooManySessionsError,
} from './errors.js';
export { memoryStore } from './memory-store.js';
export { redisStore } from './redis-store.js';
export { sessions } from './sessions.js';

export type { Secrets } from '@signalbox/options';
export type { RedisSource } from '@signalbox/redis';
export type { SessionChange } from './change-key.js';
export type { MemoryStoreOptions } from './memory-store.js';
export type { SessionCookieOptions, SessionsOptions } from './options.js';
export type { SessionInfo } from './ownership.js';
export type { RedisStoreOptions } from './redis-store.js';
export type { Sessions } from './sessions.js';
export type {
  Change,
  Created,
  ListedSession,
  Ownership,
  SessionPlace,
  SessionStore,
  Updated,
} from './store.js';
export type { LoadUser, UserId } from './users.js';
