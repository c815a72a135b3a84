import { readFileSync } from 'node:fs';
import { decodeValue, encodeValue } from '../../src/btf/value.js';
import type { SkbFields } from '../../src/network/skb.js';
import { loadObject } from '../../src/object/load.js';
import { u32 } from '../../src/packet/bytes.js';

/** The object that gives an skb in the kernel what BPF_PROG_TEST_RUN cannot. */
export const HOOK_RUN = readFileSync(new URL('../../bpf-objects/hook-run.o', import.meta.url));
const SPEC = loadObject(HOOK_RUN, { name: 'hook-run.o' });

/** Fields of `struct skb_state` in hook-run.c. */
export type SkbState = Readonly<Record<string, number>>;

/** State of an skb of the walk. Throws Error for tunnels over IPv6, which hook-run.c does not know. */
export function skbState(skb: SkbFields): SkbState {
  return {
    pkt_type: skb.packetType,
    tc_index: skb.tcIndex,
    queue_mapping: skb.queueMapping,
    protocol: skb.protocol,
    vlan_present: skb.vlan ? 1 : 0,
    vlan_proto: skb.vlan?.protocol ?? 0,
    vlan_tci: skb.vlan?.tci ?? 0,
    ...tunnelState(skb.tunnel),
  };
}

function tunnelState(tunnel: SkbFields['tunnel']): SkbState {
  const none = { tunnel: 0, tunnel_id: 0, tunnel_source: 0, tunnel_destination: 0, tunnel_tos: 0, tunnel_ttl: 0 };
  if (!tunnel) return none;
  const { direction, metadata } = tunnel;
  if (metadata.remote.length !== 4) throw new Error('a tunnel over IPv6 cannot be given to a run in the kernel');
  const [source, destination] =
    direction === 'received' ? [metadata.remote, metadata.local] : [metadata.local, metadata.remote];
  return {
    tunnel: 1,
    tunnel_id: metadata.id,
    tunnel_source: u32(source, 0),
    tunnel_destination: u32(destination, 0),
    tunnel_tos: metadata.tos,
    tunnel_ttl: metadata.ttl,
  };
}

const valueType = (map: string): number => SPEC.maps.find(({ name }) => name === map)!.valueTypeId!;

/** `struct run`: the program's slot, and the state it shall meet. */
export function encodeRun(slot: number, skb: SkbState): Uint8Array {
  return encodeValue(SPEC.btf!, valueType('hook_run_before'), { slot, skb });
}

/** The state that a run left. */
export function decodeState(bytes: Uint8Array): SkbState {
  return decodeValue(SPEC.btf!, valueType('hook_run_after'), bytes) as SkbState;
}
