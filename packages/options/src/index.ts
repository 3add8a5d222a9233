export {
  requireBoolean,
  requireFunction,
  requireInteger,
  requireMilliseconds,
  requireNumber,
  requireObject,
  requireOneOf,
  requireText,
} from './checks.js';
export { originList } from './origin-list.js';
export { parsedUrl } from './parsed-url.js';
export { requireSecret, requireSecrets } from './secrets.js';
export { requireStore } from './store.js';
export { requireToken, requireTokens } from './tokens.js';
export { refuseUnknownOptions, suggestion } from './unknown-options.js';
export { shown, wrongOption, wrongSecret } from './wrong-option.js';

export type { NumberBounds } from './checks.js';
export type { OriginList } from './origin-list.js';
export type { Secret, Secrets } from './secrets.js';
