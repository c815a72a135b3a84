/**
 * The memory map: every region is a start/size pair derived from the end of the one before, all exported.
 * Addresses below 64 KiB hold AssemblyScript's own data and the machine's small state; a BPF program sees none of it.
 */
import { MapField, Packet, ProgramField, RunState } from "./abi";

/** Register file: r0..r10, 8 bytes each (r11..r15 scratch). Below 4096, so addresses fit in the decoded instruction. */
export const REGISTERS: u32 = 0x400;
export const REGISTERS_SIZE: u32 = 16 * 8;
export const RUN_STATE: u32 = REGISTERS + REGISTERS_SIZE;
export const RUN_STATE_SIZE: u32 = RunState.SIZE;
export const PACKET_STATE: u32 = RUN_STATE + RUN_STATE_SIZE;
export const PACKET_STATE_SIZE: u32 = Packet.SIZE;

/** Saved caller state of live frames, 128 bytes each: see engine/frames.ts. */
export const FRAME_SLOTS: u32 = 8;
export const FRAME_SLOT_SIZE: u32 = 128;
export const FRAMES: u32 = 0x10000;
export const FRAMES_SIZE: u32 = (FRAME_SLOTS + 1) * FRAME_SLOT_SIZE;

/** Context-like objects (the context itself, bpf_sock, bpf_tcp_sock): 256-byte slots reached through access tables only. */
export const CONTEXT_SLOT_SIZE: u32 = 256;
export const CONTEXT_SLOTS: u32 = 64;
export const CONTEXTS: u32 = 0x11000;
export const CONTEXTS_SIZE: u32 = CONTEXT_SLOT_SIZE * CONTEXT_SLOTS;
/** u32 address of the access table of each context slot, 0 = slot free. */
export const CONTEXT_TABLES: u32 = CONTEXTS + CONTEXTS_SIZE;
export const CONTEXT_TABLES_SIZE: u32 = CONTEXT_SLOTS * 4;

/** Stack frames: 512 bytes each, with a gap that no program may touch. Frame d is [STACK + d * STRIDE, + 512). */
export const STACK_FRAME: u32 = 512;
export const STACK_STRIDE: u32 = 512 + 64;
export const STACK: u32 = 0x18000;
export const STACK_SIZE: u32 = (FRAME_SLOTS + 1) * STACK_STRIDE;

/** Program descriptors, taken in order by the host. */
export const PROGRAMS: u32 = 0x20000;
export const PROGRAMS_MAX: u32 = 16384;
export const PROGRAMS_SIZE: u32 = PROGRAMS_MAX * ProgramField.SIZE;

/** Per helper id (0..1023) one byte: 0 unknown, 1 in assembly/, 2 on the host. */
export const HELPER_MODES: u32 = PROGRAMS + PROGRAMS_SIZE;
export const HELPER_MODES_SIZE: u32 = 1024;
/** u32 program descriptor of each tail call of the run, in order. */
export const TAIL_CALL_LOG: u32 = HELPER_MODES + HELPER_MODES_SIZE;
export const TAIL_CALL_LOG_SIZE: u32 = 64 * 4;

/** Map descriptors. */
export const MAPS: u32 = 0x100000;
export const MAPS_MAX: u32 = 16384;
export const MAPS_SIZE: u32 = MAPS_MAX * MapField.SIZE;

/**
 * Packet buffers. A helper that invalidates packet pointers moves the packet to the next buffer, so that an old
 * pointer leads to memory no program may touch (checksums and stores included, as the verifier has it).
 */
export const PACKET_BUFFERS: u32 = 8;
export const PACKET_BUFFER_SIZE: u32 = 0x28000;
export const PACKETS: u32 = MAPS + MAPS_SIZE;
export const PACKETS_SIZE: u32 = PACKET_BUFFERS * PACKET_BUFFER_SIZE;

/** Event log of a run: u32 EventKind, u32 total record length (multiple of 8), u32 map descriptor, u32 index, then by kind. */
export const EVENTS: u32 = PACKETS + PACKETS_SIZE;
export const EVENTS_SIZE: u32 = 0x100000;

/** Keys and values passed by the host; larger ones are allocated on the heap. */
export const EXCHANGE: u32 = EVENTS + EVENTS_SIZE;
export const EXCHANGE_SIZE: u32 = 0x40000;

/** Addresses a program may ever see lie below this; also the machine's memory limit. */
export const LIMIT: u32 = 0x20000000;
/** One bit per byte of memory: a BPF program may read it. Never touched pages cost nothing. */
export const READABLE: u32 = (EXCHANGE + EXCHANGE_SIZE + 0xfff) & ~0xfff;
export const READABLE_SIZE: u32 = LIMIT / 8 + 8;
/** One bit per byte of memory: a BPF program may write it. */
export const WRITABLE: u32 = READABLE + READABLE_SIZE;
export const WRITABLE_SIZE: u32 = LIMIT / 8 + 8;
/** Decoded instructions, 16 bytes each; every function is preceded by a 16-byte header that starts with FUNCTION_MAGIC. */
export const CODE: u32 = (WRITABLE + WRITABLE_SIZE + 0xfff) & ~0xfff;
export const CODE_SIZE: u32 = 0x2000000;
export const FUNCTION_MAGIC: u32 = 0x66706221;
/** One u32 execution counter per decoded instruction (only counted while RunState.COVERAGE is set). */
export const COUNTERS: u32 = CODE + CODE_SIZE;
export const COUNTERS_SIZE: u32 = CODE_SIZE / 4;
/** Everything allocated: map storage, ring buffers, memory for raw programs. */
export const HEAP: u32 = COUNTERS + COUNTERS_SIZE;
