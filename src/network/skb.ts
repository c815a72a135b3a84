import type { Socket } from '../helpers/helper.js';
import { etherType, packetType } from '../machine/prepare.js';
import type { SkbTunnel } from '../machine/tunnel.js';
import { setU16, u16 } from '../packet/bytes.js';
import { ETHERNET_HEADER } from './ip.js';

/** skb->pkt_type (include/uapi/linux/if_packet.h). */
export const PacketType = { HOST: 0, BROADCAST: 1, MULTICAST: 2, OTHERHOST: 3, OUTGOING: 4 } as const;

/** A VLAN tag beside the packet (hardware acceleration). */
export interface VlanTag {
  /** EtherType of the tag: 0x8100 or 0x88a8. */
  readonly protocol: number;
  readonly tci: number;
}

/** What the kernel carries with a packet from one hook to the next. */
export interface SkbFields {
  mark: number;
  priority: number;
  /** The five words programs see; the IP stack overwrites most of them. */
  cb: number[];
  tcIndex: number;
  queueMapping: number;
  /** Time stamp in ns; with type 1 (monotonic) or 2 (TAI) a departure time. */
  tstamp: bigint;
  tstampType: number;
  packetType: number;
  /** EtherType, as eth_type_trans found it or a helper changed it. */
  protocol: number;
  hash: number;
  vlan: VlanTag | undefined;
  tunnel: SkbTunnel | undefined;
  /** skb_iif: the device it was last received on, 0 if it was made here. */
  ingressIfindex: number;
  /** XDP metadata in front of the packet. */
  metadata: Uint8Array;
  /** The socket it comes from, or that a program assigned it to. */
  socket: Socket | undefined;
}

/** Of the field in the IPv6 header. */
const NEXT_HEADER_OFFSET = 6;

const NO_BYTES = new Uint8Array();

/** A packet with its state on the way through one host. */
export class Skb implements SkbFields {
  /** Number of the packet in the journal; encapsulation keeps it. */
  readonly id: number;
  /** Whole frame from the Ethernet header on. */
  bytes: Uint8Array;
  mark = 0;
  priority = 0;
  cb = [0, 0, 0, 0, 0];
  tcIndex = 0;
  queueMapping = 0;
  tstamp = 0n;
  tstampType = 0;
  packetType: number = PacketType.HOST;
  protocol = 0;
  hash = 0;
  vlan: VlanTag | undefined;
  tunnel: SkbTunnel | undefined;
  ingressIfindex = 0;
  metadata: Uint8Array = NO_BYTES;
  socket: Socket | undefined;
  /** Devices passed so far; bounds loops. */
  passes = 0;

  constructor(id: number, bytes: Uint8Array) {
    this.id = id;
    this.bytes = bytes;
    this.protocol = etherType(bytes);
  }

  /** An independent copy, with another frame if one is given. */
  clone(bytes: Uint8Array = this.bytes): Skb {
    return Object.assign(new Skb(this.id, bytes.slice()), this.fields(), { passes: this.passes });
  }

  /** A copy of all fields. */
  fields(): SkbFields {
    const { mark, priority, tcIndex, queueMapping, tstamp, tstampType, packetType, protocol, hash } = this;
    const { vlan, tunnel, ingressIfindex, metadata, socket } = this;
    return {
      ...{ mark, priority, cb: [...this.cb], tcIndex, queueMapping, tstamp, tstampType, packetType, protocol, hash },
      ...{ vlan, tunnel, ingressIfindex, metadata, socket },
    };
  }

  /** eth_type_trans: protocol and packet type as the device sees them. */
  arriveAt(device: { name: string; mac: Uint8Array }): void {
    this.protocol = etherType(this.bytes);
    this.packetType = packetType(this.bytes, device);
  }

  /**
   * skb_scrub_packet: what does not survive tunnels, veth pairs and redirects to ingress. `crossesNamespace` also takes the
   * mark, and the time stamp unless it is a departure time (skb_clear_tstamp).
   */
  scrub(crossesNamespace: boolean): void {
    this.packetType = PacketType.HOST;
    this.ingressIfindex = 0;
    this.tunnel = undefined;
    if (!crossesNamespace) return;
    this.mark = 0;
    this.clearTstamp();
  }

  clearTstamp(): void {
    if (this.tstampType === 0) this.tstamp = 0n;
  }

  /**
   * The IP layers keep their own data over the words that programs see: struct inet_skb_parm and inet6_skb_parm cover cb[0] to
   * cb[3], with flags and, for IPv6, the offset of the next header.
   */
  enterIp(version: 4 | 6, forwarded: boolean): void {
    const words = version === 4 ? [0, 0, 0, forwarded ? 1 : 0] : [0, NEXT_HEADER_OFFSET << 16, forwarded ? 2 : 0, 0];
    this.cb = [...words, this.cb[4]!];
  }

  /** Takes a tag out of the bytes, as every receive does before taps and hooks (skb_vlan_untag). */
  untag(): void {
    if (this.vlan || (this.protocol !== 0x8100 && this.protocol !== 0x88a8) || this.bytes.length < 18) return;
    this.vlan = { protocol: this.protocol, tci: u16(this.bytes, 14) };
    const bytes = new Uint8Array(this.bytes.length - 4);
    bytes.set(this.bytes.subarray(0, 12));
    bytes.set(this.bytes.subarray(16), 12);
    this.bytes = bytes;
    this.protocol = etherType(bytes);
  }

  /** The frame as a wire or a capture shows it: the tag is part of it. */
  get wireBytes(): Uint8Array {
    if (!this.vlan) return this.bytes;
    const bytes = new Uint8Array(this.bytes.length + 4);
    bytes.set(this.bytes.subarray(0, 12));
    setU16(bytes, 12, this.vlan.protocol);
    setU16(bytes, 14, this.vlan.tci);
    bytes.set(this.bytes.subarray(12), 16);
    return bytes;
  }

  /** Writes the Ethernet header for a next hop. */
  setEthernet(destination: Uint8Array, source: Uint8Array): void {
    this.bytes = this.bytes.slice();
    this.bytes.set(destination, 0);
    this.bytes.set(source, 6);
    setU16(this.bytes, 12, this.protocol);
  }

  /** Length without the Ethernet header: what an MTU limits. */
  get networkLength(): number {
    return this.bytes.length - ETHERNET_HEADER;
  }
}
