/** The event log of a run: perf samples, ring buffer records, clones. Read by the host after the run. */
import { EventKind, RunState } from "./abi";
import { hostDrain } from "./host";
import { EVENTS, EVENTS_SIZE } from "./memory";
import { run32, setRun32 } from "./state";

const HEADER: u32 = 24;

/**
 * Opens a record and returns the address of its payload of `length` bytes; the caller fills it.
 * Record: kind u32, total length u32 (multiple of 8), map descriptor u32, index u32, payload length u32,
 * `extra` u32 (PERF: bytes of the payload that are data, the rest is packet; CLONE_REDIRECT: flags).
 * Returns 0 if the record is larger than the log.
 */
export function logEvent(kind: EventKind, map: u32, index: u32, length: u32, extra: u32): u32 {
  const total = (HEADER + length + 7) & ~7;
  if (total > EVENTS_SIZE) return 0;
  if (run32(RunState.EVENTS_USED) + total > EVENTS_SIZE) {
    hostDrain();
    setRun32(RunState.EVENTS_USED, 0);
  }
  const used = run32(RunState.EVENTS_USED);
  const record = EVENTS + used;
  store<u32>(record, kind);
  store<u32>(record + 4, total);
  store<u32>(record + 8, map);
  store<u32>(record + 12, index);
  store<u32>(record + 16, length);
  store<u32>(record + 20, extra);
  setRun32(RunState.EVENTS_USED, used + total);
  return record + HEADER;
}
