import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MaglevBackend, maglevSeeds, maglevTable } from '../../src/cilium/state/maglev.js';
import { murmurHash128 } from '../../src/cilium/state/murmur3.js';

const SIZE = 251;
const SEED = maglevSeeds('JLfvgnHc2kaSUFaI').murmur;

const backends = fc.uniqueArray(
  fc.record({
    id: fc.integer({ min: 1, max: 0xffffffff }),
    address: fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.0.${a}.${b}`),
    port: fc.integer({ min: 1, max: 65535 }),
    protocol: fc.constant('TCP'),
    weight: fc.constant(1),
  }),
  { minLength: 1, maxLength: 20, selector: ({ id }) => id },
);
const distinct = backends.filter(
  (list) => new Set(list.map(({ address, port }) => `${address}:${port}`)).size === list.length,
);

function share(table: Uint32Array, id: number): number {
  return table.filter((entry) => entry === id).length;
}

describe('MurmurHash3_x64_128', () => {
  // Published vectors of the reference implementation (SMHasher), halves as 64-bit numbers.
  it.each([
    ['', 0, 0n, 0n],
    ['', 1, 0x4610abe56eff5cb5n, 0x51622daa78f83583n],
    ['hello', 0, 0xcbd8a7b341bd9b02n, 0x5b1e906a48ae1d19n],
    ['hello, world', 0, 0x342fac623a5ebc8en, 0x4cdcbc079642414dn],
    ['The quick brown fox jumps over the lazy dog.', 0, 0xcd99481f9ee902c9n, 0x695da1a38987b6e7n],
  ])('%j with seed %i', (text, seed, h1, h2) => {
    expect(murmurHash128(new TextEncoder().encode(text), seed)).toEqual([h1, h2]);
  });
});

describe('Maglev tables', () => {
  it('take their seeds from 12 bytes', () => {
    expect(maglevSeeds('AAAAAQAAAAIAAAAD')).toEqual({ murmur: 1, jhash4: 2, jhash6: 3 });
    expect(() => maglevSeeds('AAAA')).toThrow(/3 bytes, expected 12/);
  });

  it('hold every backend in equal shares', () => {
    fc.assert(
      fc.property(distinct, (list) => {
        const table = maglevTable(list, SIZE, SEED);
        for (const { id } of list) {
          expect(share(table, id)).toBeGreaterThanOrEqual(Math.floor(SIZE / list.length));
          expect(share(table, id)).toBeLessThanOrEqual(Math.ceil(SIZE / list.length));
        }
      }),
    );
  });

  it('do not depend on the order of the backends', () => {
    fc.assert(
      fc.property(distinct, (list) => {
        expect(maglevTable([...list].reverse(), SIZE, SEED)).toEqual(maglevTable(list, SIZE, SEED));
      }),
    );
  });

  it('move few connections when a backend goes', () => {
    const list = Array.from(
      { length: 10 },
      (_, i): MaglevBackend => ({ id: i + 1, address: `10.0.0.${i + 1}`, port: 80, protocol: 'TCP', weight: 1 }),
    );
    const before = maglevTable(list, 16381, SEED);
    const after = maglevTable(list.slice(1), 16381, SEED);
    const moved = before.filter((id, i) => id !== 1 && after[i] !== id).length;
    expect(after.includes(1)).toBe(false);
    expect(moved / before.length).toBeLessThan(0.1);
  });

  it('follow weights', () => {
    const two = (weight: number): MaglevBackend[] => [
      { id: 1, address: '10.0.0.1', port: 80, protocol: 'TCP', weight },
      { id: 2, address: '10.0.0.2', port: 80, protocol: 'TCP', weight: 1 },
    ];
    const table = maglevTable(two(9), 1021, SEED);
    expect(share(table, 1) / 1021).toBeCloseTo(0.9, 1);
  });

  it('are empty without backends', () => {
    expect(maglevTable([], SIZE, SEED).every((id) => id === 0)).toBe(true);
  });
});
