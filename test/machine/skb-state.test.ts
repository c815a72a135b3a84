import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type LoadedObject, Machine, type RunInput } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { buildPacket } from '../../src/packet/words.js';

const BYTES = readFileSync(new URL('../../bpf-objects/network-hooks.o', import.meta.url));
const STEP = { tunnel: 2, clone: 4 };
const packet = buildPacket('udp 10.0.0.1:1000 > 10.0.0.2:2000');

function run(input: Partial<RunInput>, settings: Record<string, unknown> = {}) {
  const object: LoadedObject = Machine.create().load(loadObject(BYTES, { name: 'network-hooks.o' }));
  object.map('settings').set(0, {
    ...{ steps: 0, verdict: 0, ifindex: 0, redirect_flags: 0, mark: 0, tc_index: 0, queue_mapping: 0, priority: 0 },
    ...{ cb: [0, 0, 0, 0, 0], tunnel_id: 0, tunnel_remote: 0, tunnel_flags: 0, tstamp: 0n },
    ...settings,
  });
  const outcome = object.program('tc_act').run({ packet, ...input });
  expect(outcome.fault).toBeUndefined();
  return { outcome, seen: object.map('seen').get(0) as Record<string, unknown> };
}

describe('what an skb carries into a run and out of it', () => {
  test('received tunnel metadata', () => {
    const metadata = {
      ...{ id: 77, remote: Uint8Array.of(10, 0, 0, 9), local: Uint8Array.of(10, 0, 0, 8), tos: 0, ttl: 64, label: 0 },
      ...{ checksum: false, dontFragment: false, options: new Uint8Array() },
    };
    const { outcome, seen } = run({ skb: { tunnel: { direction: 'received', metadata } } });
    expect(seen).toMatchObject({ tunnel: 0, tunnel_id: 77, tunnel_remote: 0x0a000009 });
    expect(outcome.tunnel).toBeUndefined();
    expect(run({}).seen).toMatchObject({ tunnel: -22, tunnel_id: 0 });
    // What an earlier program set is read as its receiver will: ends swapped.
    expect(run({ skb: { tunnel: { direction: 'send', metadata } } }).seen).toMatchObject({ tunnel_remote: 0x0a000008 });
  });

  test('a tunnel key that the program sets', () => {
    const { outcome } = run({}, { steps: STEP.tunnel, tunnel_id: 5, tunnel_remote: 0x0a000007, tunnel_flags: 2 | 4 });
    expect(outcome.tunnel).toEqual({
      ...{ id: 5, remote: Uint8Array.of(10, 0, 0, 7), local: new Uint8Array(4), tos: 0, ttl: 64, label: 0 },
      ...{ checksum: false, dontFragment: true, options: new Uint8Array() },
    });
  });

  test('metadata of an xdp program in front of the packet', () => {
    expect(run({ skb: { metadata: Uint8Array.of(1, 2, 3, 4) } }).seen.metadata).toBe(0x04030201);
    expect(run({}).seen.metadata).toBe(0);
  });

  test('the socket it comes from, or none', () => {
    expect(run({ socket: null }).seen.cookie).toBe(0n);
    const socket = {
      ...{ id: 9, family: 2, type: 1, protocol: 6, mark: 0, priority: 0, boundDevice: 0, state: 1 },
      ...{ source: new Uint8Array(4), sourcePort: 1, destination: new Uint8Array(4), destinationPort: 2 },
      ...{ cookie: 4711n, netnsCookie: 1n, options: new Map<string, Uint8Array>() },
    };
    expect(run({ socket }).seen.cookie).toBe(4711n);
  });

  test('a clone has the packet, the fields and the tunnel key of its moment', () => {
    const machine = Machine.create();
    machine.environment.devices.push({
      ...{ ifindex: 7, name: 'eth0', mac: new Uint8Array(6), mtu: 1500, up: true, forwarding: false },
    });
    machine.syncDevices();
    const object = machine.load(loadObject(BYTES, { name: 'network-hooks.o' }));
    object.map('settings').set(0, {
      ...{ steps: STEP.tunnel | STEP.clone, verdict: 2, ifindex: 7, redirect_flags: 1, mark: 0, tc_index: 0 },
      ...{ queue_mapping: 0, priority: 0, cb: [0, 0, 0, 0, 0], tunnel_id: 3, tunnel_remote: 1, tunnel_flags: 0 },
      tstamp: 0n,
    });
    const [event] = object.program('tc_act').run({ packet, context: { mark: 0xabc } }).events;
    if (event?.kind !== 'clone') throw new Error(`expected a clone, got ${event?.kind}`);
    expect(event).toMatchObject({ ifindex: 7, ingress: true, packet });
    expect(new DataView(event.context.buffer, event.context.byteOffset).getUint32(8, true)).toBe(0xabc);
    expect(event.tunnel?.id).toBe(3);
  });

  test('skb state is for programs on skbs', () => {
    const object = Machine.create().load(loadObject(BYTES, { name: 'network-hooks.o' }));
    expect(() => object.program('xdp_mark').run({ packet, skb: { atIngress: true } })).toThrow(/only programs on skbs/);
  });
});
