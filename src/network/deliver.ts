import { formatAddress } from '../packet/addresses.js';
import { buildNetwork } from '../packet/build.js';
import { u16, u32 } from '../packet/bytes.js';
import type { Device } from './device.js';
import { answeredEcho, sendIcmpError } from './icmp.js';
import { frameOf, ICMP, ICMP6, type IpHeader, readIp, TCP, UDP } from './ip.js';
import { ADVERTISEMENT, ndiscInput, SOLICITATION } from './neighbours.js';
import type { Skb } from './skb.js';

const SCTP = 132;
const RST = 4;
const ACK = 16;
const FIN_SYN = 3;

/** Local delivery: fragments are put together, then tunnel, socket or the stack's own answer (ip_local_deliver). */
export function deliver(device: Device, skb: Skb, ip: IpHeader): void {
  const { namespace } = device;
  if (ip.fragment.more || ip.fragment.offset > 0) {
    const whole = ip.version === 4 ? namespace.reassembly.add(skb, ip) : undefined;
    if (ip.version === 6) {
      namespace.drop(skb, 'unknown protocol', 'IPv6 fragments are not put together here', device);
      return;
    }
    if (!whole) {
      namespace.record(skb, { kind: 'consume', by: 'reassembly' }, device);
      return;
    }
    skb.bytes = whole;
    deliver(device, skb, readIp(whole)!);
    return;
  }
  switch (ip.protocol) {
    case ICMP:
    case ICMP6:
      icmpInput(device, skb, ip);
      return;
    case UDP:
    case TCP:
    case SCTP:
      transportInput(device, skb, ip);
      return;
    default:
      namespace.drop(skb, 'protocol unreachable', `nobody takes IP protocol ${ip.protocol}`, device);
      sendIcmpError(device, skb, ip, 'protocol unreachable');
  }
}

function icmpInput(device: Device, skb: Skb, ip: IpHeader): void {
  const { namespace } = device;
  const type = skb.bytes[ip.transport];
  if (ip.protocol === ICMP6 && (type === SOLICITATION || type === ADVERTISEMENT)) {
    ndiscInput(device, skb, ip);
    return;
  }
  if (answeredEcho(device, skb, ip)) return;
  const receiver = namespace.sockets.findIcmp(skb.bytes, ip);
  if (receiver) {
    namespace.record(skb, { kind: 'deliver', to: receiver.name }, device);
    receiver.receive(skb, ip);
    return;
  }
  namespace.drop(skb, 'no receiver', `no socket waits for this ICMP message (type ${type})`, device);
}

function transportInput(device: Device, skb: Skb, ip: IpHeader): void {
  const { namespace } = device;
  const { bytes } = skb;
  const at = ip.transport;
  if (ip.end < at + (ip.protocol === TCP ? 20 : 8)) {
    namespace.drop(skb, 'bad packet', 'the transport header is cut', device);
    return;
  }
  const ports = { source: u16(bytes, at), destination: u16(bytes, at + 2) };
  const tunnel = ip.protocol === UDP ? namespace.tunnels.get(ports.destination) : undefined;
  if (tunnel) {
    tunnel.receive(skb, ip);
    return;
  }
  const receiver = namespace.sockets.find(skb, ip, ports);
  if (receiver) {
    namespace.record(skb, { kind: 'deliver', to: receiver.name }, device);
    receiver.receive(skb, ip);
    return;
  }
  const to = `${formatAddress(ip.destination)} port ${ports.destination}`;
  namespace.drop(
    skb,
    'port unreachable',
    `no socket for ${to} from ${formatAddress(ip.source)} port ${ports.source}`,
    device,
  );
  if (ip.protocol === TCP) sendReset(device, skb, ip, ports);
  else sendIcmpError(device, skb, ip, 'port unreachable');
}

/** TCP without a socket is answered with a reset (tcp_v4_send_reset; RFC 9293 section 3.10.7.1). */
function sendReset(device: Device, skb: Skb, ip: IpHeader, ports: { source: number; destination: number }): void {
  const { namespace } = device;
  const { bytes } = skb;
  const at = ip.transport;
  const flags = bytes[at + 13]!;
  if (flags & RST) return;
  const length = ip.end - at - (bytes[at + 12]! >> 4) * 4 + ((flags & FIN_SYN) !== 0 ? 1 : 0);
  const hasAck = (flags & ACK) !== 0;
  const packet = buildNetwork({
    protocol: 'tcp',
    source: { address: ip.destination, port: ports.destination },
    destination: { address: ip.source, port: ports.source },
    flags: hasAck ? RST : RST | ACK,
    seq: hasAck ? u32(bytes, at + 8) : 0,
    ack: hasAck ? 0 : (u32(bytes, at + 4) + length) >>> 0,
    window: 0,
    dontFragment: true,
  });
  namespace.output(namespace.newSkb(frameOf(packet), 'tcp reset', skb.id));
}
