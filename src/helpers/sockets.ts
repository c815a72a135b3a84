import { Errno } from '../../assembly/abi.js';
import { EPROTOTYPE } from './errno.js';
import type { HelperCall, HostHelper, Socket } from './helper.js';
import { viewOf } from './memory.js';
import { contextSocket, ownSocket, socketArgument } from './own-socket.js';

/** TCP states (include/net/tcp_states.h). */
const ESTABLISHED = 1;
const TIME_WAIT = 6;
const LISTEN = 10;
const NEW_SYN_RECV = 12;

const TCP = 6;
const UDP = 17;
const AF_INET = 2;
const AF_INET6 = 10;
/** Sizes of the two forms of struct bpf_sock_tuple. */
const TUPLE4 = 12;
const TUPLE6 = 36;
/** What skb_under_cgroup and friends answer for skbs without a full socket. */
const OVERFLOW_UID = 65534;
/** Cookie of the initial network namespace, the first one ever given out. */
const INITIAL_NETNS_COOKIE = 1n;

/** A packet's view: source is the remote end. */
interface Tuple {
  remote: Uint8Array;
  local: Uint8Array;
  remotePort: number;
  localPort: number;
}

function readTuple(call: HelperCall): Tuple | undefined {
  const length = call.u32(3);
  if (length !== TUPLE4 && length !== TUPLE6) return undefined;
  const size = length === TUPLE4 ? 4 : 16;
  const bytes = call.read(call.arg(2), length);
  const view = viewOf(bytes);
  return {
    remote: bytes.slice(0, size),
    local: bytes.slice(size, size * 2),
    remotePort: view.getUint16(size * 2, false),
    localPort: view.getUint16(size * 2 + 2, false),
  };
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);
const isAny = (address: Uint8Array): boolean => address.every((byte) => byte === 0);
const isFull = (socket: Socket): boolean => socket.state !== TIME_WAIT && socket.state !== NEW_SYN_RECV;

/** Interface the look-up happens on: bound sockets of other devices do not match. */
function device(call: HelperCall): number {
  if (call.programType === 'xdp') return call.context.getUint32(12, true);
  return call.programType === 'sched_cls' || call.programType === 'sched_act' || call.programType === 'cgroup_skb'
    ? call.context.getUint32(40, true)
    : 0;
}

/** How well a socket without remote end fits: -1 not at all, more for its own address and device (compute_score). */
function score(socket: Socket, tuple: Tuple, ifindex: number): number {
  if (socket.sourcePort !== tuple.localPort) return -1;
  if (socket.boundDevice && socket.boundDevice !== ifindex) return -1;
  const device = socket.boundDevice ? 1 : 0;
  if (isSame(socket.source, tuple.local)) return 4 + device;
  // An unspecified IPv6 address also takes IPv4 packets.
  if (!isAny(socket.source) || socket.source.length < tuple.local.length) return -1;
  return (socket.source.length === tuple.local.length ? 2 : 0) + device;
}

/** The connected socket of the tuple, else the best bound one (inet_lookup, udp_lib_lookup). */
function find(call: HelperCall, tuple: Tuple, protocol: number): Socket | undefined {
  const ifindex = device(call);
  const candidates = call.env.sockets.filter((socket) => socket.protocol === protocol);
  const connected = candidates.find(
    (socket) =>
      socket.state !== LISTEN &&
      socket.destinationPort === tuple.remotePort &&
      socket.sourcePort === tuple.localPort &&
      isSame(socket.source, tuple.local) &&
      isSame(socket.destination, tuple.remote) &&
      (!socket.boundDevice || socket.boundDevice === ifindex),
  );
  if (connected) return connected;
  let best: Socket | undefined;
  let most = -1;
  for (const socket of candidates) {
    const isBound = protocol === TCP ? socket.state === LISTEN : socket.destinationPort === 0;
    const points = isBound ? score(socket, tuple, ifindex) : -1;
    if (points <= most) continue;
    best = socket;
    most = points;
  }
  return best;
}

/** Only the current namespace is modelled: ids of others find nothing (__bpf_skc_lookup). */
function isCurrentNamespace(netns: bigint, isXdp: boolean): boolean {
  if (isXdp) return Number(BigInt.asIntN(32, netns)) < 0;
  return BigInt.asIntN(32, netns) < 0n;
}

function lookup(call: HelperCall, protocol: number, wantsFull: boolean): bigint {
  const tuple = readTuple(call);
  if (!tuple || call.arg(5) !== 0n) return 0n;
  if (!isCurrentNamespace(call.arg(4), call.programType === 'xdp')) return 0n;
  const socket = find(call, tuple, protocol);
  if (!socket) return 0n;
  if (!wantsFull || isFull(socket)) return call.exposeSocket(socket);
  // A connection request stands for its listener; a connection in TIME_WAIT for nothing (sk_to_full_sk).
  const listener = socket.state === NEW_SYN_RECV ? listenerOf(call, socket) : undefined;
  return listener ? call.exposeSocket(listener) : 0n;
}

function listenerOf(call: HelperCall, request: Socket): Socket | undefined {
  const tuple = {
    remote: request.destination,
    local: request.source,
    remotePort: request.destinationPort,
    localPort: request.sourcePort,
  };
  const listeners = call.env.sockets.filter((socket) => socket.protocol === TCP && socket.state === LISTEN);
  return listeners.sort((a, b) => score(b, tuple, 0) - score(a, tuple, 0)).find((one) => score(one, tuple, 0) >= 0);
}

const release: HostHelper = (call) => {
  const address = call.arg(1);
  if (!call.releaseSocket(address)) call.fail(`sk_release of what is no referenced socket: 0x${address.toString(16)}`);
  return 0;
};

const fullsock: HostHelper = (call) => {
  const socket = socketArgument(call, 1);
  return isFull(socket) ? call.exposeSocket(socket) : 0n;
};

const tcpSock: HostHelper = (call) => {
  const socket = socketArgument(call, 1);
  if (!isFull(socket) || socket.protocol !== TCP) return 0n;
  if (!call.exposeTcpSocket) return call.fail('tcp_sock: this machine gives no bpf_tcp_sock views; replace the helper');
  return call.exposeTcpSocket(socket);
};

const getListener: HostHelper = (call) => {
  const socket = socketArgument(call, 1);
  const listener = socket.state === NEW_SYN_RECV ? listenerOf(call, socket) : socket;
  return listener?.state === LISTEN ? call.exposeSocket(listener) : 0n;
};

/** sk_assign of sched_cls: only at tc ingress (KERNEL bpf_sk_assign). */
function assignToPacket(call: HelperCall): number {
  if (call.arg(3) !== 0n || call.arg(2) === 0n) return -Errno.EINVAL;
  const socket = socketArgument(call, 2);
  if (!call.atIngress) return -Errno.EOPNOTSUPP;
  if (socket.netnsCookie !== call.env.netnsCookie) return -Errno.ENETUNREACH;
  call.assignSocket?.(socket);
  return 0;
}

const REPLACE = 1n;
const NO_REUSEPORT = 2n;

/** sk_assign of sk_lookup programs: NULL takes an earlier choice back (KERNEL bpf_sk_lookup_assign). */
function assignToLookup(call: HelperCall): number {
  const flags = call.arg(3);
  if ((flags & ~(REPLACE | NO_REUSEPORT)) !== 0n) return -Errno.EINVAL;
  const { context } = call;
  const socket = call.arg(2) === 0n ? undefined : socketArgument(call, 2);
  if (socket) {
    if (!isFull(socket) || socket.state === ESTABLISHED) return -Errno.ESOCKTNOSUPPORT;
    if (socket.protocol !== context.getUint16(12, true)) return -EPROTOTYPE;
    if (socket.family !== context.getUint16(8, true) && socket.family === AF_INET) return -Errno.EAFNOSUPPORT;
  }
  if (context.getBigUint64(0, true) !== 0n && !(flags & REPLACE)) return -Errno.EEXIST;
  context.setBigUint64(0, socket ? call.exposeSocket(socket) : 0n, true);
  if (socket) call.assignSocket?.(socket);
  return 0;
}

/** Program types that always run for a socket. */
const SOCKET_TYPES = new Set(['cgroup_sock', 'cgroup_sock_addr', 'sock_ops', 'cgroup_sockopt']);

/** get_socket_cookie(ctx or sock): 0 for an skb without socket; 1 for the unnamed socket of a socket hook. */
const cookie: HostHelper = (call) => {
  const socket = call.socketAt(call.arg(1)) ?? contextSocket(call);
  return socket ? socket.cookie : SOCKET_TYPES.has(call.programType) ? 1n : 0n;
};

const uid: HostHelper = (call) => {
  const socket = contextSocket(call);
  return socket && isFull(socket) ? call.env.task.uid : OVERFLOW_UID;
};

/** get_netns_cookie(ctx): NULL asks for the initial namespace. */
const netnsCookie: HostHelper = (call) => {
  if (call.arg(1) === 0n) return INITIAL_NETNS_COOKIE;
  return contextSocket(call)?.netnsCookie ?? call.env.netnsCookie;
};

const PORT_OFFSET = 2;
const SOCKADDR_IN = 16;
const SOCKADDR_IN6 = 24;

/** bind(ctx, addr, addr_len): the local address of a socket about to connect; the port stays free if it is 0. */
const bind: HostHelper = (call) => {
  const length = call.u32(3);
  if (length < 2) return -Errno.EINVAL;
  const address = call.read(call.arg(2), length);
  const family = viewOf(address).getUint16(0, true);
  if (family !== AF_INET && family !== AF_INET6) return -Errno.EAFNOSUPPORT;
  if (length < (family === AF_INET ? SOCKADDR_IN : SOCKADDR_IN6)) return -Errno.EINVAL;
  const socket = ownSocket(call);
  if (!socket) return -Errno.EINVAL;
  socket.source = family === AF_INET ? address.slice(4, 8) : address.slice(8, 24);
  socket.sourcePort = viewOf(address).getUint16(PORT_OFFSET, false);
  return 0;
};

export const SOCKET_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [46, cookie],
  [47, uid],
  [64, bind],
  [84, (call) => lookup(call, TCP, true)],
  [85, (call) => lookup(call, UDP, true)],
  [86, release],
  [95, fullsock],
  [96, tcpSock],
  [98, getListener],
  [99, (call) => lookup(call, TCP, false)],
  [122, netnsCookie],
  [124, (call) => (call.programType === 'sk_lookup' ? assignToLookup(call) : assignToPacket(call))],
];
