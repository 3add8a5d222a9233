import { ServiceUnavailableError, UnauthorizedError } from '@signalbox/errors';

/** The stable `code` of an API key that is refused. */
export type ApiKeyErrorCode =
  /** Malformed, unknown, revoked, or with another secret: which of these, the caller is not told. */
  'invalid_api_key' | 'api_key_expired';

const SENTENCES: Readonly<Record<ApiKeyErrorCode, string>> = {
  invalid_api_key: 'The API key is not valid',
  api_key_expired: 'The API key has expired',
};

/** An API key that does not let its bearer in: 401, with a challenge as in RFC 6750 section 3. */
export class ApiKeyError extends UnauthorizedError {
  declare readonly code: ApiKeyErrorCode;

  constructor(code: ApiKeyErrorCode) {
    super(SENTENCES[code], {
      code,
      headers: { 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${SENTENCES[code]}"` },
    });
  }
}

/** Whether an API key is valid cannot be known now, or a change cannot be kept: 503 `key_store_unavailable`. */
export class KeyStoreUnavailableError extends ServiceUnavailableError {
  constructor(cause: unknown) {
    super('API keys cannot be checked at the moment.', {
      code: 'key_store_unavailable',
      retryAfterSeconds: 1,
      expose: true,
      cause,
    });
  }
}
