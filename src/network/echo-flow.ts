import type { Socket } from '../helpers/helper.js';
import { buildNetwork } from '../packet/build.js';
import { type FlowResult, sendFrom } from './flow.js';
import { ICMP, ICMP6, type IpHeader } from './ip.js';
import type { Namespace } from './namespace.js';
import type { Skb } from './skb.js';

export interface EchoOptions {
  client: Namespace;
  clientAddress?: Uint8Array;
  destination: Uint8Array;
  /** Default 1. */
  identifier?: number;
  count?: number;
  /** Bytes behind the ICMP header. Default 56, as ping sends. */
  size?: number;
  ttl?: number;
  /** Default true: ping forbids fragmentation. */
  dontFragment?: boolean;
}

/** ICMP echo requests, each sent after the answer to the one before. */
export class EchoFlow {
  readonly #options: EchoOptions;
  #sent = 0;
  #answered = 0;
  #error: string | undefined;

  constructor(options: EchoOptions) {
    this.#options = options;
  }

  get result(): FlowResult {
    const completed = this.#answered === (this.#options.count ?? 1);
    return { completed, sent: this.#sent, arrived: this.#answered, error: this.#error };
  }

  start(): this {
    const { client, destination, identifier = 1 } = this.#options;
    const isIp4 = destination.length === 4;
    const socket = client.sockets.create(isIp4 ? ICMP : ICMP6, isIp4 ? 4 : 6);
    const source = this.#options.clientAddress ?? client.sourceFor(destination);
    if (!source) {
      this.#error = `${client.path} has no route to the destination`;
      return this;
    }
    socket.source = source;
    socket.sourcePort = identifier;
    client.sockets.add({ name: 'ping', socket, receive: (skb, ip) => this.#receive(socket, skb, ip) });
    client.network.schedule(0n, () => this.#send(socket));
    return this;
  }

  #receive(socket: Socket, skb: Skb, ip: IpHeader): void {
    const type = skb.bytes[ip.transport]!;
    if (type !== (ip.version === 4 ? 0 : 129)) {
      this.#error ??= `an ICMP error came back (type ${type}, code ${skb.bytes[ip.transport + 1]})`;
      return;
    }
    this.#answered++;
    if (this.#answered < (this.#options.count ?? 1)) this.#send(socket);
  }

  #send(socket: Socket): void {
    const { client, destination, size = 56, ttl, dontFragment = true } = this.#options;
    const isIp4 = destination.length === 4;
    this.#sent++;
    const packet = buildNetwork({
      protocol: isIp4 ? 'icmp' : 'icmp6',
      source: { address: socket.source },
      destination: { address: destination },
      ident: socket.sourcePort,
      seq: this.#sent,
      payload: Uint8Array.from({ length: size }, (_, i) => i & 255),
      ttl,
      dontFragment: isIp4 && dontFragment,
      ipId: isIp4 ? client.nextIpId() : 0,
    });
    sendFrom(client, socket, packet, 'ping');
  }
}
