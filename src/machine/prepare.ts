import { Packet, ProgramKind } from '../../assembly/abi.js';
import type { Device, Socket } from '../helpers/helper.js';
import type { Core } from './core.js';
import { loadTunnel, type SkbTunnel } from './tunnel.js';

/** Offsets of `__sk_buff` and `xdp_md` fields that preparation writes (include/uapi/linux/bpf.h). */
const SKB = { packetType: 4, protocol: 16, ingressIfindex: 36, ifindex: 40, wireLength: 160, socket: 168 };
const XDP = { ingressIfindex: 12, rxQueue: 16 };

const ETHERNET = 14;
const ETH_P_802_3 = 0x0001;
const ETH_P_802_2 = 0x0004;
const SMALLEST_ETHERTYPE = 0x600;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;

/** Program types whose data pointer starts at the network header (kernel bpf_prog_test_run_skb: is_l2 is false). */
const L3_TYPES = new Set([
  'socket_filter',
  'cgroup_skb',
  'lwt_in',
  'lwt_out',
  'lwt_xmit',
  'lwt_seg6local',
  'flow_dissector',
]);

/** XDP under BPF_PROG_TEST_RUN: what fits between 256 bytes of headroom and the shared info of a 4096-byte page. */
export const XDP_LINEAR = 4096 - 256 - 320;

export interface PacketInput {
  /** Packet from the L2 header on; for xdp with `metaLength` bytes of metadata in front. */
  bytes: Uint8Array;
  metaLength: number;
  /** True if the caller gave a context (wire_len then defaults to the length). */
  hasContext: boolean;
  device: Device;
  /** Of the skb, or null for none; undefined: the one BPF_PROG_TEST_RUN attaches. */
  socket: Socket | null | undefined;
}

/** What an skb carries besides its context fields. */
export interface SkbInput {
  /** The hook is tc ingress: sk_assign works there alone. Default false, as under BPF_PROG_TEST_RUN. */
  atIngress?: boolean;
  /** Bytes free before the packet. Default 64. */
  headroom?: number;
  /** Tunnel metadata: received with the packet, or set by an earlier program. */
  tunnel?: SkbTunnel;
  /** What an xdp program left in front of the packet (data_meta to data). */
  metadata?: Uint8Array;
}

export function startsAtL3(programType: string): boolean {
  return L3_TYPES.has(programType);
}

/** EtherType as eth_type_trans finds it; `packet` may be shorter than an Ethernet header. */
export function etherType(packet: Uint8Array): number {
  const type = ((packet[12] ?? 0) << 8) | (packet[13] ?? 0);
  if (type >= SMALLEST_ETHERTYPE) return type;
  return packet[14] === 0xff && packet[15] === 0xff ? ETH_P_802_3 : ETH_P_802_2;
}

/** PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3 (eth_type_trans). lo has an all-zero address and broadcast address. */
export function packetType(packet: Uint8Array, device: Pick<Device, 'name' | 'mac'>): number {
  const destination = packet.subarray(0, 6);
  const broadcast = device.name === 'lo' ? 0x00 : 0xff;
  if (destination.every((byte, i) => byte === device.mac[i])) return 0;
  if ((destination[0] ?? 0) & 1) return destination.every((byte) => byte === broadcast) ? 1 : 2;
  return 3;
}

/** The socket BPF_PROG_TEST_RUN attaches to the skb. */
function testSocket(packet: Uint8Array, protocol: number): Socket {
  const isV4 = protocol === IPV4 && packet.length >= 34;
  const isV6 = protocol === IPV6 && packet.length >= 54;
  return {
    id: 0,
    family: isV4 ? 2 : isV6 ? 10 : 0,
    type: 0,
    protocol: 0,
    mark: 0,
    priority: 0,
    boundDevice: 0,
    source: isV6 ? packet.slice(22, 38) : isV4 ? packet.slice(26, 30) : new Uint8Array(4),
    sourcePort: 0,
    destination: isV6 ? packet.slice(38, 54) : isV4 ? packet.slice(30, 34) : new Uint8Array(4),
    destinationPort: 0,
    state: 7,
    cookie: 1n,
    netnsCookie: 1n,
    options: new Map(),
  };
}

/**
 * Lays out a packet and the derived context fields as BPF_PROG_TEST_RUN does (protocol, packet type, offsets). The
 * context slot already holds what the caller set; fields it set itself are kept where `isSet` says so.
 */
export function preparePacket(
  core: Core,
  kind: ProgramKind,
  programType: string,
  input: PacketInput,
  isSet: (offset: number) => boolean,
  exposeSocket: (socket: Socket) => bigint,
): void {
  const context = core.layout.CONTEXTS;
  const set32 = (offset: number, value: number): void => {
    if (!isSet(offset)) core.setU32(context + offset, value);
  };
  if (kind === ProgramKind.XDP) {
    const load = core.exports.packetLoadXdp as (address: number, length: number, meta: number, linear: number) => void;
    set32(XDP.ingressIfindex, input.device.ifindex);
    set32(XDP.rxQueue, 0);
    core.withBytes(input.bytes, 0, (address) => load(address, input.bytes.length, input.metaLength, XDP_LINEAR));
    return;
  }
  const load = core.exports.packetLoadSkb as (address: number, length: number, l2: number, l3Start: boolean) => void;
  const l2 = Math.min(ETHERNET, input.bytes.length);
  const type = etherType(input.bytes);
  core.withBytes(input.bytes, 0, (address) => load(address, input.bytes.length, l2, startsAtL3(programType)));
  set32(SKB.protocol, ((type & 0xff) << 8) | (type >> 8));
  set32(SKB.packetType, packetType(input.bytes, input.device));
  set32(SKB.ifindex, input.device.ifindex);
  if (input.hasContext) set32(SKB.wireLength, core.packet32(Packet.LENGTH));
  const socket = input.socket === undefined ? testSocket(input.bytes, type) : input.socket;
  core.setU64(context + SKB.socket, socket ? exposeSocket(socket) : 0n);
}

/** Gives a loaded skb what BPF_PROG_TEST_RUN cannot: see {@link SkbInput}. */
export function prepareSkb(core: Core, input: SkbInput): void {
  if (input.atIngress) core.setPacket32(Packet.AT_INGRESS, 1);
  if (input.headroom !== undefined) core.setPacket32(Packet.HEADROOM, input.headroom);
  if (input.tunnel) loadTunnel(core, input.tunnel);
  const set = core.exports.packetSetMetadata as (address: number, length: number) => void;
  const { metadata } = input;
  if (metadata?.length) core.withBytes(metadata, 0, (address) => set(address, metadata.length));
}
