/** Typed access to the run state, registers and packet state: plain loads and stores at fixed addresses. */
import { Errno, FaultKind, Packet, RunState } from "./abi";
import { PACKET_STATE, REGISTERS, RUN_STATE } from "./memory";

// @ts-ignore: decorator
@inline
export function register(n: u32): u64 {
  return load<u64>(REGISTERS + (n << 3));
}
// @ts-ignore: decorator
@inline
export function setRegister(n: u32, value: u64): void {
  store<u64>(REGISTERS + (n << 3), value);
}

// @ts-ignore: decorator
@inline
export function run32(field: RunState): u32 {
  return load<u32>(RUN_STATE + field);
}
// @ts-ignore: decorator
@inline
export function setRun32(field: RunState, value: u32): void {
  store<u32>(RUN_STATE + field, value);
}
// @ts-ignore: decorator
@inline
export function run64(field: RunState): u64 {
  return load<u64>(RUN_STATE + field);
}
// @ts-ignore: decorator
@inline
export function setRun64(field: RunState, value: u64): void {
  store<u64>(RUN_STATE + field, value);
}

// @ts-ignore: decorator
@inline
export function packet32(field: Packet): u32 {
  return load<u32>(PACKET_STATE + field);
}
// @ts-ignore: decorator
@inline
export function setPacket32(field: Packet, value: u32): void {
  store<u32>(PACKET_STATE + field, value);
}

/** A negative errno, sign-extended to 64 bits as helpers return it. */
// @ts-ignore: decorator
@inline
export function error(errno: Errno): u64 {
  return -(<i64>errno) as u64;
}

// @ts-ignore: decorator
@inline
export function faulted(): bool {
  return load<u32>(RUN_STATE + RunState.FAULT_KIND) != FaultKind.NONE;
}

/** Records a fault; the first one of a run wins. Callers return at once; the engine stops after the instruction. */
export function raise(kind: FaultKind, address: u64, size: u32, write: bool, detail: u32): void {
  if (faulted()) return;
  setRun32(RunState.FAULT_KIND, kind);
  setRun64(RunState.FAULT_ADDRESS, address);
  setRun32(RunState.FAULT_SIZE, size);
  setRun32(RunState.FAULT_WRITE, write ? 1 : 0);
  setRun32(RunState.FAULT_DETAIL, detail);
}
