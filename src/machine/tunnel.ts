import { Packet } from '../../assembly/abi.js';
import type { Core } from './core.js';

/** Offsets in struct bpf_tunnel_key (include/uapi/linux/bpf.h). */
const KEY = { id: 0, remote: 4, tos: 20, ttl: 21, label: 24, local: 28 };
const KEY_SIZE = 44;

/** TUNNEL_* flags as the core keeps them (network order). */
const FLAGS = { checksum: 0x0100, dontFragment: 0x0001, key: 0x0400, nocache: 0x0020 };
/** Packet.TUNNEL_PRESENT of metadata that a program set. */
const SET = 2;

/** Tunnel metadata of an skb: what a tunnel device received a packet with, or is to send it with. */
export interface TunnelMetadata {
  /** VNI. */
  id: number;
  /** The other end and the own one, 4 or 16 bytes in network order. All zero: not said. */
  remote: Uint8Array;
  local: Uint8Array;
  tos: number;
  ttl: number;
  /** IPv6 flow label. */
  label: number;
  /** The outer UDP header has a checksum. */
  checksum: boolean;
  dontFragment: boolean;
  /** Geneve options or VXLAN GBP, raw. */
  options: Uint8Array;
}

/** IPv4 addresses of the key are numbers in host order, IPv6 ones bytes in network order. */
function turned(bytes: Uint8Array): Uint8Array {
  return bytes.length === 4 ? bytes.slice().reverse() : bytes;
}

export interface SkbTunnel {
  /** 'received' with the packet, or a program's wish for the 'send' of a tunnel device. */
  readonly direction: 'received' | 'send';
  readonly metadata: TunnelMetadata;
}

/** Gives the loaded packet tunnel metadata. */
export function loadTunnel(core: Core, { direction, metadata: tunnel }: SkbTunnel): void {
  const key = new Uint8Array(KEY_SIZE);
  const view = new DataView(key.buffer);
  view.setUint32(KEY.id, tunnel.id, true);
  key.set(turned(tunnel.remote), KEY.remote);
  key.set(turned(tunnel.local), KEY.local);
  key[KEY.tos] = tunnel.tos;
  key[KEY.ttl] = tunnel.ttl;
  view.setUint32(KEY.label, tunnel.label, true);
  const flags =
    FLAGS.key |
    (tunnel.checksum ? FLAGS.checksum : 0) |
    (tunnel.dontFragment ? FLAGS.dontFragment : 0) |
    (direction === 'send' ? FLAGS.nocache : 0);
  const receive = core.exports.tunnelReceive as (
    key: number,
    isIpv6: boolean,
    flags: number,
    options: number,
    length: number,
  ) => void;
  core.withBytes(key, 0, (keyAddress) =>
    core.withBytes(tunnel.options, 1, (options) =>
      receive(keyAddress, tunnel.remote.length === 16, flags, options, tunnel.options.length),
    ),
  );
  if (direction === 'send') core.setPacket32(Packet.TUNNEL_PRESENT, SET);
}

/** The metadata that a program set, of a packet state (PACKET_STATE in assembly/memory.ts); undefined if it set none. */
export function tunnelOf(state: Uint8Array): TunnelMetadata | undefined {
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  if (view.getUint32(Packet.TUNNEL_PRESENT, true) !== SET) return undefined;
  const key = Packet.TUNNEL_KEY;
  const size = view.getUint32(Packet.TUNNEL_IPV6, true) ? 16 : 4;
  const flags = view.getUint32(Packet.TUNNEL_FLAGS, true);
  const address = (offset: number): Uint8Array => turned(state.slice(key + offset, key + offset + size));
  const options = Packet.TUNNEL_OPTIONS;
  return {
    id: view.getUint32(key + KEY.id, true),
    remote: address(KEY.remote),
    local: address(KEY.local),
    tos: state[key + KEY.tos]!,
    ttl: state[key + KEY.ttl]!,
    label: view.getUint32(key + KEY.label, true),
    checksum: (flags & FLAGS.checksum) !== 0,
    dontFragment: (flags & FLAGS.dontFragment) !== 0,
    options: state.slice(options, options + view.getUint32(Packet.TUNNEL_OPTIONS_LENGTH, true)),
  };
}
