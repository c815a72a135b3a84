import type { Socket } from '../helpers/helper.js';
import type { Outcome } from '../machine/outcome.js';
import { formatAddress } from '../packet/addresses.js';
import { equalBytes, u16 } from '../packet/bytes.js';
import { ICMP, ICMP6, type IpHeader, isUnspecified, TCP, UDP } from './ip.js';
import type { Namespace } from './namespace.js';
import type { Skb } from './skb.js';

/** TCP states that helpers tell apart (include/net/tcp_states.h). */
export const SocketState = { ESTABLISHED: 1, CLOSE: 7, LISTEN: 10 } as const;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const AF_INET = 2;
const AF_INET6 = 10;

/** cgroup hooks on socket addresses, by the names of their attach points. */
export type AddressHookPoint = `${'connect' | 'sendmsg' | 'recvmsg' | 'getpeername'}${4 | 6}`;

/** The address a hook sees and may change. */
export interface SocketAddress {
  /** 4 or 16 bytes. */
  address: Uint8Array;
  port: number;
  readonly socket: Socket;
}

export interface AddressHookView {
  readonly point: AddressHookPoint;
  readonly namespace: Namespace;
  readonly now: bigint;
}

/** A program on the cgroup of the host's processes. */
export interface AddressHook {
  readonly name: string;
  run(address: SocketAddress, view: AddressHookView): { readonly allowed: boolean; readonly outcome?: Outcome };
}

/** Who gets what is delivered to a socket. */
export interface Receiver {
  /** For the journal: `tcp socket of curl`. */
  readonly name: string;
  readonly socket: Socket;
  /** Of several listeners on a port, the first that does not say no gets a packet. */
  accepts?(skb: Skb, ip: IpHeader): boolean;
  receive(skb: Skb, ip: IpHeader): void;
}

interface Ends {
  readonly local: Uint8Array;
  readonly localPort: number;
  readonly remote: Uint8Array;
  readonly remotePort: number;
}

/** The sockets of a namespace. */
export class SocketTable {
  readonly #namespace: Namespace;
  /** What helpers look through. */
  readonly list: Socket[] = [];
  readonly #receivers: Receiver[] = [];
  #nextId = 1;
  #nextPort = 40000;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  /** A socket that is not bound yet; {@link add} makes it receive. */
  create(protocol: number, family: 4 | 6): Socket {
    const size = family === 4 ? 4 : 16;
    return {
      id: this.#nextId++,
      family: family === 4 ? AF_INET : AF_INET6,
      type: protocol === TCP ? SOCK_STREAM : protocol === UDP ? SOCK_DGRAM : SOCK_RAW,
      protocol,
      mark: 0,
      priority: 0,
      boundDevice: 0,
      source: new Uint8Array(size),
      sourcePort: 0,
      destination: new Uint8Array(size),
      destinationPort: 0,
      state: SocketState.CLOSE,
      cookie: this.#namespace.host.nextCookie(),
      netnsCookie: this.#namespace.cookie,
      options: new Map(),
    };
  }

  add(receiver: Receiver): void {
    this.#receivers.push(receiver);
    if (!this.list.includes(receiver.socket)) this.list.push(receiver.socket);
  }

  remove(socket: Socket): void {
    const index = this.list.indexOf(socket);
    if (index >= 0) this.list.splice(index, 1);
    const receiver = this.#receivers.findIndex((other) => other.socket === socket);
    if (receiver >= 0) this.#receivers.splice(receiver, 1);
  }

  /** A free local port. */
  nextPort(): number {
    return this.#nextPort++;
  }

  /** The receiver of a packet: the socket a program assigned it to, a connected one, else a bound one. */
  find(skb: Skb, ip: IpHeader, ports: { source: number; destination: number }): Receiver | undefined {
    const assigned = skb.socket && this.#receivers.find((receiver) => receiver.socket === skb.socket);
    if (assigned) return assigned;
    const ends = {
      local: ip.destination,
      localPort: ports.destination,
      remote: ip.source,
      remotePort: ports.source,
    };
    const candidates = this.#receivers.filter((receiver) => receiver.socket.protocol === ip.protocol);
    return (
      candidates.find(({ socket }) => isConnected(socket, ends)) ??
      candidates.find((one) => isBound(one.socket, ends) && (one.accepts?.(skb, ip) ?? true))
    );
  }

  /** The receiver of an ICMP message: of an echo reply by its identifier, of an error by the packet it quotes. */
  findIcmp(frame: Uint8Array, ip: IpHeader): Receiver | undefined {
    const at = ip.transport;
    const type = frame[at]!;
    if (ip.end < at + 8) return undefined;
    if (type === (ip.version === 4 ? 0 : 129)) {
      const identifier = u16(frame, at + 4);
      return this.#receivers.find(({ socket }) => socket.protocol === ip.protocol && socket.sourcePort === identifier);
    }
    const quoted = quotedEnds(frame, at + 8, ip.end);
    if (!quoted) return undefined;
    const { protocol, ends } = quoted;
    return this.#receivers.find(
      ({ socket }) =>
        socket.protocol === protocol &&
        (isConnected(socket, ends) || (socket.sourcePort === ends.localPort && socket.state !== SocketState.LISTEN)),
    );
  }
}

const isConnected = (socket: Socket, ends: Ends): boolean =>
  socket.state === SocketState.ESTABLISHED &&
  socket.sourcePort === ends.localPort &&
  socket.destinationPort === ends.remotePort &&
  equalBytes(socket.source, ends.local) &&
  equalBytes(socket.destination, ends.remote);

const isBound = (socket: Socket, ends: Ends): boolean =>
  socket.state !== SocketState.ESTABLISHED &&
  socket.sourcePort === ends.localPort &&
  (isUnspecified(socket.source) || equalBytes(socket.source, ends.local));

/** Ends of the packet that an ICMP error quotes; the quoting host sent it, so its source is here. */
function quotedEnds(frame: Uint8Array, at: number, end: number): { protocol: number; ends: Ends } | undefined {
  const version = (frame[at] ?? 0) >> 4;
  const size = version === 4 ? 4 : 16;
  const addresses = at + (version === 4 ? 12 : 8);
  const transport = at + (version === 4 ? (frame[at]! & 15) * 4 : 40);
  if ((version !== 4 && version !== 6) || transport + 8 > end) return undefined;
  const protocol = frame[at + (version === 4 ? 9 : 6)]!;
  const isEcho = protocol === ICMP || protocol === ICMP6;
  return {
    protocol,
    ends: {
      local: frame.slice(addresses, addresses + size),
      remote: frame.slice(addresses + size, addresses + 2 * size),
      localPort: u16(frame, transport + (isEcho ? 4 : 0)),
      remotePort: isEcho ? 0 : u16(frame, transport + 2),
    },
  };
}

/**
 * Runs the cgroup hooks of a system call on an address. Returns what is left of it, undefined if a program refused (the call
 * fails with EPERM).
 */
export function translateAddress(
  namespace: Namespace,
  call: 'connect' | 'sendmsg' | 'recvmsg' | 'getpeername',
  socket: Socket,
  address: Uint8Array,
  port: number,
): { address: Uint8Array; port: number } | undefined {
  const point: AddressHookPoint = `${call}${address.length === 4 ? 4 : 6}`;
  const given: SocketAddress = { address, port, socket };
  const { network } = namespace;
  for (const hook of namespace.host.addressHooks(point)) {
    const before = { address: given.address, port: given.port };
    const { allowed, outcome } = hook.run(given, { point, namespace, now: network.now });
    network.journal.add({
      time: network.now,
      packet: 0,
      at: { host: namespace.host.name, namespace: namespace.name },
      step: {
        kind: 'socket',
        hook: point,
        name: hook.name,
        allowed,
        outcome,
        before,
        after: { address: given.address, port: given.port },
      },
      bytes: new Uint8Array(),
    });
    if (!allowed) return undefined;
  }
  return { address: given.address, port: given.port };
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function formatEnd(address: Uint8Array, port: number): string {
  return address.length === 4 ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`;
}
