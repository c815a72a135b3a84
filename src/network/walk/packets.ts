import { parseAddress } from '../../packet/addresses.js';
import { buildNetwork } from '../../packet/build.js';
import { readFlags, tcpOptions } from '../../packet/grammar.js';
import type { Statement } from '../../packet/statement.js';
import type { ScenarioFlow } from '../scenario/schema.js';
import type { TcpSegment } from '../tcp-flow.js';

export type ScenarioPacket = NonNullable<ScenarioFlow['packets']>[number];

const REQUEST = 'request';
const ANSWER = 'answer';

/** The protocols' shortest whole exchanges, for flows that list no packets. */
export const SHORTEST: Readonly<Record<'tcp' | 'udp' | 'sctp', readonly ScenarioPacket[]>> = {
  tcp: [
    { from: 'client', flags: 'S', options: 'mss:1410,sackOK,TS:1:0,nop,wscale:7' },
    { from: 'server', flags: 'S.', options: 'mss:1410,sackOK,TS:1:0,nop,wscale:7' },
    { from: 'client', flags: '.' },
    { from: 'client', flags: 'P.', payload: REQUEST },
    { from: 'server', flags: '.' },
    { from: 'server', flags: 'P.', payload: ANSWER },
    { from: 'client', flags: '.' },
    { from: 'client', flags: 'F.' },
    { from: 'server', flags: 'F.' },
    { from: 'client', flags: '.' },
  ],
  udp: [
    { from: 'client', payload: REQUEST },
    { from: 'server', payload: ANSWER },
  ],
  sctp: [{ from: 'client' }],
};

/** What the sender puts behind the transport header. */
export function payloadOf(packet: ScenarioPacket): Uint8Array | undefined {
  if (packet.payload !== undefined) return new TextEncoder().encode(packet.payload);
  if (packet.payloadHex !== undefined)
    return Uint8Array.from(packet.payloadHex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return packet.length === undefined ? undefined : new Uint8Array(packet.length).fill(0x61);
}

/** A packet of a TCP flow as the flow player takes it. */
export function segmentOf(packet: ScenarioPacket): TcpSegment {
  return {
    from: packet.from,
    flags: packet.flags ?? '.',
    seq: packet.seq,
    ack: packet.ack,
    window: packet.window,
    options: packet.options === undefined ? undefined : tcpOptions(packet.options),
    payload: payloadOf(packet),
    ttl: packet.ttl,
  };
}

/** True for packets that no socket sends: fragments, tagged frames, packets that may be fragmented. */
export function isRaw(packet: ScenarioPacket): boolean {
  return packet.fragment !== undefined || packet.vlan !== undefined || packet.dontFragment === false;
}

/** The IP packet of a raw packet. */
export function rawPacket(
  packet: ScenarioPacket,
  protocol: ScenarioFlow['protocol'],
  ends: { source: string; sourcePort: number; destination: string; port: number },
): Uint8Array {
  const source = parseAddress(ends.source);
  const isIp4 = source.length === 4;
  const isFirst = !packet.fragment?.offset;
  const statement: Statement = {
    protocol: !isFirst ? 'ip' : protocol === 'icmp' && !isIp4 ? 'icmp6' : protocol,
    source: { address: source, ...(protocol === 'icmp' || !isFirst ? {} : { port: ends.sourcePort }) },
    destination: {
      address: parseAddress(ends.destination),
      ...(protocol === 'icmp' || !isFirst ? {} : { port: ends.port }),
    },
    ttl: packet.ttl,
    dontFragment: isIp4 && (packet.dontFragment ?? !packet.fragment),
    fragment: packet.fragment,
    ipId: isIp4 ? 1 : undefined,
    payload: payloadOf(packet),
    ...(isFirst ? {} : { ipProtocol: { tcp: 6, udp: 17, icmp: isIp4 ? 1 : 58, sctp: 132 }[protocol] }),
  };
  if (protocol === 'tcp' && isFirst) {
    statement.flags = packet.flags === undefined ? undefined : readFlags(packet.flags);
    statement.seq = packet.seq;
    statement.ack = packet.ack;
    statement.window = packet.window;
    if (packet.options !== undefined) statement.tcpOptions = tcpOptions(packet.options);
  }
  if (protocol === 'icmp') statement.icmpType = packet.icmpType;
  return buildNetwork(statement);
}
