import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runBytecode } from '../../src/machine/bytecode.js';
import { Machine, type Outcome } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { Kernel } from '../../src/oracle/kernel.js';
import { buildPacket } from '../../src/packet/packet.js';
import { concat, EXIT, instruction, loadImmediate, move, moveImmediate } from '../conformance/assembler.js';
import { isaObject } from '../conformance/isa-object.js';
import { possibleCpus } from '../support/cpus.js';
import { type Operation, runScript } from '../support/packet-script.js';

// What trips userspace machines up on the kernel's semantics (Linux 6.18), one test or more each. Numbers of helper calls are
// those of packet-script.c; programs are those of semantics.c and run in the kernel as well.

const BYTES = readFileSync(new URL('../../bpf-objects/semantics.o', import.meta.url));
const PACKET = buildPacket('udp 10.0.0.1:1000 > 10.0.0.2:2000 "some payload"');
const available = Kernel.available();
if (!available.ok) console.warn(`kernel traps not compared with the kernel: ${available.reason}`);

let kernel: Kernel | undefined;
beforeAll(() => {
  if (available.ok) kernel = Kernel.open(BYTES, { name: 'semantics.o' });
});
afterAll(() => kernel?.close());

/** Runs a program of semantics.o here and, where there is one, in the kernel: both must return the same. */
function observe(program: string, options: { repeat?: number; packet?: Uint8Array } = {}): Outcome {
  const packet = options.packet ?? PACKET;
  // How many elements an LRU map evicts at once depends on the number of CPUs.
  const machine = Machine.create({ cpus: kernel ? possibleCpus() : 1 });
  const object = machine.load(loadObject(BYTES, { name: 'semantics.o' }));
  const outcome = object.program(program).run({ packet, repeat: options.repeat });
  expect(outcome.fault).toBeUndefined();
  if (kernel) {
    const theirs = kernel.run({ program, packet, repeat: options.repeat });
    expect({ retval: outcome.retval, packet: hex(outcome.packet!) }).toEqual({
      retval: theirs.retval,
      packet: hex(theirs.packet),
    });
  }
  return outcome;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** r0 of raw instructions. */
const r0 = (...code: Uint8Array[]): bigint => runBytecode(concat([...code, EXIT])).r0;

const codes = (program: 'tc_script' | 'xdp_script', operations: Operation[], packet = PACKET): number[] =>
  runScript(program, packet, operations).results.map(({ code }) => code);

describe('Kernel trap 1: 32-bit results are zero-extended', () => {
  const ONES = loadImmediate(0, 0xffff_ffff_ffff_ffffn);
  test.each([
    ['32-bit add', [ONES, instruction(0x04, 0, 0, 0, 1)], 0n],
    ['32-bit move to itself', [ONES, instruction(0xbc, 0, 0)], 0xffff_ffffn],
    [
      '32-bit modulo by zero',
      [loadImmediate(0, 0xfedc_ba98_7654_3210n), moveImmediate(1, 0), instruction(0x9c, 0, 1)],
      0x7654_3210n,
    ],
    [
      '32-bit exchange',
      [ONES, instruction(0x7b, 10, 0, -8), moveImmediate(0, -1), instruction(0xc3, 10, 0, -8, 0xe1)],
      0xffff_ffffn,
    ],
    [
      '32-bit compare and exchange that succeeds: r0 too',
      [
        instruction(0x62, 10, 0, -4, -16),
        moveImmediate(0, -16),
        moveImmediate(1, 5),
        instruction(0xc3, 10, 1, -4, 0xf1),
      ],
      0xffff_fff0n,
    ],
  ] as [string, Uint8Array[], bigint][])('%s', (_, code, expected) => {
    expect(r0(...code)).toBe(expected);
  });
});

describe('Kernel trap 2: immediates are sign-extended', () => {
  const jumps = (opcode: number, value: bigint, imm: number): bigint =>
    r0(loadImmediate(1, value), moveImmediate(0, 1), instruction(opcode, 1, 0, 1, imm), moveImmediate(0, 0));
  test('64-bit operations and stores take all 64 bits', () => {
    expect(r0(moveImmediate(0, -1))).toBe(0xffff_ffff_ffff_ffffn);
    expect(r0(instruction(0x7a, 10, 0, -8, -2), instruction(0x79, 0, 10, -8))).toBe(0xffff_ffff_ffff_fffen);
  });
  test('32-bit operations do not reach the upper half', () => {
    expect(r0(instruction(0xb4, 0, 0, 0, -1))).toBe(0xffff_ffffn);
  });
  test('a 64-bit jset with a negative immediate tests the upper half, a 32-bit one does not', () => {
    expect(jumps(0x45, 0x1_0000_0000n, -0x8000_0000)).toBe(1n);
    expect(jumps(0x46, 0x1_0000_0000n, -0x8000_0000)).toBe(0n);
  });
  test('32-bit comparisons look at the lower half of both', () => {
    expect(jumps(0x16, 0x5_ffff_ffffn, -1)).toBe(1n);
    expect(jumps(0x15, 0x5_ffff_ffffn, -1)).toBe(0n);
  });
});

test('Kernel trap 3: 4-byte loads of data and data_end give whole pointers', () => {
  for (const length of [14, 64, 1500])
    expect(observe('packet_length', { packet: new Uint8Array(length).fill(1) }).retval).toBe(length);
});

describe('Kernel trap 4: csum folding', () => {
  test('csum_diff folds to 16 bits', () => {
    expect(
      codes('tc_script', [
        { kind: 3, from: 0xfffeffff },
        { kind: 3, from: 0x10000 },
      ]),
    ).toEqual([0xfffe, 1]);
  });
  test('l3_csum_replace of 2 bytes folds otherwise than l4_csum_replace', () => {
    expect([observe('fold_l3').retval, observe('fold_l4').retval]).toEqual([0xffff, 0]);
  });
  test('MARK_MANGLED_0: a sum of 0 stays, a result of 0 becomes ffff', () => {
    const sum = (before: number[], operation: Operation): string => {
      const packet = PACKET.slice();
      packet.set(before, 40);
      return hex(runScript('tc_script', packet, [operation]).packet.subarray(40, 42));
    };
    expect(sum([0, 0], { kind: 5, a: 40, from: 1, to: 2, flags: 0x24n })).toBe('0000');
    expect(sum([1, 0], { kind: 5, a: 40, from: 0, to: 1, flags: 0x22n })).toBe('ffff');
    expect(sum([1, 0], { kind: 5, a: 40, from: 0, to: 1, flags: 0x02n })).toBe('0000');
  });
});

describe('Kernel trap 5: context and bytes are two things', () => {
  test('vlan_push changes the context only', () => {
    const { results, packet } = runScript('tc_script', PACKET, [{ kind: 15, a: 5, b: 0x0081 }]);
    expect(results[0]).toMatchObject({ code: 0, vlan_present: 1, vlan_tci: 5, protocol: 0x0008 });
    expect(packet).toEqual(PACKET);
  });
  test('change_proto and adjust_room leave the EtherType alone', () => {
    for (const operation of [
      { kind: 12, b: 0xdd86 },
      { kind: 14, a: 8, b: 1 },
    ]) {
      const { results, packet } = runScript('tc_script', PACKET, [operation]);
      expect(results[0]!.code).toBe(0);
      expect(hex(packet.subarray(12, 14))).toBe('0800');
    }
  });
  test('a tag in the bytes is not taken out', () => {
    const tagged = buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2 vlan=7 "x"');
    const { results, packet } = runScript('tc_script', tagged, [{ kind: 99 }]);
    expect(results[0]).toMatchObject({ vlan_present: 0, protocol: 0x0081 });
    expect(packet).toEqual(tagged);
  });
});

test('Kernel trap 6: pkt_type and ifindex by default; wire_len only with a context', () => {
  const program = Machine.create()
    .load(loadObject(BYTES, { name: 'semantics.o' }))
    .program('seven');
  const contextOf = (destination: number, context?: Record<string, number>) => {
    const packet = PACKET.slice();
    packet.fill(destination, 0, 6);
    return program.decodeContext(program.run({ packet, context })) as Record<string, number>;
  };
  // lo has the address 00:00:00:00:00:00, which is its broadcast address as well.
  expect([0x00, 0xff, 0x02].map((destination) => contextOf(destination).pkt_type)).toEqual([0, 2, 3]);
  expect(contextOf(2)).toMatchObject({ ifindex: 1, wire_len: 0 });
  expect(contextOf(2, { mark: 0 })).toMatchObject({ ifindex: 1, wire_len: PACKET.length });
});

describe('Kernel trap 7: hash map copy-on-write', () => {
  test('an old value pointer does not see an update', () => {
    expect(observe('old_value_pointer').retval).toBe(11 * 100 + 22);
  });
  test('an LRU update evicts even when it fails', () => {
    const left = observe('failed_update_evicts').retval;
    expect(left).toBeLessThan(0xff);
  });
});

describe('Kernel trap 8: tail-call accounting', () => {
  test('33 hits: a body that calls itself is executed 34 times', () => {
    expect(observe('tail_self').retval).toBe(34);
  });
  test('misses are free', () => {
    expect(observe('misses_are_free').retval).toBe(7);
  });
  test("the result goes to the subprogram's caller", () => {
    expect(observe('tail_call_in_subprogram').retval).toBe(107);
  });
  test('one counter for all frames, never given back', () => {
    expect(observe('shared_limit').retval).toBe(33 * 100 + 55);
  });
  test('the counter starts anew with every repetition', () => {
    expect(observe('misses_are_free', { repeat: 40 }).retval).toBe(7);
  });
});

describe('Kernel trap 9: errno identity and width', () => {
  test('ENOTSUPP is 524, EALREADY 114', () => {
    const encapsulate = { kind: 14, a: 20, b: 1, flags: 2n };
    expect(codes('tc_script', [encapsulate, encapsulate, { kind: 10, b: 100 }])).toEqual([0, -114, -524]);
  });
  test('skb_load_bytes gives EFAULT and zeroes, xdp_load_bytes EINVAL and does not', () => {
    expect(observe('load_beyond_tc').retval).toBe(0);
    expect(observe('load_beyond_xdp').retval).toBe(0x11111111);
  });
  test('a full hash is E2BIG, a full trie ENOSPC; errors are 64 bits wide', () => {
    expect(observe('full_hash').r0).toBe(0xffff_ffff_ffff_fff9n);
    expect(observe('full_trie').r0).toBe(0xffff_ffff_ffff_ffe4n);
  });
  test('errors of redirect are verdicts', () => {
    expect(observe('redirect_with_flags').verdict).toBe('TC_ACT_SHOT');
    expect(observe('redirect_xdp_with_flags').verdict).toBe('XDP_ABORTED');
  });
});

describe('Kernel trap 10: state across repeat and sticky flags', () => {
  test('a tag in the context and cb survive into the next repetition', () => {
    const once = observe('tag_twice');
    const twice = observe('tag_twice', { repeat: 2 });
    expect([once.retval, twice.retval]).toEqual([0x10000 | 101, 0x10000 | 102]);
    // The second push puts the first tag into the bytes.
    expect(hex(twice.packet!.subarray(12, 18))).toBe('810000650800');
  });
  test('a narrow load at +2 of a 16-bit field repeats the value', () => {
    const VLAN_TCI = 24;
    const push = [move(6, 1), moveImmediate(2, 0x0081), moveImmediate(3, 0x123), instruction(0x85, 0, 0, 0, 18)];
    const object = isaObject(
      [0, 2].map((offset) => ({
        program: `at_${offset}`,
        isProgram: true,
        code: concat([...push, instruction(0x69, 0, 6, VLAN_TCI + offset), EXIT]),
      })),
    );
    const here = Machine.create().load(loadObject(object, { name: 'narrow.o' }));
    const there = available.ok ? Kernel.open(object, { name: 'narrow.o' }) : undefined;
    try {
      for (const program of ['at_0', 'at_2']) {
        expect(here.program(program).run({ packet: PACKET }).retval).toBe(0x123);
        if (there) expect(there.run({ program, packet: PACKET }).retval).toBe(0x123);
      }
    } finally {
      there?.close();
    }
  });
});
