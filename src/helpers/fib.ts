import { Errno } from '../../assembly/abi.js';
import { cidrContains } from '../packet/addresses.js';
import type { Device, HelperCall, HostHelper, Route } from './helper.js';
import { viewOf } from './memory.js';

/** Flags of fib_lookup. */
const DIRECT = 1;
const OUTPUT = 2;
const SKIP_NEIGHBOUR = 4;
const TABLE_ID = 8;
const SOURCE = 0x10;
const ALL_FLAGS = 0x3f;

/** Results of fib_lookup (BPF_FIB_LKUP_RET_*). */
export const FIB = {
  SUCCESS: 0,
  BLACKHOLE: 1,
  UNREACHABLE: 2,
  PROHIBIT: 3,
  NOT_FORWARDED: 4,
  FORWARDING_DISABLED: 5,
  UNSUPPORTED_ENCAPSULATION: 6,
  NO_NEIGHBOUR: 7,
  FRAGMENTATION_NEEDED: 8,
  NO_SOURCE_ADDRESS: 9,
} as const;

/** Offsets in struct bpf_fib_lookup. */
const PARAMS_SIZE = 64;
const FAMILY = 0;
const LENGTH = 6;
const IFINDEX = 8;
const METRIC = 12;
const SOURCE_ADDRESS = 16;
const DESTINATION = 32;
const VLAN = 48;
const SOURCE_MAC = 52;
const DESTINATION_MAC = 58;

const AF_INET = 2;
const AF_INET6 = 10;
/** Routing tables in the order of the default rules. */
const LOCAL_TABLE = 255;
const MAIN_TABLE = 254;
const DEFAULT_TABLE = 253;
const IPV6_METRIC = 1024;
const MOST_IPV4_MTU = 65535;
/** What an skb may have on top of the MTU: Ethernet header and a VLAN tag (is_skb_forwardable). */
const LINK_OVERHEAD = 14 + 4;

const isMulticast = (address: Uint8Array): boolean =>
  address.length === 4 ? (address[0]! & 0xf0) === 0xe0 : address[0] === 0xff;
const isBroadcast = (address: Uint8Array): boolean => address.length === 4 && address.every((byte) => byte === 255);
const isLinkLocal = (address: Uint8Array): boolean => address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
const isLoopback6 = (address: Uint8Array): boolean => address.every((byte, i) => byte === (i === 15 ? 1 : 0));
/** IPv6 addresses that are never forwarded (rt6_need_strict). */
const isStrict = (address: Uint8Array): boolean => isMulticast(address) || isLinkLocal(address) || isLoopback6(address);

const tableOf = (route: Route): number => route.table ?? (route.type === 'local' ? LOCAL_TABLE : MAIN_TABLE);
const metricOf = (route: Route): number => route.metric ?? (route.prefix.length === 16 ? IPV6_METRIC : 0);

const REFUSALS: Readonly<Record<string, number>> = {
  blackhole: FIB.BLACKHOLE,
  unreachable: FIB.UNREACHABLE,
  prohibit: FIB.PROHIBIT,
};

const isMerged = (table: number): boolean => table === LOCAL_TABLE || table === MAIN_TABLE;

/**
 * Longest prefix of one table. Without policy rules IPv4 keeps its local and main routes in one trie (fib_trie_unmerge). The lower metric, then
 * the earlier route, wins among equals.
 */
function findIn(routes: readonly Route[], table: number, destination: Uint8Array, device: number): Route | undefined {
  let best: Route | undefined;
  for (const route of routes) {
    const isInTable =
      tableOf(route) === table || (destination.length === 4 && isMerged(tableOf(route)) && isMerged(table));
    if (!isInTable || (device !== 0 && REFUSALS[route.type ?? 'unicast'] === undefined && route.ifindex !== device))
      continue;
    if (!cidrContains({ address: route.prefix, prefixLength: route.length }, destination)) continue;
    const isBetter =
      !best || route.length > best.length || (route.length === best.length && metricOf(route) < metricOf(best));
    if (isBetter) best = route;
  }
  return best;
}

function findRoute(call: HelperCall, params: Params, flags: number): Route | undefined {
  const device = flags & OUTPUT ? params.ifindex : 0;
  const tables =
    flags & DIRECT ? [flags & TABLE_ID ? params.table : MAIN_TABLE] : [LOCAL_TABLE, MAIN_TABLE, DEFAULT_TABLE];
  for (const table of tables) {
    const route = findIn(call.env.routes, table, params.destination, device);
    if (route) return route;
  }
  return undefined;
}

/** The parameters as given, and the bytes to be written back. */
interface Params {
  bytes: Uint8Array;
  isV6: boolean;
  ifindex: number;
  totalLength: number;
  table: number;
  source: Uint8Array;
  destination: Uint8Array;
}

function readParams(call: HelperCall): Params {
  const bytes = call.read(call.arg(2), PARAMS_SIZE).slice();
  const view = viewOf(bytes);
  const isV6 = bytes[FAMILY] === AF_INET6;
  const size = isV6 ? 16 : 4;
  return {
    bytes,
    isV6,
    ifindex: view.getUint32(IFINDEX, true),
    totalLength: view.getUint16(LENGTH, true),
    table: view.getUint32(VLAN, true),
    source: bytes.slice(SOURCE_ADDRESS, SOURCE_ADDRESS + size),
    destination: bytes.slice(DESTINATION, DESTINATION + size),
  };
}

/** Address of the egress device for SRC: the route's, else the device's first one of the family. */
function sourceAddress(route: Route, device: Device, isV6: boolean): Uint8Array | undefined {
  return route.source ?? device.addresses?.find((address) => address.length === (isV6 ? 16 : 4));
}

/**
 * Look-up and changes to the parameters, up to the checks by program type (bpf_ipv4_fib_lookup, bpf_ipv6_fib_lookup).
 * `checksLength`: compare tot_len with the route's MTU.
 */
function lookup(call: HelperCall, params: Params, flags: number, checksLength: boolean): number {
  const { bytes, isV6, destination } = params;
  const view = viewOf(bytes);
  const { devices } = call.env;
  if (isV6 && (isStrict(destination) || isStrict(params.source))) return FIB.NOT_FORWARDED;
  const incoming = devices.find((device) => device.ifindex === params.ifindex);
  if (!incoming) return -Errno.ENODEV;
  if (!incoming.forwarding) return FIB.FORWARDING_DISABLED;
  if (flags & DIRECT && flags & TABLE_ID) view.setUint32(VLAN, 0, true);
  if (isMulticast(destination) || isBroadcast(destination)) return FIB.NOT_FORWARDED;
  const route = findRoute(call, params, flags);
  if (!route) return FIB.NOT_FORWARDED;
  if (route.type === 'local') return FIB.NOT_FORWARDED;
  const refusal = REFUSALS[route.type ?? 'unicast'];
  if (refusal !== undefined) return refusal;
  const device = devices.find((candidate) => candidate.ifindex === route.ifindex);
  if (!device) return FIB.NOT_FORWARDED;
  const mtu = route.mtu ?? (isV6 ? device.mtu : Math.min(device.mtu, MOST_IPV4_MTU));
  if (checksLength && params.totalLength > mtu) {
    view.setUint16(LENGTH, mtu, true);
    return FIB.FRAGMENTATION_NEEDED;
  }
  view.setUint32(METRIC, metricOf(route), true);
  view.setUint32(IFINDEX, device.ifindex, true);
  if (flags & SOURCE && !isV6) bytes.set(sourceAddress(route, device, false) ?? new Uint8Array(4), SOURCE_ADDRESS);
  if (route.gateway) {
    bytes.set(route.gateway, DESTINATION);
    if (route.gateway.length === 16) bytes[FAMILY] = AF_INET6;
  }
  if (flags & SOURCE && isV6) {
    const source = sourceAddress(route, device, true);
    if (!source) return FIB.NO_SOURCE_ADDRESS;
    bytes.set(source, SOURCE_ADDRESS);
  }
  if (!(flags & SKIP_NEIGHBOUR)) {
    const mac = neighbourMac(call, device.ifindex, route.gateway ?? destination);
    if (!mac) return FIB.NO_NEIGHBOUR;
    bytes.set(mac, DESTINATION_MAC);
    bytes.set(device.mac, SOURCE_MAC);
  }
  view.setUint32(VLAN, 0, true);
  if (checksLength) view.setUint16(LENGTH, mtu, true);
  return FIB.SUCCESS;
}

function neighbourMac(call: HelperCall, ifindex: number, address: Uint8Array): Uint8Array | undefined {
  return call.env.neighbours.find(
    (one) =>
      one.ifindex === ifindex &&
      one.address.length === address.length &&
      one.address.every((byte, i) => byte === address[i]),
  )?.mac;
}

/** Without tot_len an skb is compared with the egress device itself, after all is written. */
function checkPacket(call: HelperCall, bytes: Uint8Array): number {
  const view = viewOf(bytes);
  const device = call.env.devices.find((candidate) => candidate.ifindex === view.getUint32(IFINDEX, true));
  const mtu = device?.mtu ?? 0;
  const fits = device?.up === true && call.packet().length <= mtu + LINK_OVERHEAD;
  view.setUint16(LENGTH, mtu & 0xffff, true);
  return fits ? FIB.SUCCESS : FIB.FRAGMENTATION_NEEDED;
}

/** fib_lookup(ctx, params, plen, flags): answers from the environment's routes, neighbours and devices. */
const fibLookup: HostHelper = (call) => {
  const length = call.s32(3);
  const flags = call.u32(4);
  if (length < PARAMS_SIZE || flags & ~ALL_FLAGS) return -Errno.EINVAL;
  const params = readParams(call);
  const family = params.bytes[FAMILY];
  if (family !== AF_INET && family !== AF_INET6) return -Errno.EAFNOSUPPORT;
  const isXdp = call.programType === 'xdp';
  const checksLength = isXdp || params.totalLength !== 0;
  let result = lookup(call, params, flags, checksLength);
  if (result === FIB.SUCCESS && !checksLength) result = checkPacket(call, params.bytes);
  if (result >= 0) call.write(call.arg(2), params.bytes);
  return result;
};

export const FIB_HELPERS: readonly (readonly [number, HostHelper])[] = [[69, fibLookup]];
