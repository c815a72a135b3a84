import { readFileSync } from 'node:fs';
import { type LoadedObject, Machine, type Outcome } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';

/** bpf-objects/packet-script.o: up to 16 helper calls per run, results in a map. */
export const PACKET_SCRIPT = readFileSync(new URL('../../bpf-objects/packet-script.o', import.meta.url));
export const OPERATIONS = 16;
const OPERATION_SIZE = 40;
const RESULT_SIZE = 96;
export const SCRIPT_KEY = new Uint8Array(4);

/** One call; the numbers of `kind` are those of packet-script.c. */
export interface Operation {
  kind: number;
  a?: number;
  b?: number;
  size?: number;
  from?: number;
  to?: number;
  flags?: bigint;
}

export function encodeScript(operations: readonly Operation[]): Uint8Array {
  const bytes = new Uint8Array(OPERATIONS * OPERATION_SIZE);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < OPERATIONS; i++) {
    const one = operations[i] ?? { kind: 99 };
    const at = i * OPERATION_SIZE;
    view.setUint32(at, one.kind, true);
    view.setInt32(at + 4, one.a ?? 0, true);
    view.setUint32(at + 8, one.b ?? 0, true);
    view.setUint32(at + 12, one.size ?? 0, true);
    view.setBigUint64(at + 16, BigInt(one.from ?? 0), true);
    view.setBigUint64(at + 24, BigInt(one.to ?? 0), true);
    view.setBigUint64(at + 32, BigInt.asUintN(64, one.flags ?? 0n), true);
  }
  return bytes;
}

const FIELDS = [
  'len',
  'protocol',
  'pkt_type',
  'vlan_present',
  'vlan_tci',
  'vlan_proto',
  'hash',
  'gso_size',
  'gso_segs',
] as const;

/** What a call returned, the context fields after it, and the helper's buffer. */
export type CallResult = { code: number; buffer: string } & Record<(typeof FIELDS)[number], number>;

export function decodeResults(bytes: Uint8Array, count: number): CallResult[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => {
    const at = i * RESULT_SIZE;
    const fields = Object.fromEntries(FIELDS.map((name, n) => [name, view.getUint32(at + 8 + n * 4, true)])) as Record<
      (typeof FIELDS)[number],
      number
    >;
    return {
      code: Number(view.getBigInt64(at, true)),
      ...fields,
      buffer: Buffer.from(bytes.subarray(at + 44, at + 92)).toString('hex'),
    };
  });
}

export function emptyResults(): Uint8Array {
  return new Uint8Array(OPERATIONS * RESULT_SIZE);
}

export function loadPacketScript(): LoadedObject {
  return Machine.create().load(loadObject(PACKET_SCRIPT, { name: 'packet-script.o' }));
}

/** Runs calls on a packet in a fresh machine. */
export function runScript(
  program: 'tc_script' | 'xdp_script',
  packet: Uint8Array,
  operations: readonly Operation[],
): { outcome: Outcome; results: CallResult[]; packet: Uint8Array } {
  const object = loadPacketScript();
  object.map('script').setBytes(SCRIPT_KEY, encodeScript(operations));
  const outcome = object.program(program).run({ packet });
  if (outcome.fault) throw new Error(outcome.fault.kind);
  return {
    outcome,
    results: decodeResults(object.map('results').getBytes(SCRIPT_KEY)!, operations.length),
    packet: outcome.packet!,
  };
}
