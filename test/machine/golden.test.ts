import { describe, expect, test } from 'vitest';
import { type Operation, runScript } from '../support/packet-script.js';

// The golden vectors of the kernel's semantics (Linux 6.18). Kinds are those of bpf-objects/packet-script.c.

/** UDP 10.0.0.1 > 10.0.0.2 in 60 bytes, destination 00:00:00:00:00:00; header checksum 66 bd at 24. */
const BASE = Uint8Array.from([
  ...[0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0x08, 0x00],
  ...[0x45, 0, 0, 0x2e, 0, 0, 0, 0, 0x40, 0x11, 0x66, 0xbd, 10, 0, 0, 1, 10, 0, 0, 2],
  ...new Array<number>(26).fill(0),
]);
const L3 = 4;
const L4 = 5;
const CHANGE_TAIL = 10;
const CHANGE_PROTO = 12;
const ADJUST_ROOM = 14;
const VLAN_PUSH = 15;
const SET_KEY = 20;
const GET_KEY = 21;
const ECN = 8;
const CSUM_DIFF = 3;

const be = (value: number): number => ((value & 0xff) << 8) | (value >> 8);

/** The 16-bit word at `offset` after the calls, as its bytes lie. */
function wordAfter(offset: number, operations: Operation[], bytes?: [number, number]): string {
  const packet = BASE.slice();
  if (bytes) packet.set(bytes, offset);
  const { packet: after } = runScript('tc_script', packet, operations);
  return Buffer.from(after.subarray(offset, offset + 2)).toString('hex');
}

/** A field given as the little-endian word the vectors speak of. */
const field = (word: number): [number, number] => [word & 0xff, word >> 8];
const word = (value: number): string => Buffer.from(field(value)).toString('hex');

describe('l3_csum_replace', () => {
  test('size 4, 0x0a000001 to 0x0b000001: bd66 becomes bc66', () => {
    expect(wordAfter(24, [{ kind: L3, a: 24, from: 0x0a000001, to: 0x0b000001, flags: 4n }])).toBe(word(0xbc66));
  });
  test('difference 0x1234: ab32', () => {
    expect(wordAfter(24, [{ kind: L3, a: 24, from: 0, to: 0x1234, flags: 0n }])).toBe(word(0xab32));
  });
  test('size 4 on 0x1234: 0133', () => {
    expect(wordAfter(24, [{ kind: L3, a: 24, from: 0x12345678, to: 0x9abcdef0, flags: 4n }], field(0x1234))).toBe(
      word(0x0133),
    );
  });
  test('size 2 on 0x1234: 89bb', () => {
    expect(wordAfter(24, [{ kind: L3, a: 24, from: 0x5678, to: 0xdef0, flags: 2n }], field(0x1234))).toBe(word(0x89bb));
  });
});

describe('l4_csum_replace', () => {
  test.each([
    [0x1234, 0x1233],
    [0x0000, 0xfffe],
    [0xffff, 0xfffe],
  ])('from 1 to 2, size 4, on %i gives %i', (before, after) => {
    expect(wordAfter(40, [{ kind: L4, a: 40, from: 1, to: 2, flags: 4n }], field(before))).toBe(word(after));
  });
  test('MARK_MANGLED_0 leaves 0 alone', () => {
    expect(wordAfter(40, [{ kind: L4, a: 40, from: 1, to: 2, flags: 0x24n }], field(0))).toBe('0000');
  });
  test('a result of 0 becomes ffff with MARK_MANGLED_0 and stays 0 without', () => {
    expect(wordAfter(40, [{ kind: L4, a: 40, from: 0, to: 1, flags: 0x22n }], field(1))).toBe('ffff');
    expect(wordAfter(40, [{ kind: L4, a: 40, from: 0, to: 1, flags: 2n }], field(1))).toBe('0000');
  });
});

test('change_proto to IPv6: 20 zero bytes, EtherType stays, ctx protocol changes', () => {
  const { results, packet } = runScript('tc_script', BASE, [{ kind: CHANGE_PROTO, b: 0xdd86 }]);
  expect(results[0]).toMatchObject({ code: 0, len: 80, protocol: 0xdd86 });
  expect(packet.subarray(14, 34).every((byte) => byte === 0)).toBe(true);
  expect([packet[12], packet[13]]).toEqual([8, 0]);
});

test('adjust_room(8): zeros behind L2 in MAC mode, behind L3 in NET mode', () => {
  for (const [mode, offset] of [
    [1, 14],
    [0, 34],
  ] as const) {
    const { results, packet } = runScript('tc_script', BASE, [{ kind: ADJUST_ROOM, a: 8, b: mode }]);
    expect(results[0]).toMatchObject({ code: 0, len: 68 });
    expect(packet.subarray(offset, offset + 8)).toEqual(new Uint8Array(8));
    expect(packet.subarray(0, offset)).toEqual(BASE.subarray(0, offset));
    expect(packet.subarray(offset + 8)).toEqual(BASE.subarray(offset));
  }
});

test('a second encapsulation is EALREADY, and change_tail ENOTSUPP from then on', () => {
  const encapsulate = { kind: ADJUST_ROOM, a: 20, b: 1, flags: 2n };
  const { results } = runScript('tc_script', BASE, [encapsulate, encapsulate, { kind: CHANGE_TAIL, b: 100 }]);
  expect(results.map(({ code }) => code)).toEqual([0, -114, -524]);
});

test('the second vlan_push puts the first tag into the bytes', () => {
  const push = (tci: number): Operation => ({ kind: VLAN_PUSH, b: be(0x8100), a: tci });
  const { results, packet } = runScript('tc_script', BASE, [push(0x64), push(0x65)]);
  expect(results[1]).toMatchObject({ code: 0, len: 64, vlan_present: 1, vlan_tci: 0x65, protocol: be(0x8100) });
  expect(Buffer.from(packet.subarray(12, 16)).toString('hex')).toBe('81000064');
});

test('vlan_push of an unknown protocol uses 802.1Q', () => {
  const { results } = runScript('tc_script', BASE, [{ kind: VLAN_PUSH, b: 0, a: 0x1fff }]);
  expect(results[0]).toMatchObject({ code: 0, len: 60, vlan_proto: be(0x8100), vlan_tci: 0x1fff });
});

test('a tunnel key that was set comes back with its addresses swapped', () => {
  const { results } = runScript('tc_script', BASE, [
    { kind: SET_KEY, size: 44 },
    { kind: GET_KEY, size: 44 },
  ]);
  const key = Buffer.from(results[1]!.buffer, 'hex');
  expect([results[0]!.code, results[1]!.code]).toEqual([0, 0]);
  expect(key.readUInt32LE(4)).toBe(0x0a000002);
  expect(key.readUInt32LE(28)).toBe(0x0a000001);
});

test('ecn_set_ce on ECT(1): returns 1, tos 3, checksum 66bc becomes 66ba', () => {
  const packet = BASE.slice();
  packet[15] = 1;
  packet.set([0x66, 0xbc], 24);
  const { results, packet: after } = runScript('tc_script', packet, [{ kind: ECN }]);
  expect(results[0]!.code).toBe(1);
  expect(after[15]).toBe(3);
  expect(Buffer.from(after.subarray(24, 26)).toString('hex')).toBe('66ba');
});

test.each([
  [0, 0],
  [0xffff, 0xffff],
  [0x10000, 1],
  [0x1ffff, 1],
  [0xfffeffff, 0xfffe],
  [0xffffffff, 0xffff],
])('csum_diff of nothing with seed %i is %i', (seed, sum) => {
  const { results } = runScript('tc_script', BASE, [{ kind: CSUM_DIFF, a: 0, b: 0, from: seed }]);
  expect(results[0]!.code).toBe(sum);
});

// The instruction and map vectors of the same list (mod32 by zero, sdiv, movsx, cmpxchg32, 34 executions of a self tail call,
// E2BIG and ENOSPC on the fifth insert) are cases of test/conformance/isa-cases.ts and test/machine/kernel-traps.test.ts.
