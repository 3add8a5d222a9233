import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sealed } from '../src/accounts/sealed.js';

const [OLD, NEW] = [randomBytes(32), randomBytes(32)];

describe('sealed', () => {
  it('opens what any of its keys has sealed, and says whether that was an older one', () => {
    const box = sealed([OLD]).seal('a secret');
    expect(box.toString('latin1')).not.toContain('a secret');
    expect(sealed([OLD]).open(box)).toEqual({ text: 'a secret', isByOlderKey: false });
    expect(sealed([NEW, OLD]).open(box)).toEqual({ text: 'a secret', isByOlderKey: true });
    const anew = sealed([NEW, OLD]).seal('a secret');
    expect(sealed([NEW]).open(anew)).toEqual({ text: 'a secret', isByOlderKey: false });
  });

  it('does not open what another key has sealed, what was changed, and what was never sealed', () => {
    const box = sealed([OLD]).seal('a secret');
    expect(sealed([NEW]).open(box)).toBeUndefined();
    for (const at of box.keys()) {
      const changed = Buffer.from(box);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(sealed([NEW, OLD]).open(changed)).toBeUndefined();
    }
    for (const length of [0, 1, 12, 27, 28]) {
      expect(sealed([NEW, OLD]).open(box.subarray(0, length))).toBeUndefined();
      expect(sealed([NEW, OLD]).open(randomBytes(length))).toBeUndefined();
    }
  });

  it('has to have a key', () => {
    expect(() => sealed([])).toThrow('sealed: "keys" must be a list of keys, got none');
  });
});
