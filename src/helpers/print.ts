import { Errno } from '../../assembly/abi.js';
import { type FormatMemory, formatText, MAX_ARGUMENTS, terminated } from './format.js';
import type { HelperCall, HostHelper } from './helper.js';
import { tryRead, tryReadString, words } from './memory.js';

/** Buffer of the printing helpers, NUL included (MAX_BPRINTF_BUF). */
const TEXT_ROOM = 1024;
/** Longest format string that is looked at. */
const MAX_FORMAT = 1 << 16;

function memoryOf(call: HelperCall): FormatMemory {
  return {
    bytes: (address, length) => tryRead(call, address, length),
    string: (address, limit) => tryReadString(call, address, limit),
  };
}

/** The u64 array that trace_vprintk, snprintf and seq_printf take; undefined if its length is not right. */
function arrayArguments(call: HelperCall, address: bigint, length: number): bigint[] | undefined {
  if (length % 8 || length > MAX_ARGUMENTS * 8 || (length && address === 0n)) return undefined;
  return length ? words(call.read(address, length)) : [];
}

/** Formats and prints; the number of characters, or a negative errno. */
function print(call: HelperCall, formatAddress: bigint, formatSize: number, args: readonly bigint[]): number {
  const format = terminated(call.read(formatAddress, Math.min(formatSize, MAX_FORMAT)));
  if (!format) return -Errno.EINVAL;
  const text = formatText(format, args, memoryOf(call), TEXT_ROOM - 1);
  if (typeof text === 'number') return text;
  // What follows an embedded NUL is not part of the line.
  call.print(new TextDecoder().decode(terminated(text.bytes) ?? text.bytes));
  return text.length;
}

/** trace_printk(fmt, fmt_size, a, b, c): up to three arguments (KERNEL bpf_trace_printk). */
const tracePrintk: HostHelper = (call) =>
  print(call, call.arg(1), call.u32(2), [call.arg(3), call.arg(4), call.arg(5)]);

/** trace_vprintk(fmt, fmt_size, data, data_len). */
const traceVprintk: HostHelper = (call) => {
  const args = arrayArguments(call, call.arg(3), call.u32(4));
  return args ? print(call, call.arg(1), call.u32(2), args) : -Errno.EINVAL;
};

/** snprintf(str, str_size, fmt, data, data_len): length that is needed, NUL included. */
const snprintf: HostHelper = (call) => {
  const size = call.u32(2);
  const args = arrayArguments(call, call.arg(4), call.u32(5));
  if (!args) return -Errno.EINVAL;
  const format = call.readString(call.arg(3), MAX_FORMAT);
  const text = formatText(format, args, memoryOf(call), Math.max(0, Math.min(size, MAX_FORMAT) - 1));
  if (typeof text === 'number') return text;
  if (size) call.write(call.arg(1), Uint8Array.from([...text.bytes, 0]));
  return text.length + 1;
};

/** seq_printf(m, fmt, fmt_size, data, data_len): the text goes to the event list. */
const seqPrintf: HostHelper = (call) => {
  const args = arrayArguments(call, call.arg(4), call.u32(5));
  if (!args) return -Errno.EINVAL;
  return Math.min(0, print(call, call.arg(2), call.u32(3), args));
};

/** seq_write(m, data, len): as text in the event list, bytes beyond ASCII as they decode. */
const seqWrite: HostHelper = (call) => {
  call.print(new TextDecoder().decode(call.read(call.arg(2), call.u32(3))));
  return 0;
};

export const PRINT_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [6, tracePrintk],
  [126, seqPrintf],
  [127, seqWrite],
  [165, snprintf],
  [177, traceVprintk],
];
