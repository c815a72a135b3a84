/** Dispatch of helper calls: the ones in assembly/ by a switch, the rest to the host. Arguments r1..r5, result r0. */
import { FaultKind, ProgramKind, RunState } from "../abi";
import { checkWrite } from "../check";
import { hostHelper } from "../host";
import * as maps from "../maps/helpers";
import { recordMapHelper } from "../maps/record";
import { checkContext, packetData, packetLength } from "../packet/buffer";
import * as checksum from "../packet/checksum";
import * as redirect from "../packet/redirect";
import * as room from "../packet/room";
import * as skb from "../packet/skb";
import * as tunnel from "../packet/tunnel";
import * as vlan from "../packet/vlan";
import * as xdp from "../packet/xdp";
import { HELPER_MODES, HELPER_MODES_SIZE } from "../memory";
import { raise, register, run32, run64, setRun32, setRun64 } from "../state";

/** Helpers that decide where execution goes on (control.ts). */
// @ts-ignore: decorator
@inline
export function isControlHelper(id: u32): bool {
  return (id == 12 || id == 164 || id == 181) && load<u8>(HELPER_MODES + id) == 1;
}

/** CLOCK_MONOTONIC of the run, in ns; every read advances it by CLOCK_STEP_NS. */
function readClock(): u64 {
  const now = run64(RunState.CLOCK_NS);
  setRun64(RunState.CLOCK_NS, now + run64(RunState.CLOCK_STEP_NS));
  return now;
}

/** xorshift64*: upper 32 bits of the product. */
function random32(): u64 {
  let x = run64(RunState.RANDOM);
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  setRun64(RunState.RANDOM, x);
  return (x * 0x2545f4914f6cdd1d) >> 32;
}

/** Calls helper `id`; RunState.HELPER names it meanwhile. A fault leaves it set for the report. */
export function callHelper(id: u32): u64 {
  setRun32(RunState.HELPER, id);
  const mode = id < HELPER_MODES_SIZE ? load<u8>(HELPER_MODES + id) : 0;
  if (mode == 1) {
    const result = callCore(id);
    if (run32(RunState.FAULT_KIND)) return result;
    recordMapHelper(id, result);
    setRun32(RunState.HELPER, 0);
    return result;
  }
  if (mode == 2) {
    const failed = hostHelper(id);
    if (!failed) setRun32(RunState.HELPER, 0);
    return register(0);
  }
  raise(FaultKind.UNKNOWN_HELPER, 0, 0, false, id);
  return 0;
}

function callCore(id: u32): u64 {
  const r1 = register(1);
  const r2 = register(2);
  const r3 = register(3);
  const r4 = register(4);
  const r5 = register(5);
  switch (id) {
    case 1: return maps.helperMapLookup(r1, r2);
    case 2: return maps.helperMapUpdate(r1, r2, r3, r4);
    case 3: return maps.helperMapDelete(r1, r2);
    case 5: return readClock();
    case 7: return random32();
    case 8: return <u64>run32(RunState.CPU);
    case 9: return skb.skbStoreBytes(r1, r2, r3, r4, r5);
    case 10: return checksum.l3CsumReplace(r1, r2, r3, r4, r5);
    case 11: return checksum.l4CsumReplace(r1, r2, r3, r4, r5);
    case 13: return redirect.cloneRedirect(r1, r2, r3);
    case 18: return vlan.skbVlanPush(r1, r2, r3);
    case 19: return vlan.skbVlanPop(r1);
    case 20: return tunnel.skbGetTunnelKey(r1, r2, r3, r4);
    case 21: return tunnel.skbSetTunnelKey(r1, r2, r3, r4);
    case 23: return redirect.redirect(r1, r2);
    case 25: return perfEventOutput(r1, r2, r3, r4, r5);
    case 26: return skb.skbLoadBytes(r1, r2, r3, r4);
    case 28: return checksum.csumDiff(r1, r2, r3, r4, r5);
    case 29: return tunnel.skbGetTunnelOpt(r1, r2, r3);
    case 30: return tunnel.skbSetTunnelOpt(r1, r2, r3);
    case 31: return skb.skbChangeProto(r1, r2, r3);
    case 32: return skb.skbChangeType(r1, r2);
    case 34: return skb.getHashRecalc(r1);
    case 38: return skb.skbChangeTail(r1, r2, r3);
    case 39: return skb.skbPullData(r1, r2);
    case 40: return checksum.csumUpdate(r1, r2);
    case 41: return skb.setHashInvalid(r1);
    case 42: return 0; // get_numa_node_id: one node
    case 43: return skb.skbChangeHead(r1, r2, r3);
    case 44: return xdp.xdpAdjustHead(r1, r2);
    case 48: return skb.setHash(r1, r2);
    case 50: return room.skbAdjustRoom(r1, r2, r3, r4);
    case 51: return redirect.redirectMap(r1, r2, r3);
    case 54: return xdp.xdpAdjustMeta(r1, r2);
    case 65: return xdp.xdpAdjustTail(r1, r2);
    case 66: return skb.skbGetXfrmState(r1, r2, r3, r4, r5);
    case 68: return skb.skbLoadBytesRelative(r1, r2, r3, r4, r5);
    case 81: return maps.helperLocalStorage(r1);
    case 87: return maps.helperMapPush(r1, r2, r3);
    case 88: return maps.helperMapPop(r1, r2);
    case 89: return maps.helperMapPeek(r1, r2);
    case 93:
    case 94: return spinLock(r1);
    case 97: return skb.skbEcnSetCe(r1);
    case 118: return run64(RunState.JIFFIES);
    case 125: return readClock() + run64(RunState.BOOT_OFFSET_NS);
    case 130: return maps.helperRingbufOutput(r1, r2, r3, r4);
    case 131: return maps.helperRingbufReserve(r1, r2, r3);
    case 132: return maps.helperRingbufSubmit(r1, r2);
    case 133: return maps.helperRingbufDiscard(r1, r2);
    case 134: return maps.helperRingbufQuery(r1, r2);
    case 135: return checksum.csumLevel(r1, r2);
    case 152: return redirect.redirectNeigh(r1, r2, r3, r4);
    case 155: return redirect.redirectPeer(r1, r2);
    case 160: return readClock();
    case 163: return redirect.checkMtu(r1, r2, r3, r4, r5);
    case 188: return xdp.xdpGetBuffLen(r1);
    case 189: return xdp.xdpLoadBytes(r1, r2, r3, r4);
    case 190: return xdp.xdpStoreBytes(r1, r2, r3, r4);
    case 192: return skb.skbSetTstamp(r1, r2, r3);
    case 195: return maps.helperMapLookupPercpu(r1, r2, r3);
    case 208: return readClock() + run64(RunState.TAI_OFFSET_NS);
    default:
      raise(FaultKind.UNKNOWN_HELPER, 0, 0, false, id);
      return 0;
  }
}

/** spin_lock and spin_unlock: nothing runs beside the program; the lock must lie in memory it may write. */
function spinLock(lock: u64): u64 {
  checkWrite(lock, 4);
  return 0;
}

/** 25: perf_event_output(ctx, map, flags, data, size); packet programs may append packet bytes. */
function perfEventOutput(context: u64, map: u64, flags: u64, data: u64, size: u64): u64 {
  const hasPacket = run32(RunState.PROGRAM_KIND) != ProgramKind.RAW;
  if (hasPacket && !checkContext(context)) return 0;
  return maps.helperPerfEventOutput(map, flags, data, <u32>size, hasPacket, hasPacket ? packetData() : 0, hasPacket ? packetLength() : 0);
}
