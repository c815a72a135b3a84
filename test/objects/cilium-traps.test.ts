import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type LoadedObject, Machine, type MachineOptions } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import type { ObjectSpec } from '../../src/object/spec.js';
import { buildPacket } from '../../src/packet/packet.js';
import { code, exit, helper, load32, move } from '../support/code.js';
import { EXECUTABLE, WRITABLE, writeElf } from '../support/elf-writer.js';
import { type Operation, runScript } from '../support/packet-script.js';

// What trips loaders and machines up on Cilium's objects, one test or more each. era-numbered.c follows the conventions up to
// 1.17, era-tagged.c those since.

function read(name: string): ObjectSpec {
  return loadObject(readFileSync(new URL(`../../bpf-objects/${name}`, import.meta.url)), { name });
}

const NUMBERED = read('era-numbered.o');
const TAGGED = read('era-tagged.o');
const SERVICE = read('service.o');
const PACKET = buildPacket('tcp 10.0.0.1:40000 > 10.0.0.2:80 syn');

const load = (spec: ObjectSpec, options: MachineOptions = {}): LoadedObject => Machine.create(options).load(spec);

function run(object: LoadedObject, program: string) {
  const outcome = object.program(program).run({ packet: PACKET });
  expect(outcome.fault).toBeUndefined();
  const { cb, mark } = object.program(program).decodeContext(outcome) as { cb: number[]; mark: number };
  return { ...outcome, cb, mark };
}

const mapOf = (spec: ObjectSpec, name: string) => spec.maps.find((map) => map.name === name)!;
const slotsOf = (spec: ObjectSpec) => spec.programs.map(({ name, slots }) => [name, ...slots]);

describe('Cilium trap 1: address used as value', () => {
  test('a configuration word of .data is its content, one of .bss is 0', () => {
    const { mark, cb } = run(load(NUMBERED), 'handle_xgress');
    expect([mark, cb[0]]).toEqual([0x1234, 0]);
  });

  test('a value given when loading takes the place of the content', () => {
    const object = Machine.create().load(NUMBERED, { config: { LXC_ID: 0xdeadbeef, SECLABEL: 5 } });
    const { mark, cb } = run(object, 'handle_xgress');
    expect([mark, cb[0]]).toEqual([0xdeadbeef, 5]);
  });

  test('from 1.17 on the same relocation is a pointer, and a load follows', () => {
    expect(run(load(TAGGED), 'entry').cb[0]).toBe(7);
    expect(run(Machine.create().load(TAGGED, { config: { endpoint_id: 9 } }), 'entry').cb[0]).toBe(9);
  });
});

test('Cilium trap 2: ordinary variables beside configuration words in one section', () => {
  const object = load(NUMBERED);
  expect(run(object, 'handle_xgress').cb[1]).toBe(101);
  expect(run(object, 'handle_xgress').cb[1]).toBe(102);
  expect(object.getVariable('failures')).toBe(2);
});

test('Cilium trap 3: from-netdev is a section of tc and of XDP objects', () => {
  const typeOf = (...body: number[][]): string =>
    loadObject(
      writeElf({
        sections: [{ name: 'from-netdev', flags: EXECUTABLE, data: code(...body, move(0, 1), exit()) }],
        symbols: [{ name: 'entry', section: 'from-netdev', type: 'func' }],
      }),
      { name: 'object.o' },
    ).programs[0]!.type;
  expect(typeOf(load32(2, 1, 0), load32(3, 1, 4))).toBe('xdp');
  expect(typeOf(load32(2, 1, 76), load32(3, 1, 80))).toBe('sched_cls');
  expect(typeOf(helper(44))).toBe('xdp');
  expect(typeOf(helper(9))).toBe('sched_cls');
});

test('Cilium trap 4: 2/11 is decimal, 1/0x1010 is hex; several programs share a section', () => {
  expect(slotsOf(NUMBERED)).toEqual([
    ['handle_xgress'],
    ['tail_decimal', { map: 'calls', slot: 11 }],
    ['handle_policy', { map: 'policy_calls', slot: 0x1010 }],
  ]);
  expect(TAGGED.programs.map(({ name, section }) => [section, name])).toEqual([
    ['tc/entry', 'entry'],
    ['tc/entry', 'eight_frames'],
    ['tc/tail', 'tail_lookup'],
    ['tc/tail', 'tail_callback'],
  ]);
});

describe('Cilium trap 5: old objects', () => {
  const legacy = (stride: number): ObjectSpec => {
    const definition = (...fields: number[]): number[] => [
      ...new Uint8Array(Int32Array.from([...fields, ...new Array<number>(9).fill(0)].slice(0, stride / 4)).buffer),
    ];
    return loadObject(
      writeElf({
        sections: [
          { name: 'xdp', flags: EXECUTABLE, data: code(move(0, 2), exit()) },
          {
            name: 'maps',
            flags: WRITABLE,
            data: Uint8Array.from([...definition(1, 4, 8, 100, 1), ...definition(2, 4, 16, 3)]),
          },
        ],
        // As old compilers wrote them: no type, no size.
        symbols: [
          { name: 'first', section: 'maps' },
          { name: 'second', section: 'maps', value: stride },
          { name: 'entry', section: 'xdp' },
        ],
      }),
      { name: 'old.o' },
    );
  };

  test.each([28, 36])('symbols without type and size, definitions of %i bytes', (stride) => {
    const spec = legacy(stride);
    expect(spec.maps).toMatchObject([
      { name: 'first', type: 1, keySize: 4, valueSize: 8, maxEntries: 100, flags: 1 },
      { name: 'second', type: 2, keySize: 4, valueSize: 16, maxEntries: 3 },
    ]);
    expect(load(spec).program('entry').run({ packet: PACKET }).verdict).toBe('XDP_PASS');
  });

  test('inner maps by id', () => {
    expect(mapOf(NUMBERED, 'outer').inner).toMatchObject({ type: 1, keySize: 4, valueSize: 4, maxEntries: 8 });
    expect(mapOf(NUMBERED, 'inner').template).toBe(true);
  });

  test('BTF places nothing in unlinked objects: symbols do', () => {
    // Both variables of .data have offset 0 in the DATASEC of the file.
    expect(
      NUMBERED.variables.filter(({ section }) => section === '.data').map(({ name, offset }) => [name, offset]),
    ).toEqual([
      ['LXC_ID', 0],
      ['runs', 4],
    ]);
  });
});

test('Cilium trap 6: static functions are entries, .text holds callbacks, whose address lddw loads', () => {
  const isStatic = (name: string): boolean => TAGGED.functions.find((fn) => fn.name === name)!.isLocal;
  expect([isStatic('tail_lookup'), isStatic('tail_callback'), isStatic('entry')]).toEqual([true, true, false]);
  expect(TAGGED.programs.map(({ name }) => name)).not.toContain('sum');
  const object = load(TAGGED);
  object.map('a_shared_map_with_a_long_name').set(1, 30);
  object.map('a_shared_map_with_a_long_name').set(2, 12);
  expect(run(object, 'tail_callback').cb[4]).toBe(42);
});

test('Cilium trap 7: slots come from the object, whatever the version calls them', () => {
  expect(slotsOf(TAGGED).slice(2)).toEqual([
    ['tail_lookup', { map: 'cilium_calls', slot: 26 }],
    ['tail_callback', { map: 'cilium_calls', slot: 27 }],
  ]);
});

describe('Cilium trap 8: maps that leave attributes open', () => {
  test('a perf event array without max_entries has one entry per CPU', () => {
    expect(mapOf(TAGGED, 'cilium_events').maxEntries).toBe(0);
    expect(load(TAGGED, { cpus: 3 }).map('cilium_events').maxEntries).toBe(3);
  });

  test('a prog array without value size, pinning 16', () => {
    expect(mapOf(TAGGED, 'cilium_calls')).toMatchObject({ keySize: 4, valueSize: 4, pinning: 16 });
  });

  test('inner maps as static contents', () => {
    expect(mapOf(TAGGED, 'maglev')).toMatchObject({
      inner: { type: 2, keySize: 4, valueSize: 4, maxEntries: 1 },
      values: [{ slot: 1, map: 'backends_of_7' }],
    });
    expect(load(TAGGED).map('maglev').get(1)).toBe('backends_of_7');
  });
});

describe('Cilium trap 9: tail calls', () => {
  test('one into an empty slot returns, and the program goes on', () => {
    expect(run(load(TAGGED), 'entry').cb[2]).toBe(1);
    const { cb, tailCalls, verdict } = run(load(NUMBERED), 'handle_xgress');
    expect({ failed: cb[2], tailCalls, verdict }).toEqual({
      failed: 1,
      tailCalls: ['tail_decimal', 'handle_policy'],
      verdict: 'TC_ACT_OK',
    });
  });

  test('context, cb, mark and per-CPU buffers survive', () => {
    const { cb, mark, tailCalls } = run(load(TAGGED), 'entry');
    expect({ tailCalls, mark, endpoint: cb[0] }).toEqual({
      tailCalls: ['tail_lookup', 'tail_callback'],
      mark: 0xa00,
      endpoint: 7,
    });
  });

  test("the verdict is the last program's, negative codes included", () => {
    const object = load(NUMBERED);
    object.map('policy_calls').delete(0x1010);
    expect(run(object, 'handle_xgress')).toMatchObject({ retval: 0xffffffff, tailCalls: ['tail_decimal'] });
  });
});

test('Cilium trap 10: per-CPU buffers keep what an earlier packet left', () => {
  const object = load(TAGGED);
  expect([0, 1, 2].map(() => run(object, 'entry').cb[1])).toEqual([0, 1, 2]);
  object.map('tail_call_buffer').clear();
  expect(run(object, 'entry').cb[1]).toBe(0);
});

test('Cilium trap 12: of a wider variable only the bytes of the key are read', () => {
  const object = load(TAGGED);
  object.map('backends_of_7').set(0, 77);
  expect(run(object, 'tail_lookup').cb[3]).toBe(77);
});

test('Cilium trap 14: the remote address of a tunnel key is in host order', () => {
  // packet-script.c sets remote 0x0a000001; what a device sends to has network order.
  const { results } = runScript('tc_script', PACKET, [
    { kind: 20, size: 44 },
    { kind: 21, size: 44 },
  ]);
  // What was set for sending comes back as received: remote and local have changed places, the order of bytes has not.
  expect(Buffer.from(results[1]!.buffer, 'hex').readUInt32LE(28)).toBe(0x0a000001);
});

test('Cilium trap 15: time, random numbers and hashes are inputs', () => {
  const verdictOf = (packet: Uint8Array, seed: bigint) => {
    const machine = Machine.create({ seed, clock: 5n, clockStep: 0n });
    const object = machine.load(SERVICE);
    machine.setHelper('ktime_get_ns', () => 99);
    return object.program('service_egress').run({ packet });
  };
  expect(verdictOf(PACKET, 3n)).toEqual(verdictOf(PACKET, 3n));
});

describe('Cilium trap 16: helpers that invalidate packet pointers', () => {
  const faults = read('faults.o');
  test('the old pointer faults', () => {
    expect(load(faults).program('stale_pointer').run({ packet: PACKET }).fault?.kind).toBe('stale-packet');
  });

  test('a pull of what is linear already succeeds', () => {
    const { results, packet } = runScript('tc_script', PACKET, [
      { kind: 17, b: 0 },
      { kind: 17, b: PACKET.length },
    ]);
    expect(results.map(({ code: result }) => result)).toEqual([0, 0]);
    expect(packet).toEqual(PACKET);
  });
});

test('Cilium trap 17: protocol is big-endian in a wider field, vlan_present is 0 or 1', () => {
  const { results } = runScript('tc_script', PACKET, [
    { kind: 99 },
    { kind: 15, a: 0x1005, b: 0x0081 },
  ] satisfies Operation[]);
  expect(results[0]).toMatchObject({ protocol: 0x0008, vlan_present: 0 });
  expect(results[1]).toMatchObject({ vlan_present: 1, vlan_tci: 0x1005, vlan_proto: 0x0081 });
});

test('Cilium trap 20: map names of more than 15 characters stay whole', () => {
  expect(load(TAGGED).map('a_shared_map_with_a_long_name').name).toBe('a_shared_map_with_a_long_name');
});

test('Cilium trap 21: map names are those of the symbols', () => {
  expect(NUMBERED.maps.filter(({ origin }) => origin === 'legacy').map(({ name }) => name)).toEqual([
    'policy_calls',
    'calls',
    'inner',
    'outer',
  ]);
});

test('Cilium trap 23: objects share pinned maps by name, calls maps and scratch buffers are their own', () => {
  const machine = Machine.create();
  const [first, second] = [machine.load(TAGGED), machine.load(TAGGED, { config: { endpoint_id: 8 } })];
  const shared = 'a_shared_map_with_a_long_name';
  expect(first!.map(shared)).toBe(second!.map(shared));
  for (const own of ['cilium_calls', 'tail_call_buffer', 'maglev', '.rodata.config'])
    expect(first!.map(own)).not.toBe(second!.map(own));
  first!.map(shared).set(0, 0);
  expect([run(first!, 'entry').cb[0], run(second!, 'entry').cb[0]]).toEqual([7, 8]);
  expect(second!.map(shared).get(0)).toBe(2n);
});

test('Cilium trap 26: atomic adds through value pointers: values are stable and 8-byte aligned', () => {
  const object = load(TAGGED);
  const counters = object.map('a_shared_map_with_a_long_name');
  counters.set(0, 40);
  run(object, 'entry');
  // Elements that come and go do not move it.
  for (let key = 1; key < 16; key++) counters.set(key, key);
  for (let key = 1; key < 16; key += 2) counters.delete(key);
  run(object, 'entry');
  expect(counters.get(0)).toBe(42n);
});

test("Cilium trap 27: eight frames of 512 bytes, the callers' stay readable and writable", () => {
  expect(run(load(TAGGED), 'eight_frames').retval).toBe(0 + 1 + 2 + 3 + 4 + 5 + 6);
});
