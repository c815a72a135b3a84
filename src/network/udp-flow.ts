import type { Socket } from '../helpers/helper.js';
import { buildNetwork } from '../packet/build.js';
import { equalBytes, u16 } from '../packet/bytes.js';
import { type End, Flow, type FlowOptions, type FlowServer, type Side, sendFrom } from './flow.js';
import { type IpHeader, UDP } from './ip.js';
import type { Skb } from './skb.js';
import { translateAddress } from './sockets.js';

/** One datagram of a script. */
export interface Datagram {
  from: Side;
  payload?: Uint8Array;
}

/** Datagrams there and back. */
export class UdpFlow extends Flow<Datagram> {
  protected readonly protocol = UDP;
  protected readonly connects: boolean;
  /** Where the client thinks answers came from, after the recvmsg hooks. */
  readonly answers: End[] = [];

  /** `connected`: the client calls connect() once instead of sendmsg() for every datagram. */
  constructor(options: FlowOptions & { connected?: boolean }, datagrams: readonly Datagram[]) {
    super(options, datagrams);
    this.connects = options.connected ?? false;
    for (const server of options.servers ?? []) this.#listen(server);
  }

  #listen(server: FlowServer): void {
    const { namespace, port, address } = server;
    const socket = namespace.sockets.create(UDP, this.isIp4 ? 4 : 6);
    socket.sourcePort = port;
    if (address) socket.source = address;
    namespace.sockets.add({
      name: this.socketName('server'),
      socket,
      accepts: (skb, ip) =>
        !this.sockets.server || this.sockets.server.destinationPort === u16(skb.bytes, ip.transport),
      receive: (skb, ip) => {
        this.server = server;
        // Answers go to whoever asked last, from the address that was asked.
        this.sockets.server = {
          ...socket,
          source: ip.destination,
          destination: ip.source,
          destinationPort: u16(skb.bytes, ip.transport),
        };
        this.receive('server', skb, ip);
      },
    });
  }

  protected take(side: Side, skb: Skb, ip: IpHeader): void {
    if (side === 'client') {
      const socket = this.sockets.client!;
      const port = u16(skb.bytes, ip.transport);
      const shown = translateAddress(this.options.client, 'recvmsg', socket, ip.source, port);
      if (shown) this.answers.push(shown);
    }
    const payload = skb.bytes.subarray(ip.transport + 8, ip.end);
    const isExpected = (part: Datagram): boolean => equalBytes(part.payload ?? new Uint8Array(), payload);
    this.arrivedAt(side, isExpected, `a datagram of ${payload.length} bytes`);
  }

  protected send(datagram: Datagram, socket: Socket): void {
    let to: End = { address: socket.destination, port: socket.destinationPort };
    if (datagram.from === 'client' && !this.connects) {
      const translated = this.connect(socket, 'sendmsg');
      if (!translated) return;
      to = translated;
    }
    const namespace = this.namespace(datagram.from);
    const packet = buildNetwork({
      protocol: 'udp',
      source: { address: socket.source, port: socket.sourcePort },
      destination: { address: to.address, port: to.port },
      payload: datagram.payload,
      dontFragment: this.isIp4,
      ipId: this.isIp4 ? namespace.nextIpId() : 0,
    });
    sendFrom(namespace, socket, packet, this.socketName(datagram.from));
  }
}
