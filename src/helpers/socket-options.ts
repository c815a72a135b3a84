import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper, Socket } from './helper.js';
import { viewOf } from './memory.js';
import { ownSocket } from './own-socket.js';

const SOL_IP = 0;
const SOL_SOCKET = 1;
const SOL_TCP = 6;
const SOL_IPV6 = 41;
const TCP = 6;
const AF_INET6 = 10;

const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_PRIORITY = 12;
const SO_BINDTODEVICE = 25;
const SO_MARK = 36;
const SO_MAX_PACING_RATE = 47;
const SO_BINDTOIFINDEX = 62;
const TCP_CONGESTION = 13;
const NAME_SIZE = 16;

/** Options of 4 bytes that the kernel's BPF helpers take, by level (sol_*_sockopt in net/core/filter.c). */
const INTEGER_OPTIONS: Readonly<Record<number, ReadonlySet<number>>> = {
  [SOL_SOCKET]: new Set([
    2,
    SO_SNDBUF,
    SO_RCVBUF,
    9,
    SO_PRIORITY,
    15,
    18,
    SO_MARK,
    SO_MAX_PACING_RATE,
    SO_BINDTOIFINDEX,
    74,
  ]),
  [SOL_IP]: new Set([1]),
  [SOL_IPV6]: new Set([67, 70]),
  [SOL_TCP]: new Set([1, 2, 4, 5, 6, 7, 10, 18, 25, 27, 44, 1001, 1002, 1003, 1004, 1008]),
};

/** Whether level, name and length name an option of this socket. */
function isValid(socket: Socket, level: number, name: number, length: number, isSet: boolean): boolean {
  if (level === SOL_TCP && socket.protocol !== TCP) return false;
  if (level === SOL_IPV6 && socket.family !== AF_INET6) return false;
  if (level === SOL_TCP && name === TCP_CONGESTION) return length >= 2;
  if (level === SOL_SOCKET && name === SO_BINDTODEVICE) return isSet;
  if (level === SOL_SOCKET && name === SO_MAX_PACING_RATE && length === 8) return true;
  return length === 4 && INTEGER_OPTIONS[level]?.has(name) === true;
}

interface Request {
  socket: Socket;
  level: number;
  name: number;
  key: string;
}

function request(call: HelperCall, length: number, isSet: boolean): Request | undefined {
  const socket = ownSocket(call);
  const [level, name] = [call.s32(2), call.s32(3)];
  if (!socket || !isValid(socket, level, name, length, isSet)) return undefined;
  return { socket, level, name, key: `${level}:${name}` };
}

/** Options that are fields of the socket as well. */
function applyField(socket: Socket, name: number, value: number): void {
  if (name === SO_MARK) socket.mark = value;
  if (name === SO_PRIORITY) socket.priority = value;
  if (name === SO_BINDTOIFINDEX) socket.boundDevice = value;
}

function fieldOf(socket: Socket, name: number): number | undefined {
  if (name === SO_MARK) return socket.mark;
  if (name === SO_PRIORITY) return socket.priority;
  return name === SO_BINDTOIFINDEX ? socket.boundDevice : undefined;
}

/** setsockopt(ctx, level, optname, optval, optlen); unknown options are EINVAL. */
const setsockopt: HostHelper = (call) => {
  const length = call.u32(5);
  const value = call.read(call.arg(4), length);
  const found = request(call, length, true);
  if (!found) return -Errno.EINVAL;
  const { socket, level, name, key } = found;
  if (level === SOL_SOCKET && name === SO_BINDTODEVICE) {
    const end = value.indexOf(0);
    const wanted = new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
    const device = call.env.devices.find((candidate) => candidate.name === wanted);
    if (wanted && !device) return -Errno.ENODEV;
    socket.boundDevice = device?.ifindex ?? 0;
    return 0;
  }
  // The kernel doubles buffer sizes, to pay for its own overhead.
  if (level === SOL_SOCKET && (name === SO_SNDBUF || name === SO_RCVBUF)) {
    viewOf(value).setInt32(0, viewOf(value).getInt32(0, true) * 2, true);
  }
  if (level === SOL_SOCKET && length === 4) applyField(socket, name, viewOf(value).getUint32(0, true));
  socket.options.set(key, value.slice());
  return 0;
};

/** getsockopt(ctx, level, optname, optval, optlen): options never set are 0; the buffer is zeroed on errors. */
const getsockopt: HostHelper = (call) => {
  const length = call.u32(5);
  const found = request(call, length, false);
  const out = new Uint8Array(length);
  const field = found?.level === SOL_SOCKET ? fieldOf(found.socket, found.name) : undefined;
  if (found && field !== undefined) viewOf(out).setUint32(0, field, true);
  else if (found) out.set((found.socket.options.get(found.key) ?? new Uint8Array()).subarray(0, length));
  if (found?.level === SOL_TCP && found.name === TCP_CONGESTION) out[Math.min(length, NAME_SIZE) - 1] = 0;
  call.write(call.arg(4), out);
  return found ? 0 : -Errno.EINVAL;
};

export const SOCKET_OPTION_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [49, setsockopt],
  [57, getsockopt],
];
