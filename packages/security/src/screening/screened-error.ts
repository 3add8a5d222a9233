import { BadRequestError } from '@signalbox/errors';
import type { RuleId } from './tally.js';

/** A part of a request. */
export type ScreenedPart = 'query' | 'params' | 'path' | 'body' | 'headers' | 'cookies';

/**
 * 400 `screened`: something in the request looks like an attack.
 *
 * `details` names the rules and the part of the request, so that a person who was refused by mistake can be helped.
 * It does not say which words did it, nor how close the rest came.
 */
export class ScreenedError extends BadRequestError {
  declare readonly rules: readonly RuleId[];
  declare readonly part: ScreenedPart;

  constructor(rules: readonly RuleId[], part: ScreenedPart) {
    super('The request was refused because of its content', { code: 'screened', details: { rules, part } });
    this.rules = rules;
    this.part = part;
  }
}
