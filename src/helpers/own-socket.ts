import type { HelperCall, Socket } from './helper.js';

/** Where the context of a program type keeps the pointer to its socket. */
export const SOCKET_OFFSETS: Readonly<Record<string, number>> = {
  sched_cls: 168,
  sched_act: 168,
  cgroup_skb: 168,
  socket_filter: 168,
  lwt_in: 168,
  lwt_out: 168,
  lwt_xmit: 168,
  sk_skb: 168,
  cgroup_sock_addr: 64,
  cgroup_sockopt: 0,
  sock_ops: 184,
  sk_lookup: 0,
  sk_msg: 72,
};

/** Offsets of family, type and protocol in the contexts of programs that always run on behalf of a socket. */
const OWNERS: Readonly<Record<string, { family: number; type?: number; protocol?: number }>> = {
  cgroup_sock_addr: { family: 28, type: 32, protocol: 36 },
  sock_ops: { family: 20 },
};

const SOCK_STREAM = 1;
const TCP = 6;
const CLOSE = 7;

/** The socket the context points to, undefined if there is none. */
export function contextSocket(call: HelperCall): Socket | undefined {
  const offset = SOCKET_OFFSETS[call.programType];
  if (offset === undefined) return undefined;
  const address = call.context.getBigUint64(offset, true);
  return address === 0n ? undefined : call.socketAt(address);
}

/**
 * The socket a program runs for. Hooks of sockets (sock_addr, sock_ops) always have one: if the run was given none, one is
 * made from the context and lives until the run ends.
 */
export function ownSocket(call: HelperCall): Socket | undefined {
  const known = contextSocket(call);
  const owner = OWNERS[call.programType];
  if (known || !owner) return known;
  const { context } = call;
  const family = context.getUint32(owner.family, true) || 2;
  const length = family === 10 ? 16 : 4;
  const socket: Socket = {
    id: 0,
    family,
    type: (owner.type !== undefined && context.getUint32(owner.type, true)) || SOCK_STREAM,
    protocol: (owner.protocol !== undefined && context.getUint32(owner.protocol, true)) || TCP,
    mark: 0,
    priority: 0,
    boundDevice: 0,
    source: new Uint8Array(length),
    sourcePort: 0,
    destination: new Uint8Array(length),
    destinationPort: 0,
    state: CLOSE,
    cookie: 1n,
    netnsCookie: call.env.netnsCookie,
    options: new Map(),
  };
  const offset = SOCKET_OFFSETS[call.programType]!;
  context.setBigUint64(offset, call.exposeSocket(socket), true);
  return socket;
}

/** The socket behind a pointer argument; ends the run if the pointer is no socket, as the verifier would have it. */
export function socketArgument(call: HelperCall, n: 1 | 2 | 3): Socket {
  const address = call.arg(n);
  const socket = call.socketAt(address);
  if (!socket) call.fail(`argument ${n} of ${call.helper.name} is no socket: 0x${address.toString(16)}`);
  return socket;
}
