export { TokenError, TokenKeysUnavailableError, TokenStoreUnavailableError } from './errors.js';
export { pemKeys, secretKeys } from './given-keys.js';
export { keyRing } from './key-ring.js';
export { memoryTokenStore } from './memory-token-store.js';
export { redisTokenStore } from './redis-token-store.js';
export { remoteJwks } from './remote-jwks.js';
export { revocationBus } from './revocation-bus.js';
export { tokens } from './tokens.js';

export type { Secrets } from '@signalbox/options';
export type { RedisSource } from '@signalbox/redis';
export type { Algorithm } from './algorithms.js';
export type { TokenErrorCode, TokenProblem } from './errors.js';
export type { PemKeysOptions, SecretKeysOptions } from './given-keys.js';
export type { JwkSet, PublicJwk } from './jwk.js';
export type { KeyEntry, KeyState } from './key-entry.js';
export type { KeyRing } from './key-ring.js';
export type { KeySource, SigningKey, VerificationKey } from './keys.js';
export type { MemoryTokenStoreOptions } from './memory-token-store.js';
export type { AuthMethod, Claims, Principal, VerifiedToken } from './principal.js';
export type { RedisTokenStoreOptions } from './redis-token-store.js';
export type { RemoteJwks, RemoteJwksOptions } from './remote-jwks.js';
export type { ListenOptions, RevocationBus, RevocationBusOptions } from './revocation-bus.js';
export type { RevocationEvent, RevocationEventType } from './revocation-event.js';
export type { TokensOptions } from './token-options.js';
export type { Rotated, Rotation, TokenStore } from './token-store.js';
export type {
  IssueOptions,
  RevokeAllOptions,
  StoreDownPolicy,
  TokenPair,
  Tokens,
  VerifyOptions,
} from './tokens-interface.js';

// Who asks, whatever they came by.
export { authenticate } from './authenticate.js';
export { apiKey, bearer, session } from './methods.js';
export { principalOf, requireFresh, requirePrincipal, requireRole, requireScope } from './guards.js';
export {
  AuthenticationRequiredError,
  ConflictingCredentialsError,
  InsufficientRoleError,
  InsufficientScopeError,
  RepeatedAuthorizationError,
  StaleAuthenticationError,
} from './refusals.js';
export { SessionPrincipal } from './session-principal.js';

// API keys.
export { apiKeys } from './api-keys.js';
export { ApiKeyError, KeyStoreUnavailableError } from './api-key-errors.js';
export { memoryKeyStore } from './memory-key-store.js';

// Passwords and the second factor.
export { hashPassword, needsRehash, passwords, verifyPassword } from './passwords.js';
export { passwordProblem } from './password-problem.js';
export { totp } from './totp.js';

export type { AuthenticateOptions } from './authenticate.js';
export type {
  ApiKeyOptions,
  Authenticated,
  AuthenticationMethod,
  MethodOutcome,
  ReadSession,
  SessionMethodOptions,
  SessionMiddleware,
  SessionResult,
} from './methods.js';
export type { SessionUser } from './session-principal.js';
export type { ApiKeyInfo, ApiKeys, CreatedKey } from './api-keys.js';
export type { ApiKeysOptions } from './api-keys-options.js';
export type { ApiKeyErrorCode } from './api-key-errors.js';
export type { KeyStore, StoredKey } from './key-store.js';
export type { MemoryKeyStoreOptions } from './memory-key-store.js';
export type { NewKey } from './new-key.js';
export type { VerifiedKey } from './verified-key.js';
export type { PasswordCallOptions, Passwords, PasswordsOptions } from './passwords.js';
export type { PasswordProblem, PasswordProblemOptions } from './password-problem.js';
export type { RecoveryCodes, Totp, TotpOptions } from './totp.js';
