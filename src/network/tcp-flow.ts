import { UsageError } from '../errors.js';
import type { Socket } from '../helpers/helper.js';
import { buildNetwork } from '../packet/build.js';
import { equalBytes, u16, u32 } from '../packet/bytes.js';
import { Flow, type FlowOptions, type FlowServer, type Side, sendFrom } from './flow.js';
import { type IpHeader, TCP } from './ip.js';
import type { Skb } from './skb.js';
import { SocketState } from './sockets.js';

export const TCP_FLAGS = { F: 1, S: 2, R: 4, P: 8, '.': 16, U: 32, E: 64, W: 128 } as const;

/** One segment of a script. */
export interface TcpSegment {
  from: Side;
  /** As tcpdump writes them: `S`, `S.`, `.`, `P.`, `F.`. */
  flags: string;
  /** Default: what follows from the segments before; 0 for the first of a side. */
  seq?: number;
  ack?: number;
  window?: number;
  options?: Uint8Array;
  payload?: Uint8Array;
  /** IPv4 identification. Default: counted per side. */
  ipId?: number;
  ttl?: number;
  tos?: number;
}

interface PlannedSegment extends TcpSegment {
  readonly bits: number;
  readonly seq: number;
  readonly ack: number;
  readonly ipId: number;
}

function flagBits(text: string): number {
  let bits = 0;
  for (const letter of text) {
    const bit = TCP_FLAGS[letter as keyof typeof TCP_FLAGS];
    if (bit === undefined)
      throw new UsageError(`TCP flags '${text}': ${letter} is none of ${Object.keys(TCP_FLAGS).join(' ')}`);
    bits |= bit;
  }
  return bits;
}

/** Fills in the numbers that follow from the segments before. */
function plan(segments: readonly TcpSegment[]): PlannedSegment[] {
  const next: Record<Side, number> = { client: 0, server: 0 };
  const ids: Record<Side, number> = { client: 1, server: 1 };
  return segments.map((segment) => {
    const bits = flagBits(segment.flags);
    const other: Side = segment.from === 'client' ? 'server' : 'client';
    const seq = segment.seq ?? next[segment.from];
    const occupied = (segment.payload?.length ?? 0) + (bits & TCP_FLAGS.S ? 1 : 0) + (bits & TCP_FLAGS.F ? 1 : 0);
    next[segment.from] = (seq + occupied) >>> 0;
    const isFirst = (bits & TCP_FLAGS.S) !== 0 && !(bits & TCP_FLAGS['.']);
    const ipId = segment.ipId ?? (isFirst ? 0 : ids[segment.from]++);
    return { ...segment, bits, seq, ack: segment.ack ?? (bits & TCP_FLAGS['.'] ? next[other] : 0), ipId };
  });
}

/** A TCP connection that plays a script of segments; nothing is retransmitted, so a lost segment ends it. */
export class TcpFlow extends Flow<PlannedSegment> {
  protected readonly protocol = TCP;
  protected readonly connects = true;

  constructor(options: FlowOptions, segments: readonly TcpSegment[]) {
    super(options, plan(segments));
    for (const server of options.servers ?? []) this.#listen(server);
  }

  #listen(server: FlowServer): void {
    const { namespace, port, address } = server;
    const listener = namespace.sockets.create(TCP, this.isIp4 ? 4 : 6);
    Object.assign(listener, { sourcePort: port, state: SocketState.LISTEN });
    if (address) listener.source = address;
    namespace.sockets.add({
      name: this.socketName('server'),
      socket: listener,
      accepts: (skb, ip) => !this.sockets.server && u32(skb.bytes, ip.transport + 4) === this.parts[0]?.seq,
      receive: (skb, ip) => this.#accept(server, skb, ip),
    });
  }

  #accept(server: FlowServer, skb: Skb, ip: IpHeader): void {
    this.server = server;
    const { namespace } = server;
    const socket = namespace.sockets.create(TCP, ip.version);
    Object.assign(socket, {
      source: ip.destination,
      sourcePort: u16(skb.bytes, ip.transport + 2),
      destination: ip.source,
      destinationPort: u16(skb.bytes, ip.transport),
      state: SocketState.ESTABLISHED,
    });
    this.sockets.server = socket;
    namespace.sockets.add({
      name: this.socketName('server'),
      socket,
      receive: (later, header) => this.receive('server', later, header),
    });
    this.receive('server', skb, ip);
  }

  protected take(side: Side, skb: Skb, ip: IpHeader): void {
    const at = ip.transport;
    const { bytes } = skb;
    const payload = bytes.subarray(at + (bytes[at + 12]! >> 4) * 4, ip.end);
    const [seq, bits] = [u32(bytes, at + 4), bytes[at + 13]!];
    const isExpected = (part: PlannedSegment): boolean =>
      part.seq === seq && part.bits === bits && equalBytes(part.payload ?? new Uint8Array(), payload);
    this.arrivedAt(side, isExpected, bits & TCP_FLAGS.R ? 'a reset' : `a segment with seq ${seq}`);
  }

  protected send(segment: PlannedSegment, socket: Socket): void {
    const namespace = this.namespace(segment.from);
    const packet = buildNetwork({
      protocol: 'tcp',
      source: { address: socket.source, port: socket.sourcePort },
      destination: { address: socket.destination, port: socket.destinationPort },
      flags: segment.bits,
      seq: segment.seq,
      ack: segment.ack,
      window: segment.window,
      tcpOptions: segment.options,
      payload: segment.payload,
      ttl: segment.ttl,
      dscp: (segment.tos ?? 0) >> 2,
      ecn: (segment.tos ?? 0) & 3,
      dontFragment: this.isIp4,
      ipId: this.isIp4 ? segment.ipId : 0,
    });
    sendFrom(namespace, socket, packet, this.socketName(segment.from));
  }
}
