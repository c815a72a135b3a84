/**
 * Numbers shared by the machine (AssemblyScript) and the host (TypeScript). Both compilers read this
 * file, so it holds only enums and needs no imports. A number is written here once and nowhere else.
 */

/** BPF program classes as far as the machine must tell them apart (which packet model, which redirect codes). */
export enum ProgramKind {
  /** No packet: cgroup sock_addr, tracing, raw bytecode ... */
  RAW = 0,
  /** sched_cls, sched_act, cgroup_skb, socket_filter, lwt_*, sk_skb: an skb. */
  SKB = 1,
  /** XDP: an xdp_buff. */
  XDP = 2,
}

/** Opcodes that one instruction byte cannot tell apart are decoded to these (plain ones keep their byte, 0..255). */
export enum Op {
  MOVSX8_64 = 256,
  MOVSX16_64,
  MOVSX32_64,
  MOVSX8_32,
  MOVSX16_32,
  SDIV64_K,
  SDIV64_X,
  SDIV32_K,
  SDIV32_X,
  SMOD64_K,
  SMOD64_X,
  SMOD32_K,
  SMOD32_X,
  LE16,
  LE32,
  LE64,
  BE16,
  BE32,
  BE64,
  BSWAP16,
  BSWAP32,
  BSWAP64,
  ATOMIC64_ADD,
  ATOMIC64_OR,
  ATOMIC64_AND,
  ATOMIC64_XOR,
  ATOMIC64_FETCH_ADD,
  ATOMIC64_FETCH_OR,
  ATOMIC64_FETCH_AND,
  ATOMIC64_FETCH_XOR,
  ATOMIC64_XCHG,
  ATOMIC64_CMPXCHG,
  ATOMIC32_ADD,
  ATOMIC32_OR,
  ATOMIC32_AND,
  ATOMIC32_XOR,
  ATOMIC32_FETCH_ADD,
  ATOMIC32_FETCH_OR,
  ATOMIC32_FETCH_AND,
  ATOMIC32_FETCH_XOR,
  ATOMIC32_XCHG,
  ATOMIC32_CMPXCHG,
  LOAD_ACQUIRE8,
  LOAD_ACQUIRE16,
  LOAD_ACQUIRE32,
  LOAD_ACQUIRE64,
  STORE_RELEASE8,
  STORE_RELEASE16,
  STORE_RELEASE32,
  STORE_RELEASE64,
  /** 64-bit constant, map handle or address: one decoded instruction, followed by a PADDING slot. */
  LD_IMM64,
  /** call of a helper implemented in assembly/ or on the host; the immediate is the helper id. */
  CALL_HELPER,
  /** bpf-to-bpf call; the target is an absolute code address. */
  CALL_LOCAL,
  /** call of a kfunc by host number. */
  CALL_KFUNC,
  /** anything the decoder rejects: faults with INVALID_INSTRUCTION when executed. */
  INVALID,
  /** second slot of LD_IMM64; never executed. */
  PADDING,
}

/** Why a run stopped. */
export enum Status {
  /** The program returned; r0 is its result. */
  EXIT = 0,
  /** A fault; the fault record says which. */
  FAULT = 1,
  /** Single-step mode: one instruction was executed, the run can be resumed. */
  STEP = 2,
}

/** Kinds of fault, see docs/architecture.md. */
export enum FaultKind {
  NONE = 0,
  /** Access outside every region the program may see; the host names the nearest region. */
  OUT_OF_BOUNDS,
  /** Write to memory that is readable only. */
  READ_ONLY,
  /** Read of stack bytes never written (only with trackUninitialised). */
  UNINITIALISED_STACK,
  /** Context access the program type does not allow. */
  BAD_CONTEXT_ACCESS,
  /** Helper id that has no implementation. */
  UNKNOWN_HELPER,
  /** Helper argument the verifier would have refused (bad pointer, wrong map type ...). */
  BAD_HELPER_ARGUMENT,
  /** More than 8 nested frames. */
  CALL_DEPTH,
  /** The instruction budget is used up. */
  INSTRUCTION_BUDGET,
  /** Reserved or unknown instruction. */
  INVALID_INSTRUCTION,
  /** Misaligned atomic. */
  MISALIGNED,
  /** The machine's memory limit is reached. */
  OUT_OF_MEMORY,
  /** Thrown by a host helper. */
  HOST,
  /** Jump, call or tail call to an address that holds no instruction. */
  BAD_JUMP,
}

/** BPF_MAP_TYPE_* (include/uapi/linux/bpf.h). */
export enum MapType {
  UNSPEC = 0,
  HASH = 1,
  ARRAY = 2,
  PROG_ARRAY = 3,
  PERF_EVENT_ARRAY = 4,
  PERCPU_HASH = 5,
  PERCPU_ARRAY = 6,
  STACK_TRACE = 7,
  CGROUP_ARRAY = 8,
  LRU_HASH = 9,
  LRU_PERCPU_HASH = 10,
  LPM_TRIE = 11,
  ARRAY_OF_MAPS = 12,
  HASH_OF_MAPS = 13,
  DEVMAP = 14,
  SOCKMAP = 15,
  CPUMAP = 16,
  XSKMAP = 17,
  SOCKHASH = 18,
  CGROUP_STORAGE = 19,
  REUSEPORT_SOCKARRAY = 20,
  PERCPU_CGROUP_STORAGE = 21,
  QUEUE = 22,
  STACK = 23,
  SK_STORAGE = 24,
  DEVMAP_HASH = 25,
  STRUCT_OPS = 26,
  RINGBUF = 27,
  INODE_STORAGE = 28,
  TASK_STORAGE = 29,
  BLOOM_FILTER = 30,
  USER_RINGBUF = 31,
  CGRP_STORAGE = 32,
  ARENA = 33,
}

/** BPF_F_* map creation flags. */
export enum MapFlag {
  NO_PREALLOC = 0x1,
  NO_COMMON_LRU = 0x2,
  NUMA_NODE = 0x4,
  RDONLY = 0x8,
  WRONLY = 0x10,
  ZERO_SEED = 0x40,
  RDONLY_PROG = 0x80,
  WRONLY_PROG = 0x100,
  MMAPABLE = 0x400,
  INNER_MAP = 0x1000,
}

/** errno values; helpers return them negated and sign-extended to 64 bits. 524 is the kernel-internal ENOTSUPP. */
export enum Errno {
  EPERM = 1,
  ENOENT = 2,
  E2BIG = 7,
  EBADF = 9,
  EAGAIN = 11,
  ENOMEM = 12,
  EACCES = 13,
  EFAULT = 14,
  EBUSY = 16,
  EEXIST = 17,
  ENODEV = 19,
  EINVAL = 22,
  ENOSPC = 28,
  ERANGE = 34,
  EDEADLK = 35,
  ENOMSG = 42,
  EPROTO = 71,
  EBADMSG = 74,
  EOVERFLOW = 75,
  EPROTONOSUPPORT = 93,
  ESOCKTNOSUPPORT = 94,
  EOPNOTSUPP = 95,
  EAFNOSUPPORT = 97,
  ENETUNREACH = 101,
  EALREADY = 114,
  ENOTSUPP = 524,
}

/** Kinds of record in the event log, in the order a run made them. */
export enum EventKind {
  /** perf_event_output: data, then the appended packet bytes. */
  PERF = 1,
  /** ring buffer record that was submitted or output. */
  RINGBUF = 2,
  /** clone_redirect: flags, ifindex; packet bytes, context (192 bytes), packet state. */
  CLONE_REDIRECT = 3,
  /** trace_printk text. */
  PRINT = 4,
  /** A map access: key, then the value if there is one; index = helper id, extra = 1 found, 0 missed, or errno. */
  MAP_ACCESS = 5,
}

/** Offsets in the run state (RUN_STATE in memory.ts): inputs of a run and what it left behind. All fields 8-byte aligned. */
export enum RunState {
  /** u64 CLOCK_MONOTONIC in ns, what ktime_get_ns returns. */
  CLOCK_NS = 0,
  /** u64 added to the clock by every read of it (0: the clock stands still). */
  CLOCK_STEP_NS = 8,
  /** u64 state of the random number generator (xorshift64*). */
  RANDOM = 16,
  /** u32 current CPU. */
  CPU = 24,
  /** u32 number of possible CPUs. */
  CPUS = 28,
  /** u64 instruction budget left. */
  BUDGET = 32,
  /** u32 successful tail calls of this run. */
  TAIL_CALLS = 40,
  /** u32 ProgramKind of the running program. */
  PROGRAM_KIND = 44,
  /** u32 code address of the instruction being executed (valid when a run stops and during helper calls). */
  PC = 48,
  /** u32 depth of the current frame, 0 = main. */
  DEPTH = 52,
  /** u32 FaultKind. */
  FAULT_KIND = 56,
  /** u32 size of the faulting access, bytes. */
  FAULT_SIZE = 60,
  /** u64 faulting address. */
  FAULT_ADDRESS = 64,
  /** u32 1 = write. */
  FAULT_WRITE = 72,
  /** u32 helper id or argument number, by kind. */
  FAULT_DETAIL = 76,
  /** u32 redirect: 0 none, 1 redirect, 2 redirect_peer, 3 redirect_neigh, 4 redirect_map. */
  REDIRECT_KIND = 80,
  /** u32 ifindex (or key of redirect_map). */
  REDIRECT_IFINDEX = 84,
  /** u64 flags. */
  REDIRECT_FLAGS = 88,
  /** u32 map descriptor of redirect_map. */
  REDIRECT_MAP = 96,
  /** u32 length of the neighbour parameters of redirect_neigh, stored at REDIRECT_NEIGH. */
  REDIRECT_NEIGH_LENGTH = 100,
  /** 24 bytes. */
  REDIRECT_NEIGH = 104,
  /** u64 CLOCK_BOOTTIME minus CLOCK_MONOTONIC. */
  BOOT_OFFSET_NS = 128,
  /** u64 CLOCK_TAI minus CLOCK_MONOTONIC. */
  TAI_OFFSET_NS = 136,
  /** u64 jiffies64. */
  JIFFIES = 144,
  /** u32 bytes used in the event log. */
  EVENTS_USED = 152,
  /** u32 number of executed tail calls recorded in TAIL_CALL_LOG. */
  TAIL_CALL_LOGGED = 156,
  /** u32 1 = packet pointers were handed out since the packet last moved. */
  PACKET_EXPOSED = 160,
  /** u32 1 = stack reads are checked for initialisation. */
  TRACK_UNINITIALISED = 164,
  /** u64 executed instructions. */
  EXECUTED = 168,
  /** u32 1 = stop after every instruction. */
  SINGLE_STEP = 176,
  /** u32 running program's descriptor (changes with tail calls). */
  PROGRAM = 180,
  /** u32 id of the helper being called, 0 outside. */
  HELPER = 184,
  /** u32 1 = count executions of every instruction in COUNTERS. */
  COVERAGE = 188,
  /** u32 1 = map accesses go into the event log. */
  RECORD_ACCESSES = 192,
  SIZE = 200,
}

/** Offsets in the packet state (PACKET_STATE in memory.ts), shared by skb and xdp. KERNEL facts: skb fields listed in docs. */
export enum Packet {
  /** u32 address of the first byte the program sees (L2 for tc and xdp, L3 for cgroup_skb, socket_filter, lwt). */
  DATA = 0,
  /** u32 length in bytes from DATA (for xdp: linear part plus frags). */
  LENGTH = 4,
  /** u32 linear length; equals LENGTH but for xdp with frags. */
  LINEAR = 8,
  /** u32 metadata length before DATA. */
  META_LENGTH = 12,
  /** u32 free bytes before the metadata (kernel's view of headroom). */
  HEADROOM = 16,
  /** s32 mac header offset relative to DATA. */
  MAC_OFFSET = 20,
  /** s32 network header offset relative to DATA. */
  NETWORK_OFFSET = 24,
  /** s32 transport header position in the kernel's sense (offset from head, 0xffff = unset). */
  TRANSPORT = 28,
  /** u32 index of the packet buffer in use. */
  BUFFER = 32,
  /** u32 1 = encapsulation flag (sticky). */
  ENCAPSULATION = 36,
  /** u32 1 = hash is valid. */
  HASH_VALID = 40,
  /** u32 ip_summed: 0 NONE, 1 UNNECESSARY, 2 COMPLETE. */
  IP_SUMMED = 44,
  /** u32 csum accumulator (COMPLETE). */
  CSUM = 48,
  /** u32 csum_level. */
  CSUM_LEVEL = 52,
  /** u32 1 = tunnel metadata present (from reception), 2 = set by the program. */
  TUNNEL_PRESENT = 56,
  /** u32 tunnel flags (be16 TUNNEL_* bits as in the kernel's info). */
  TUNNEL_FLAGS = 60,
  /** u32 length of tunnel options. */
  TUNNEL_OPTIONS_LENGTH = 64,
  /** u32 1 = tunnel key is IPv6. */
  TUNNEL_IPV6 = 68,
  /** 44 bytes struct bpf_tunnel_key as set. */
  TUNNEL_KEY = 72,
  /** 256 bytes options. */
  TUNNEL_OPTIONS = 120,
  /** u32 1 = skb is at tc ingress. */
  AT_INGRESS = 376,
  /** u32 gso_type. */
  GSO_TYPE = 380,
  /** u32 1 = the XDP program handles frags / buffer limit end offset etc. */
  XDP_FRAGS = 384,
  /** u32 device MTU of the skb's device. */
  DEVICE_MTU = 388,
  /** u32 address and length of what programs may touch now. */
  PERMITTED = 392,
  PERMITTED_LENGTH = 396,
  /** u32 linear limit of xdp from the start of the headroom (kernel: frame size minus shared info). */
  XDP_LIMIT = 400,
  /** u32 length of the last xdp frag, 0 without frags. */
  XDP_LAST_FRAG = 404,
  /** 44 bytes of scratch for the tunnel helpers. */
  TUNNEL_SCRATCH = 408,
  SIZE = 456,
}

/** Offsets in a map descriptor (128 bytes in MAPS). A map handle (what lddw loads) is the address of one. */
export enum MapField {
  /** u32 magic 0x6d617021 while the map exists. */
  MAGIC = 0,
  /** u32 MapType. */
  TYPE = 4,
  KEY_SIZE = 8,
  VALUE_SIZE = 12,
  MAX_ENTRIES = 16,
  /** u32 creation flags. */
  FLAGS = 20,
  /** u32 id, 1.. */
  ID = 24,
  /** u32 entries now. */
  COUNT = 28,
  /** u32 stride of one value in bytes (per CPU). */
  STRIDE = 32,
  /** u32 address of the main storage (array elements, bucket array, ring ...). */
  STORAGE = 36,
  /** u64 map_extra. */
  EXTRA = 40,
  /** u32 descriptor of the inner map template, 0 if none. */
  INNER = 48,
  /** u32 1 = frozen for the host. */
  FROZEN = 52,
  /** from here on private to the map type's file in assembly/maps. */
  PRIVATE = 56,
  SIZE = 128,
}

/** Offsets in a program descriptor (32 bytes in PROGRAMS). */
export enum ProgramField {
  /** u32 address of the first decoded instruction. */
  ENTRY = 0,
  /** u32 ProgramKind. */
  KIND = 4,
  /** u32 BPF_PROG_TYPE_* of the kernel (prog-array compatibility, context rules). */
  TYPE = 8,
  /** u32 id, 1.. */
  ID = 12,
  /** u32 context access table in use (address). */
  CONTEXT_TABLE = 16,
  /** u32 1 = xdp.frags. */
  FRAGS = 20,
  SIZE = 32,
}

/**
 * A context access descriptor is a u32: bit 0 = allowed, bits 1-3 = log2 of the width to load or store at the
 * backing field, bits 4-7 = ContextAccess, bits 8-23 = offset of the backing field. One per (offset, log2 width)
 * for reads, then the same for writes: table[(write * 256 + offset) * 4 + log2 width].
 */
export enum ContextAccess {
  /** Load or store the backing field. */
  PLAIN = 0,
  /** Reads as constant zero. */
  ZERO = 1,
  /** Read hands out a packet pointer. */
  PACKET_POINTER = 2,
  /** Store keeps the low 16 bits. */
  STORE16 = 3,
  /** Store keeps the low 16 bits, ignored when the source register is 0xffff or more (queue_mapping). */
  STORE_QUEUE = 4,
  /** Natural slice: load the access width at the accessed offset itself. */
  SLICE = 5,
}
