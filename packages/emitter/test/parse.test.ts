import { describe, expect, it } from 'vitest';
import { parse, UsageError } from '../src/command-line/parse.js';

describe('the command line', () => {
  it.each<[string, readonly string[], string]>([
    ['no options', [], 'Say what: --event NAME, --join NAME, --leave NAME or --disconnect'],
    ['nobody to send to', ['--event', 'x'], 'Say to whom: --room NAME, or --all for everybody'],
    [
      'two kinds of audience',
      ['--event', 'x', '--all', '--room', 'r'],
      'Say either --room or --all, not both',
    ],
    ['nothing to send', ['--room', 'r'], 'Say what: --event NAME, --join NAME, --leave NAME or --disconnect'],
    [
      'two things to do',
      ['--room', 'r', '--event', 'x', '--join', 'q'],
      'Say either --event or --join, not both',
    ],
    ['a slip of the pen', ['--rom', 'r'], 'There is no option --rom; did you mean "--room"?'],
    ['a short option', ['-r', 'r'], 'There is no option -r; there are --room, --all, --except, '],
    [
      'a value that was forgotten',
      ['--room', '--event', 'x'],
      '--room needs a value, and --event is an option; else write --room=--event',
    ],
    ['a value that is missing', ['--room', 'r', '--event'], '--event needs a value'],
    ['an empty value', ['--room=', '--event', 'x'], '--room needs a value'],
    ['a value for a switch', ['--all=yes', '--event', 'x'], '--all takes no value'],
    ['an option given twice', ['--all', '--event', 'x', '--event', 'y'], '--event was given twice'],
    ['a switch given twice', ['--all', '--all', '--event', 'x'], '--all was given twice'],
    [
      'something out of place',
      ['--all', '--event', 'x', 'y'],
      '"y" belongs to no option; JSON with blanks stands in quotes',
    ],
    ['something after --', ['--all', '--event', 'x', '--', '--room'], '"--room" belongs to no option'],
    ['JSON for a join', ['--all', '--join', 'x', '--json', '1'], '--json goes with --event'],
    ['a close without a disconnect', ['--all', '--event', 'x', '--close'], '--close goes with --disconnect'],
    [
      'no time',
      ['--all', '--event', 'x', '--timeout', '0'],
      '--timeout must be an integer from 1 to 60000, got "0"',
    ],
    [
      'a time that is no number',
      ['--all', '--event', 'x', '--timeout', '2s'],
      '--timeout must be an integer from 1 to 60000, got "2s"',
    ],
    [
      'servers that are no number',
      ['--all', '--event', 'x', '--servers', ' '],
      '--servers must be an integer from 0 to 1000000, got " "',
    ],
  ])('with %s is refused', (_what, args, words) => {
    expect(() => parse(args)).toThrow(UsageError);
    expect(() => parse(args)).toThrow(words);
  });

  it('takes values that begin with dashes where they cannot be taken for options', () => {
    expect(parse(['--room=--event', '--event', '-x', '--json', '-1'])).toMatchObject({
      rooms: ['--event'],
      action: { kind: 'event', event: '-x', json: ['-1'] },
    });
  });

  it('asks for help before it complains', () => {
    expect(parse(['--help'])).toBe('help');
    expect(parse(['--version', '--quiet'])).toBe('version');
  });
});
