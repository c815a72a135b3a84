/** Redirects: what they answer and what they record for the host. Nothing is sent here. */
import { Errno, EventKind, FaultKind, MapType, RunState } from "../abi";
import { checkRead, checkWrite } from "../check";
import { logEvent } from "../events";
import { isMapHandle, mapType } from "../maps/descriptor";
import { mapSlotPresent } from "../maps/slots";
import { CONTEXTS, PACKET_STATE, PACKET_STATE_SIZE, RUN_STATE } from "../memory";
import { error, raise, setRun32, setRun64 } from "../state";
import { checkContext, invalidatePointers, isXdp, packetData, packetLength } from "./buffer";
import { deviceIsUp, deviceMtu, findDevice } from "./devices";
import { SKB_GSO_SIZE } from "./skb";

const TC_ACT_SHOT: u64 = 2;
const TC_ACT_REDIRECT: u64 = 7;
const XDP_ABORTED: u64 = 0;
const XDP_REDIRECT: u64 = 4;
const NET_RX_DROP: u64 = 1;
const NET_XMIT_CN: u64 = 2;

const INGRESS: u64 = 1;
const BROADCAST: u64 = 8;
const EXCLUDE_INGRESS: u64 = 0x10;
/** struct bpf_redir_neigh. */
const NEIGHBOUR_SIZE: u32 = 20;

/** RunState.REDIRECT_KIND. */
enum Kind {
  REDIRECT = 1,
  PEER = 2,
  NEIGHBOUR = 3,
  MAP = 4,
}

function record(kind: Kind, ifindex: u32, flags: u64, map: u32): void {
  setRun32(RunState.REDIRECT_KIND, kind);
  setRun32(RunState.REDIRECT_IFINDEX, ifindex);
  setRun64(RunState.REDIRECT_FLAGS, flags);
  setRun32(RunState.REDIRECT_MAP, map);
  setRun32(RunState.REDIRECT_NEIGH_LENGTH, 0);
}

/** 23: redirect(ifindex, flags). The device need not exist. */
export function redirect(ifindex: u64, flags: u64): u64 {
  if (isXdp()) {
    if (flags != 0) return XDP_ABORTED;
    record(Kind.REDIRECT, <u32>ifindex, flags, 0);
    return XDP_REDIRECT;
  }
  if (flags & ~INGRESS) return TC_ACT_SHOT;
  record(Kind.REDIRECT, <u32>ifindex, flags, 0);
  return TC_ACT_REDIRECT;
}

/** 155: redirect_peer(ifindex, flags). */
export function redirectPeer(ifindex: u64, flags: u64): u64 {
  if (flags != 0) return TC_ACT_SHOT;
  record(Kind.PEER, <u32>ifindex, flags, 0);
  return TC_ACT_REDIRECT;
}

/** 152: redirect_neigh(ifindex, parameters, length, flags). */
export function redirectNeigh(ifindex: u64, parameters: u64, length: u64, flags: u64): u64 {
  const size = <u32>length;
  if (!checkRead(parameters, size)) return 0;
  if ((size != 0 && size < NEIGHBOUR_SIZE) || flags != 0) return TC_ACT_SHOT;
  record(Kind.NEIGHBOUR, <u32>ifindex, flags, 0);
  if (size) {
    setRun32(RunState.REDIRECT_NEIGH_LENGTH, NEIGHBOUR_SIZE);
    memory.copy(RUN_STATE + RunState.REDIRECT_NEIGH, <u32>parameters, NEIGHBOUR_SIZE);
  }
  return TC_ACT_REDIRECT;
}

/** 51: redirect_map(map, key, flags). */
export function redirectMap(map: u64, key: u64, flags: u64): u64 {
  if (!isMapHandle(map)) {
    raise(FaultKind.BAD_HELPER_ARGUMENT, map, 0, false, 1);
    return 0;
  }
  const handle = <u32>map;
  const type = mapType(handle);
  const isDevices = type == MapType.DEVMAP || type == MapType.DEVMAP_HASH;
  if (!isDevices && type != MapType.CPUMAP && type != MapType.XSKMAP) {
    raise(FaultKind.BAD_HELPER_ARGUMENT, map, 0, false, 1);
    return 0;
  }
  const allowed: u64 = isDevices ? 3 | BROADCAST | EXCLUDE_INGRESS : 3;
  if (flags & ~allowed) return XDP_ABORTED;
  if (!(flags & BROADCAST) && !mapSlotPresent(handle, <u32>key)) return flags & 3;
  record(Kind.MAP, <u32>key, flags, handle);
  return XDP_REDIRECT;
}

/** Bytes of struct __sk_buff. */
const SKB_SIZE: u32 = 192;

/** 13: clone_redirect(skb, ifindex, flags): the copy goes to the event log: packet, context, packet state. */
export function cloneRedirect(context: u64, ifindex: u64, flags: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  if (flags & ~INGRESS) return error(Errno.EINVAL);
  if (load<u32>(SKB_GSO_SIZE)) return error(Errno.EBADMSG);
  const device = findDevice(<u32>ifindex);
  if (!device) return error(Errno.EINVAL);
  if (!deviceIsUp(device)) return flags & INGRESS ? NET_RX_DROP : NET_XMIT_CN;
  const length = packetLength();
  const payload = logEvent(EventKind.CLONE_REDIRECT, 0, <u32>ifindex, length + SKB_SIZE + PACKET_STATE_SIZE, <u32>flags);
  if (!payload) return 0;
  memory.copy(payload, packetData(), length);
  memory.copy(payload + length, CONTEXTS, SKB_SIZE);
  memory.copy(payload + length + SKB_SIZE, PACKET_STATE, PACKET_STATE_SIZE);
  return 0;
}

const SKB_IFINDEX: u32 = CONTEXTS + 40;
const XDP_IFINDEX: u32 = CONTEXTS + 12;
const ETH_HLEN: i64 = 14;
const MTU_SEGS: u64 = 1;

/** 163: check_mtu(ctx, ifindex, &length, difference, flags): 0 fits, 1 too long; the MTU goes to *length. */
export function checkMtu(context: u64, ifindex: u64, length: u64, difference: u64, flags: u64): u64 {
  if (!checkContext(context) || !checkWrite(length, 4)) return 0;
  const at = <u32>length;
  const given = load<u32>(at);
  const delta = <i64>(<i32>difference);
  if (isXdp() ? flags != 0 : (flags & ~MTU_SEGS) != 0) return error(Errno.EINVAL);
  if (flags & MTU_SEGS && (delta != 0 || given != 0)) return error(Errno.EINVAL);
  const own = load<u32>(isXdp() ? XDP_IFINDEX : SKB_IFINDEX);
  const device = findDevice(<u32>ifindex ? <u32>ifindex : own);
  if (!device) return error(Errno.ENODEV);
  const mtu = deviceMtu(device);
  const size = (given ? <i64>given + ETH_HLEN : <i64>packetLength()) + delta;
  let result: u64 = size <= <i64>mtu + ETH_HLEN ? 0 : 1;
  if (result && !isXdp() && load<u32>(SKB_GSO_SIZE)) {
    if (flags & MTU_SEGS) return error(Errno.EINVAL);
    result = 0;
  }
  store<u32>(at, mtu);
  return result;
}
