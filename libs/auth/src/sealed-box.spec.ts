import { randomBytes } from 'node:crypto';
import { seal, unseal } from './sealed-box.ts';

describe('a sealed box', () => {
  const key = randomBytes(32);
  const box = seal(key, Buffer.from('secret'), 'place');

  it('opens where it was sealed', () => {
    expect(unseal(key, box, 'place').toString()).toBe('secret');
    expect(box.includes('secret')).toBe(false);
    expect(seal(key, Buffer.from('secret'), 'place').equals(box)).toBe(false);
  });

  it('stays shut for another key, in another place, or when a bit of it changed', () => {
    expect(() => unseal(randomBytes(32), box, 'place')).toThrow();
    expect(() => unseal(key, box, 'elsewhere')).toThrow();
    for (let index = 0; index < box.length; index++) {
      const tampered = Buffer.from(box);
      tampered[index]! ^= 1;
      expect(() => unseal(key, tampered, 'place')).toThrow();
    }
  });
});
