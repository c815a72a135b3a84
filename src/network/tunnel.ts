import type { TunnelMetadata } from '../machine/tunnel.js';
import { formatAddress } from '../packet/addresses.js';
import { buildNetwork, GENEVE_PORT, VXLAN_PORT } from '../packet/build.js';
import { concat, setU16, setU32, u16, u32 } from '../packet/bytes.js';
import { crc32c } from '../packet/checksum.js';
import type { Device, Driver } from './device.js';
import { frameOf, type IpHeader, isUnspecified, readIp } from './ip.js';
import { sendRouted } from './output.js';
import type { Skb } from './skb.js';

export type TunnelProtocol = 'vxlan' | 'geneve';

const UDP_HEADER = 8;
const TUNNEL_HEADER = 8;
const VXLAN_VNI_VALID = 0x08;
const ETHERNET_BRIDGING = 0x6558;
/** net.ipv4.ip_local_port_range. */
const PORTS = { min: 32768, max: 60999 };
/** ip4_dst_hoplimit: what a key without TTL gets. */
const DEFAULT_TTL = 64;
const CE = 3;
const ECT0 = 2;

const DEFAULT_PORTS: Readonly<Record<TunnelProtocol, number>> = { vxlan: VXLAN_PORT, geneve: GENEVE_PORT };

/** The header in front of the inner frame (RFC 7348 section 5, RFC 8926 section 3.4). */
function tunnelHeader(protocol: TunnelProtocol, { id, options }: TunnelMetadata): Uint8Array {
  const header = new Uint8Array(TUNNEL_HEADER);
  setU32(header, 4, (id << 8) >>> 0);
  if (protocol === 'vxlan') {
    header[0] = VXLAN_VNI_VALID;
    return header;
  }
  header[0] = options.length / 4;
  setU16(header, 2, ETHERNET_BRIDGING);
  return concat(header, options);
}

/** VNI, options and inner frame of a UDP payload; undefined if it is no such tunnel packet. */
function readTunnel(
  protocol: TunnelProtocol,
  payload: Uint8Array,
): { id: number; options: Uint8Array; inner: Uint8Array } | undefined {
  if (payload.length < TUNNEL_HEADER) return undefined;
  const id = u32(payload, 4) >>> 8;
  if (protocol === 'vxlan') {
    if (!(payload[0]! & VXLAN_VNI_VALID)) return undefined;
    return { id, options: new Uint8Array(), inner: payload.slice(TUNNEL_HEADER) };
  }
  const end = TUNNEL_HEADER + (payload[0]! & 0x3f) * 4;
  if (payload[0]! >> 6 !== 0 || u16(payload, 2) !== ETHERNET_BRIDGING || end > payload.length) return undefined;
  return { id, options: payload.slice(TUNNEL_HEADER, end), inner: payload.slice(end) };
}

/** Hash of the inner flow; the kernel's is keyed by a secret, so only that one flow keeps one port can be compared. */
function flowHash(skb: Skb): number {
  if (skb.hash) return skb.hash;
  const ip = readIp(skb.bytes);
  if (!ip) return crc32c(skb.bytes, 0, 14);
  const ports = ip.fragment.offset === 0 ? skb.bytes.subarray(ip.transport, ip.transport + 4) : new Uint8Array();
  return crc32c(concat(ip.source, ip.destination, Uint8Array.of(ip.protocol), ports));
}

/** The source port that tells the flow to the underlay (udp_flow_src_port). */
function sourcePort(skb: Skb): number {
  const hash = flowHash(skb);
  const mixed = (hash ^ (hash << 16)) >>> 0;
  return Math.floor((mixed * (PORTS.max - PORTS.min)) / 0x100000000) + PORTS.min;
}

/** INET_ECN_encapsulate: congestion marks of the inner packet show outside, "experienced" as capable. */
function outerTos(tos: number, inner: IpHeader | undefined): number {
  const ecn = (inner?.tos ?? 0) & 3;
  return (tos & ~3) | (ecn === CE ? ECT0 : ecn);
}

/** A tunnel device in external mode: the packet's metadata says where it goes, or where it came from. */
export class TunnelDriver implements Driver {
  readonly port: number;
  readonly #device: Device;
  readonly #protocol: TunnelProtocol;

  constructor(device: Device, protocol: TunnelProtocol, port: number = DEFAULT_PORTS[protocol]) {
    this.#device = device;
    this.#protocol = protocol;
    this.port = port;
  }

  /** Encapsulates and sends through the IP stack (vxlan_xmit_one, udp_tunnel_xmit_skb). */
  transmit(skb: Skb): void {
    const device = this.#device;
    const { namespace } = device;
    if (skb.tunnel?.direction !== 'send') {
      namespace.drop(skb, 'no tunnel key', `no program set a tunnel key before ${device.name}`, device);
      return;
    }
    const key = skb.tunnel.metadata;
    const remote = formatAddress(key.remote);
    const given = isUnspecified(key.local) ? undefined : key.local;
    const decision = namespace.route(skb, { destination: key.remote, source: given, mark: skb.mark }, 'tunnel', device);
    const out = decision?.route?.device;
    if (out === device.name) {
      namespace.drop(
        skb,
        'forwarding loop',
        `the route to the tunnel endpoint ${remote} leads into ${out} itself`,
        device,
      );
      return;
    }
    const source = given ?? namespace.sourceFor(key.remote, undefined, skb.mark);
    if (!decision || !source) {
      namespace.drop(skb, 'no route', `no route to the tunnel endpoint ${remote}`, device);
      return;
    }
    const tos = outerTos(key.tos, readIp(skb.bytes));
    const packet = buildNetwork({
      protocol: 'udp',
      source: { address: source, port: sourcePort(skb) },
      destination: { address: key.remote, port: this.port },
      payload: concat(tunnelHeader(this.#protocol, key), skb.wireBytes),
      udpSum: key.checksum,
      ttl: key.ttl || DEFAULT_TTL,
      dscp: tos >> 2,
      ecn: tos & 3,
      dontFragment: key.remote.length === 4 && key.dontFragment,
      ipId: key.remote.length === 4 ? namespace.nextIpId() : 0,
      flow: key.label,
    });
    skb.bytes = frameOf(packet);
    skb.vlan = undefined;
    skb.scrub(false);
    skb.protocol = u16(skb.bytes, 12);
    namespace.record(skb, { kind: 'encapsulate', tunnel: { ...key, local: source }, protocol: this.#protocol }, device);
    sendRouted(namespace, skb, readIp(skb.bytes)!, decision);
  }

  /** Decapsulates what came to the tunnel's port (vxlan_rcv, geneve_udp_encap_recv). */
  receive(skb: Skb, ip: IpHeader): void {
    const device = this.#device;
    const { namespace } = device;
    const end = Math.min(ip.end, ip.transport + u16(skb.bytes, ip.transport + 4));
    const found = readTunnel(this.#protocol, skb.bytes.subarray(ip.transport + UDP_HEADER, end));
    if (!found || found.inner.length < 14) {
      namespace.drop(skb, 'bad packet', `no ${this.#protocol} packet on UDP port ${this.port}`, device);
      return;
    }
    const metadata: TunnelMetadata = {
      id: found.id,
      remote: ip.source,
      local: ip.destination,
      tos: ip.tos,
      ttl: ip.ttl,
      label: 0,
      checksum: u16(skb.bytes, ip.transport + 6) !== 0,
      dontFragment: false,
      options: found.options,
    };
    skb.bytes = found.inner;
    skb.vlan = undefined;
    skb.queueMapping = 0;
    skb.hash = 0;
    skb.scrub(false);
    skb.arriveAt(device);
    skb.tunnel = { direction: 'received', metadata };
    namespace.record(skb, { kind: 'decapsulate', tunnel: metadata, protocol: this.#protocol }, device);
    namespace.network.backlog(device, skb);
  }
}
