import type { Socket } from '../helpers/helper.js';
import type { Fault } from './fault.js';
import type { TunnelMetadata } from './tunnel.js';

/** Where a redirect helper sent the packet. */
export interface Redirect {
  kind: 'redirect' | 'redirect_peer' | 'redirect_neigh' | 'redirect_map';
  /** Target device; for redirect_map the slot of the map. */
  ifindex: number;
  flags: bigint;
  /** Map of redirect_map. */
  map?: string;
  /** struct bpf_redir_neigh as passed (family, next hop), if any. */
  neighbour?: Uint8Array;
}

/** Something a run emitted, in order. */
export type RunEvent =
  | { kind: 'perf'; map: string; cpu: number; data: Uint8Array; packet: Uint8Array }
  | { kind: 'ringbuf'; map: string; data: Uint8Array }
  | {
      kind: 'clone';
      ifindex: number;
      ingress: boolean;
      packet: Uint8Array;
      /** Backing bytes of the skb's context fields at that moment. */
      context: Uint8Array;
      /** Tunnel key set by then. */
      tunnel: TunnelMetadata | undefined;
    }
  | { kind: 'print'; text: string };

/** One changed map element; undefined = absent. */
export interface MapChange {
  key: Uint8Array;
  before: Uint8Array | undefined;
  after: Uint8Array | undefined;
}

/** One use of a map element by a helper. */
export interface MapAccess {
  map: string;
  operation: 'lookup' | 'update' | 'delete' | 'tail call';
  key: Uint8Array;
  /** What was found or written: of a per-CPU map that of the CPU, of a tail call the program's descriptor. */
  value: Uint8Array | undefined;
  /** 0, or the negative errno the helper returned; a look-up or tail call that found nothing has ENOENT. */
  error: number;
}

/** Everything a run leaves behind. */
export interface Outcome {
  program: string;
  engine: 'interpreter';
  /** r0 at exit, 64 bits unsigned. */
  r0: bigint;
  /** Low 32 bits of r0, unsigned, as BPF_PROG_TEST_RUN reports it. */
  retval: number;
  /** Name of the verdict in the program type's terms ('TC_ACT_OK', 'XDP_DROP' ...), or the number. */
  verdict: string;
  /** Packet after the run: from the metadata (xdp) or the L2 header on; undefined for programs without packet. */
  packet: Uint8Array | undefined;
  /** Context after the run: backing bytes of the fields. */
  context: Uint8Array;
  /** Executed instructions. */
  instructions: bigint;
  /** Programs entered by tail calls, in order. */
  tailCalls: string[];
  redirect: Redirect | undefined;
  /** Tunnel key and options that the program set on the skb. */
  tunnel: TunnelMetadata | undefined;
  /** Socket that sk_assign gave the packet to. */
  assignedSocket: Socket | undefined;
  events: RunEvent[];
  /** Changed elements by map name; only filled with `recordMaps`. */
  maps: Map<string, MapChange[]>;
  /** Elements that were looked up, written or deleted, in order; only filled with `recordAccesses`. */
  accesses: MapAccess[];
  fault: Fault | undefined;
}

const TC = [
  'TC_ACT_OK',
  'TC_ACT_RECLASSIFY',
  'TC_ACT_SHOT',
  'TC_ACT_PIPE',
  'TC_ACT_STOLEN',
  'TC_ACT_QUEUED',
  'TC_ACT_REPEAT',
  'TC_ACT_REDIRECT',
  'TC_ACT_TRAP',
];
const XDP = ['XDP_ABORTED', 'XDP_DROP', 'XDP_PASS', 'XDP_TX', 'XDP_REDIRECT'];
const LWT: Record<number, string> = { 0: 'BPF_OK', 2: 'BPF_DROP', 7: 'BPF_REDIRECT', 128: 'BPF_LWT_REROUTE' };

/** Name of a return value in the terms of the program type (include/uapi/linux/bpf.h, pkt_cls.h). */
export function verdictName(programType: string, retval: number): string {
  switch (programType) {
    case 'sched_cls':
    case 'sched_act':
      return retval === 0xffffffff ? 'TC_ACT_UNSPEC' : (TC[retval] ?? String(retval | 0));
    case 'xdp':
      return XDP[retval] ?? String(retval);
    case 'lwt_in':
    case 'lwt_out':
    case 'lwt_xmit':
      return LWT[retval] ?? String(retval);
    case 'cgroup_skb':
    case 'cgroup_sock':
    case 'cgroup_sock_addr':
    case 'cgroup_sysctl':
    case 'cgroup_device':
      return retval === 1 ? 'ALLOW' : retval === 0 ? 'REJECT' : String(retval);
    case 'sk_skb':
    case 'sk_msg':
    case 'sk_lookup':
      return retval === 1 ? 'SK_PASS' : retval === 0 ? 'SK_DROP' : String(retval);
    default:
      return String(retval);
  }
}
