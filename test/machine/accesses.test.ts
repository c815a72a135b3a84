import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { type LoadedObject, Machine, type MapAccess } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { buildPacket } from '../../src/packet/words.js';

const SPEC = loadObject(readFileSync('bpf-objects/account-hooks.o'), { name: 'account-hooks.o' });
const SYN = buildPacket('tcp 10.0.0.250:40418 > 172.16.16.87:80 syn');

/** Map accesses that a run records. */
describe('accesses', () => {
  let object: LoadedObject;
  beforeEach(() => {
    object = Machine.create().load(SPEC);
    object.map('cilium_lb4_services_v2').set({ address: '172.16.16.87', dport: 80 }, { count: 1, rev_nat_index: 7 });
    object
      .map('cilium_lb4_services_v2')
      .set({ address: '172.16.16.87', dport: 80, backend_slot: 1 }, { backend_id: 5 });
    object.map('cilium_lb4_backends_v2').set(5, { address: '10.0.1.60', port: 80 });
    object.map('cilium_policy').set({ sec_label: 2, dport: 80, protocol: 6, egress: 1 }, {});
  });
  const run = (recordAccesses = true) => object.program('cil_from_container').run({ packet: SYN, recordAccesses });

  test('look-ups, updates and tail calls in order, with what they found', () => {
    const outcome = run();
    expect(outcome.fault).toBeUndefined();
    expect(outcome.accesses.map(({ operation, map, error }) => `${operation} ${map} ${error}`)).toEqual([
      'tail call cilium_calls 0',
      'lookup cilium_lb4_services_v2 0',
      'lookup cilium_lb4_services_v2 0',
      'lookup cilium_lb4_backends_v2 0',
      'lookup cilium_ipcache -2',
      'lookup cilium_ct4_global -2',
      'lookup cilium_policy 0',
      'update cilium_ct4_global 0',
    ]);
    expect(outcome.accesses[3]!.value).toEqual(Uint8Array.of(10, 0, 1, 60, 0, 80, 0, 0));
    expect(outcome.accesses[4]!).toMatchObject({ key: Uint8Array.of(10, 0, 1, 60), value: undefined });
    expect(object.map('cilium_ct4_global').decodeValue(outcome.accesses[7]!.value!)).toMatchObject({
      rev_nat_index: 7,
    });
  });

  test('a value is what it was at the moment of the look-up', () => {
    run();
    const packets = (access: MapAccess): unknown => object.map(access.map).decodeValue(access.value!);
    const [found] = run().accesses.filter(({ map }) => map === 'cilium_ct4_global');
    expect(packets(found!)).toMatchObject({ packets: 1n });
    expect(object.map('cilium_ct4_global').entries().next().value).toMatchObject({ value: { packets: 2n } });
  });

  test('a refused update has its errno', () => {
    for (let port = 1; port <= 4; port++)
      object.map('cilium_ct4_global').set({ daddr: 0, saddr: 0, dport: port, sport: 0, nexthdr: 6, flags: 0 }, {});
    const outcome = run();
    expect(outcome.accesses.at(-1)).toMatchObject({ operation: 'update', map: 'cilium_ct4_global', error: -7 });
    expect(outcome.verdict).toBe('TC_ACT_SHOT');
  });

  test('a tail call into an empty slot', () => {
    object.map('cilium_calls').delete(7);
    expect(run().accesses).toEqual([
      {
        ...{ map: 'cilium_calls', operation: 'tail call', key: Uint8Array.of(7, 0, 0, 0) },
        ...{ value: undefined, error: -2 },
      },
    ]);
  });

  test('nothing is recorded unless asked for, and events are the same', () => {
    const silent = run(false);
    object.map('cilium_ct4_global').clear();
    const recorded = run();
    expect(silent.accesses).toEqual([]);
    expect(recorded.events).toEqual(silent.events);
    expect(recorded.instructions).toBe(silent.instructions);
  });
});
