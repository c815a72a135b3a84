/** The slow path of a memory access: contexts, the stack while uninitialised reads are tracked, faults. */
import { ContextAccess, FaultKind, RunState } from "../abi";
import { inTrackedStack, markWritten, readable } from "../check";
import {
  CONTEXTS,
  CONTEXTS_SIZE,
  CONTEXT_SLOT_SIZE,
  CONTEXT_TABLES,
} from "../memory";
import { raise, setRun32 } from "../state";

/** Widths as log2: 0 = 1 byte ... 3 = 8 bytes. */
function loadWidth(address: u32, log2: u32): u64 {
  switch (log2) {
    case 0:
      return <u64>load<u8>(address);
    case 1:
      return <u64>load<u16>(address);
    case 2:
      return <u64>load<u32>(address);
    default:
      return load<u64>(address);
  }
}

function storeWidth(address: u32, log2: u32, value: u64): void {
  switch (log2) {
    case 0:
      store<u8>(address, <u8>value);
      break;
    case 1:
      store<u16>(address, <u16>value);
      break;
    case 2:
      store<u32>(address, <u32>value);
      break;
    default:
      store<u64>(address, value);
  }
}

function signExtend(value: u64, log2: u32): u64 {
  const shift = <u64>(64 - (8 << log2));
  return <u64>((<i64>(value << shift)) >> (<i64>shift));
}

function inContexts(address: u64): bool {
  return address >= <u64>CONTEXTS && address < <u64>(CONTEXTS + CONTEXTS_SIZE);
}

/** Access descriptor of a context access, 0 if the slot is free. Raises BAD_CONTEXT_ACCESS where the table says no. */
function contextEntry(address: u32, log2: u32, write: bool): u32 {
  const slot = (address - CONTEXTS) / CONTEXT_SLOT_SIZE;
  const table = load<u32>(CONTEXT_TABLES + (slot << 2));
  const size: u32 = 1 << log2;
  if (!table) {
    raise(FaultKind.OUT_OF_BOUNDS, address, size, write, 0);
    return 0;
  }
  const index = (<u32>write * 256 + (address & (CONTEXT_SLOT_SIZE - 1))) * 4 + log2;
  const entry = load<u32>(table + (index << 2));
  if (!(entry & 1)) {
    raise(FaultKind.BAD_CONTEXT_ACCESS, address, size, write, 0);
    return 0;
  }
  return entry;
}

/**
 * Loads what the fast path refused into the register at `register` (an address). False after a fault.
 * `signed` sign-extends from the access width; pointers cannot be loaded that way.
 */
export function loadSlow(address: u64, log2: u32, register: u32, signed: bool): bool {
  const size: u32 = 1 << log2;
  let value: u64 = 0;
  if (inContexts(address)) {
    const entry = contextEntry(<u32>address, log2, false);
    if (!entry) return false;
    const slot = <u32>address & ~(CONTEXT_SLOT_SIZE - 1);
    const field = slot + ((entry >>> 8) & 0xffff);
    switch ((entry >>> 4) & 15) {
      case ContextAccess.ZERO:
        break;
      case ContextAccess.SLICE:
        value = loadWidth(<u32>address, log2);
        break;
      case ContextAccess.PACKET_POINTER:
        if (signed) {
          raise(FaultKind.BAD_CONTEXT_ACCESS, address, size, false, 0);
          return false;
        }
        setRun32(RunState.PACKET_EXPOSED, 1);
        value = loadWidth(field, (entry >>> 1) & 7);
        break;
      default:
        value = loadWidth(field, (entry >>> 1) & 7);
        if (log2 < 3) value &= (<u64>1 << (8 << log2)) - 1;
    }
  } else if (inTrackedStack(address, size)) {
    if (!readable(address, size)) {
      raise(FaultKind.UNINITIALISED_STACK, address, size, false, 0);
      return false;
    }
    value = loadWidth(<u32>address, log2);
  } else {
    raise(FaultKind.OUT_OF_BOUNDS, address, size, false, 0);
    return false;
  }
  store<u64>(register, signed ? signExtend(value, log2) : value);
  return true;
}

/** Stores what the fast path refused. False after a fault. */
export function storeSlow(address: u64, log2: u32, value: u64): bool {
  const size: u32 = 1 << log2;
  if (inContexts(address)) {
    const entry = contextEntry(<u32>address, log2, true);
    if (!entry) return false;
    const slot = <u32>address & ~(CONTEXT_SLOT_SIZE - 1);
    const field = slot + ((entry >>> 8) & 0xffff);
    switch ((entry >>> 4) & 15) {
      case ContextAccess.STORE16:
        storeWidth(field, (entry >>> 1) & 7, value & 0xffff);
        break;
      case ContextAccess.STORE_QUEUE:
        if (value < 0xffff) storeWidth(field, (entry >>> 1) & 7, value & 0xffff);
        break;
      case ContextAccess.SLICE:
        storeWidth(<u32>address, log2, value);
        break;
      default:
        storeWidth(field, (entry >>> 1) & 7, value);
    }
    return true;
  }
  if (inTrackedStack(address, size)) {
    storeWidth(<u32>address, log2, value);
    markWritten(<u32>address, size);
    return true;
  }
  raise(readable(address, size) ? FaultKind.READ_ONLY : FaultKind.OUT_OF_BOUNDS, address, size, true, 0);
  return false;
}
