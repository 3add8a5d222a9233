import { describe, expect, it } from 'vitest';
import { fallback, type FallbackStep } from '@signalbox/gateway';

type Step = FallbackStep<string, string>;

const answers = (name: string): Step => ({ name, run: () => `${name}!` });

describe('fallback, at construction,', () => {
  it.each<[string, unknown, object, string]>([
    ['no steps', [], {}, 'fallback: "steps" must be a list of at least one'],
    [
      'a step without a name',
      [{ run: () => 1 }],
      {},
      'fallback: "steps[0].name" must be a non-empty string, got undefined',
    ],
    [
      'a step that cannot run',
      [answers('a'), { name: 'b' }],
      {},
      'fallback: "steps[1].run" must be a function',
    ],
    ['a function for a step', [() => 1], {}, 'fallback: "steps[0]" must be an object'],
    [
      'two steps of one name',
      [answers('a'), answers('a')],
      {},
      'fallback: "steps[1].name" is there twice: a',
    ],
    [
      'a share above 1',
      [{ ...answers('a'), share: 2 }],
      {},
      'fallback: "steps[0].share" must be a number above 0 and at most 1, got 2',
    ],
    [
      'a misspelt option',
      [{ ...answers('a'), timeout: 2 }],
      {},
      'fallback: "steps[0]": "timeout" is not an option; did you mean "timeoutMs"?',
    ],
    ['no name', [answers('a')], { name: '' }, 'fallback: "name" must be a non-empty string, got ""'],
    ['a deadline of 0', [answers('a')], { deadlineMs: 0 }, 'fallback: "deadlineMs" must be a number above 0'],
  ])('refuses %s', (_what, steps, options, message) => {
    const make = (): unknown => fallback(steps as Step[], { name: 'search', ...options });
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });
});
