import type { BpfMap } from '../../machine/map.js';

/** A comparison of packets that failed, as Cilium's tests record it (bpf/tests/scapy.h, 1.19 and later). */
export interface PacketMismatch {
  /** Name of the assertion. */
  readonly name: string;
  readonly file: string;
  readonly line: number;
  /** Scapy's name of the first header, such as `Ether` or `IP`. */
  readonly firstLayer: string;
  readonly expected: Uint8Array;
  /** Bytes that were compared; empty if the packet was shorter than `expected`. */
  readonly got: Uint8Array;
  /** Length of the whole packet from the first header on. */
  readonly gotLength: number;
}

/** struct scapy_assert: four strings of 128 bytes, then length and buffer twice. */
const STRING = 128;
const BUFFER = 1518;
const EXPECTED = 4 * STRING;
const GOT = EXPECTED + 2 + BUFFER;
/** Size of struct scapy_assert, the value of `scapy_assert_map`. */
export const MISMATCH_SIZE = 3554;

/** The mismatches in `map` from entry `first` on; the first entry with a zero length ends them. */
export function readMismatches(map: BpfMap, first: number): PacketMismatch[] {
  const mismatches: PacketMismatch[] = [];
  const key = new DataView(new ArrayBuffer(4));
  for (let index = first; index < map.maxEntries; index++) {
    key.setUint32(0, index, true);
    const value = map.getBytes(new Uint8Array(key.buffer));
    const mismatch = value && decodeMismatch(value);
    if (!mismatch) break;
    mismatches.push(mismatch);
  }
  return mismatches;
}

function decodeMismatch(value: Uint8Array): PacketMismatch | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const expectedLength = Math.min(view.getUint16(EXPECTED, true), BUFFER);
  const gotLength = view.getUint16(GOT, true);
  if (!expectedLength || !gotLength) return undefined;
  const text = (index: number): string => {
    const bytes = value.subarray(index * STRING, (index + 1) * STRING);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  };
  return {
    name: text(0),
    file: text(1),
    line: Number(text(2)) || 0,
    firstLayer: text(3),
    expected: value.slice(EXPECTED + 2, EXPECTED + 2 + expectedLength),
    got: gotLength < expectedLength ? new Uint8Array() : value.slice(GOT + 2, GOT + 2 + expectedLength),
    gotLength,
  };
}
