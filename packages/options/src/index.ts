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
export { refuseUnknownOptions, suggestion } from './unknown-options.js';
export { shown, wrongOption, wrongSecret } from './wrong-option.js';

export type { NumberBounds } from './checks.js';
