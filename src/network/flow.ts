import type { Socket } from '../helpers/helper.js';
import { frameOf, type IpHeader, TCP } from './ip.js';
import type { Namespace } from './namespace.js';
import type { Skb } from './skb.js';
import { formatEnd, SocketState, translateAddress } from './sockets.js';

export type Side = 'client' | 'server';

export interface End {
  readonly address: Uint8Array;
  readonly port: number;
}

/** A place where a server of a flow listens. */
export interface FlowServer {
  readonly namespace: Namespace;
  readonly port: number;
  /** Default: all addresses of the namespace. */
  readonly address?: Uint8Array;
}

export interface FlowOptions {
  client: Namespace;
  /** Default: the source address of the route to where connect() leads. */
  clientAddress?: Uint8Array;
  clientPort?: number;
  /** What the client asks for; hooks on connect and sendmsg may change it. */
  destination: End;
  /** Where servers listen: whoever gets the first packet answers. Without one nobody does. */
  servers?: readonly FlowServer[];
  /** Name of the programs in the journal. Default 'client' and 'server'. */
  names?: { client: string; server: string };
}

/** How far a flow came. */
export interface FlowResult {
  /** Every part of the script has arrived. */
  readonly completed: boolean;
  readonly sent: number;
  readonly arrived: number;
  /** Why it could not start, or what came instead of the next part. */
  readonly error: string | undefined;
}

/** Sends one after the other what a script says, each part only after all earlier ones of the other side have arrived. */
export abstract class Flow<Part extends { readonly from: Side }> {
  protected readonly options: FlowOptions;
  protected readonly parts: readonly Part[];
  protected readonly sockets: Partial<Record<Side, Socket>> = {};
  /** The server that got the first packet. */
  protected server: FlowServer | undefined;
  #sent = 0;
  readonly #arrived = new Set<number>();
  #error: string | undefined;

  protected constructor(options: FlowOptions, parts: readonly Part[]) {
    this.options = options;
    this.parts = parts;
  }

  get result(): FlowResult {
    const arrived = this.#arrived.size;
    return { completed: arrived === this.parts.length, sent: this.#sent, arrived, error: this.#error };
  }

  protected fail(message: string): void {
    this.#error ??= message;
  }

  protected name(side: Side): string {
    return this.options.names?.[side] ?? side;
  }

  protected namespace(side: Side): Namespace {
    return side === 'client' ? this.options.client : this.server!.namespace;
  }

  protected get isIp4(): boolean {
    return this.options.destination.address.length === 4;
  }

  /** Sends what may be sent now. */
  protected pump(): void {
    while (this.#error === undefined && this.#sent < this.parts.length) {
      const part = this.parts[this.#sent]!;
      const isWaiting = this.parts
        .slice(0, this.#sent)
        .some((earlier, i) => earlier.from !== part.from && !this.#arrived.has(i));
      if (isWaiting || !this.sockets[part.from]) return;
      this.#sent++;
      this.send(part, this.sockets[part.from]!);
    }
  }

  /** Takes note of an arrival on a side: the first sent part of the other side that is `expected` and has not arrived. */
  protected arrivedAt(side: Side, expected: (part: Part) => boolean, found: string): void {
    const index = this.parts.findIndex(
      (part, i) => part.from !== side && i < this.#sent && !this.#arrived.has(i) && expected(part),
    );
    if (index < 0) {
      this.fail(`${this.name(side)} got ${found}, which the script does not have there`);
      return;
    }
    this.#arrived.add(index);
    this.pump();
  }

  protected abstract readonly protocol: number;
  /** The client calls connect() before it sends. */
  protected abstract readonly connects: boolean;
  protected abstract send(part: Part, socket: Socket): void;
  /** Takes what arrived over the flow's own protocol. */
  protected abstract take(side: Side, skb: Skb, ip: IpHeader): void;

  /** Starts the flow; {@link Network.run} does the rest. */
  start(): this {
    const { client } = this.options;
    const socket = client.sockets.create(this.protocol, this.isIp4 ? 4 : 6);
    if (this.connects) {
      const to = this.connect(socket, 'connect');
      if (!to) return this;
      Object.assign(socket, { destination: to.address, destinationPort: to.port, state: SocketState.ESTABLISHED });
    }
    this.sockets.client = socket;
    client.sockets.add({
      name: this.socketName('client'),
      socket,
      receive: (skb, ip) => this.receive('client', skb, ip),
    });
    client.network.schedule(0n, () => this.pump());
    return this;
  }

  protected socketName(side: Side): string {
    return `${this.protocol === TCP ? 'tcp' : 'udp'} socket of ${this.name(side)}`;
  }

  /** A packet for a side's socket. */
  protected receive(side: Side, skb: Skb, ip: IpHeader): void {
    if (ip.protocol === this.protocol) this.take(side, skb, ip);
    else {
      const [type, code] = skb.bytes.subarray(ip.transport);
      this.fail(`${this.name(side)} got an ICMP error (type ${type}, code ${code})`);
    }
  }

  /** connect() or sendmsg(): hooks, source address, port. False if a program refused or there is no route. */
  protected connect(socket: Socket, call: 'connect' | 'sendmsg'): End | undefined {
    const { client, destination, clientAddress, clientPort } = this.options;
    const to = translateAddress(client, call, socket, destination.address, destination.port);
    if (!to) {
      this.fail(`${call}(${formatEnd(destination.address, destination.port)}) is not permitted: a program refused it`);
      return undefined;
    }
    const source = clientAddress ?? client.sourceFor(to.address, undefined, socket.mark);
    if (!source) {
      this.fail(`${client.path} has no route to ${formatEnd(to.address, to.port)}`);
      return undefined;
    }
    socket.source = source;
    socket.sourcePort ||= clientPort ?? client.sockets.nextPort();
    return to;
  }
}

/** Sends an IP packet from a socket. */
export function sendFrom(namespace: Namespace, socket: Socket, packet: Uint8Array, by: string): void {
  const skb = namespace.newSkb(frameOf(packet), by);
  skb.socket = socket;
  skb.mark = socket.mark;
  skb.priority = socket.priority;
  namespace.output(skb);
}
