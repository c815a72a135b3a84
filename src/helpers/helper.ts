/** What host-side helpers (TypeScript) see and return. */

/** Kinds of helper argument; the trace decodes arguments by them. */
export type ArgumentKind =
  | 'ctx'
  | 'map'
  | 'key' // pointer to a key of the map argument
  | 'value' // pointer to a value of the map argument
  | 'memory' // pointer to bytes the helper reads; length is the next 'size' argument
  | 'buffer' // pointer to bytes the helper writes; length is the next 'size' argument
  | 'size'
  | 'string' // NUL-terminated
  | 'function' // callback
  | 'pointer' // any other pointer (socket, struct of fixed size ...)
  | 'u16be'
  | 'u32'
  | 's32'
  | 'u64'
  | 's64'
  | 'flags'
  | 'ifindex';

export type ResultKind = 'errno' | 's64' | 'u32' | 'u64' | 'value' | 'pointer' | 'void' | 'verdict';

export interface HelperSpec {
  /** Kernel id (include/uapi/linux/bpf.h, ___BPF_FUNC_MAPPER). */
  readonly id: number;
  /** Kernel name without `bpf_`. */
  readonly name: string;
  readonly args: readonly ArgumentKind[];
  readonly returns: ResultKind;
  /** 'core': assembly/; 'host': TypeScript; 'none': known by name only, faults when called. */
  readonly where: 'core' | 'host' | 'none';
  /** Packet pointers are dead after the call (kernel bpf_helper_changes_pkt_data). */
  readonly invalidates: boolean;
}

/** What a helper may know of a map. */
export interface MapInfo {
  readonly name: string;
  /** BPF_MAP_TYPE_* number. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
}

/** A timer that a program started; nothing fires by itself. */
export interface StartedTimer {
  /** Address of the struct bpf_timer in its map value. */
  readonly timer: bigint;
  /** Map handle and code address as given to timer_init and timer_set_callback. */
  readonly map: bigint;
  readonly callback: bigint;
  readonly nanoseconds: bigint;
  readonly flags: bigint;
}

/**
 * One call of a host helper. Memory methods check the program's rights as the core does: a violation ends the run in
 * a Fault of the program, not in an exception of the host.
 */
export interface HelperCall {
  readonly helper: HelperSpec;
  /** Raw 64-bit argument 1..5, unsigned. */
  arg(n: 1 | 2 | 3 | 4 | 5): bigint;
  /** Argument truncated to u32. */
  u32(n: 1 | 2 | 3 | 4 | 5): number;
  /** Argument truncated to s32. */
  s32(n: 1 | 2 | 3 | 4 | 5): number;
  /** Copy of `length` bytes the program may read at an address argument's value. */
  read(address: bigint, length: number): Uint8Array;
  /** NUL-terminated string, at most `limit` bytes looked at. */
  readString(address: bigint, limit: number): Uint8Array;
  /** Writes bytes the program may write. */
  write(address: bigint, bytes: Uint8Array): void;
  /** The context slot of the running program: backing bytes, writable by helpers (see contexts/). */
  readonly context: DataView;
  /** Kernel program type of the running program, as ProgramSpec.type. */
  readonly programType: string;
  readonly attachType: string | undefined;
  /** Current packet bytes from the first byte the program sees (copy); empty for programs without packet. */
  packet(): Uint8Array;
  /** Ambient inputs of the run. */
  readonly env: RunEnvironment;
  /** Ends the run with a BAD_HELPER_ARGUMENT fault. */
  fail(message: string): never;
  /** Adds text to the run's event list (trace_printk). */
  print(text: string): void;
  /** Socket handling: address (BPF pointer) of a bpf_sock view of the socket, null pointer 0n for none. */
  exposeSocket(socket: Socket): bigint;
  /** The socket behind a BPF pointer, undefined if it is none. */
  socketAt(address: bigint): Socket | undefined;
  /** Forgets a socket reference (sk_release); false if the pointer is no referenced socket. */
  releaseSocket(address: bigint): boolean;
  /**
   * Copy of `length` bytes if the program may read them all, undefined without any fault otherwise: for helpers that
   * answer a bad pointer with EFAULT. Without it such pointers end the run like {@link read}.
   */
  peek?(address: bigint, length: number): Uint8Array | undefined;
  /** The map behind a handle argument, undefined if it is none. */
  mapAt?(handle: bigint): MapInfo | undefined;
  /**
   * Address of the value that a storage map keeps for an owner (a socket's cookie), 0n if there is none. One is made of
   * `initial` if that is given.
   */
  storage?(map: bigint, owner: bigint, initial?: Uint8Array): bigint;
  /** Removes it; false if there was none. */
  deleteStorage?(map: bigint, owner: bigint): boolean;
  /** Address of a bpf_tcp_sock view of a socket, 0n for none. */
  exposeTcpSocket?(socket: Socket): bigint;
  /** True if the skb is at tc ingress; BPF_PROG_TEST_RUN says false. */
  readonly atIngress?: boolean;
  /** The packet now belongs to the socket (sk_assign). */
  assignSocket?(socket: Socket): void;
  /** Takes note of a started timer. */
  timerStarted?(timer: StartedTimer): void;
}

/** A helper implemented on the host: the result is truncated to 64 bits, negative numbers are sign-extended. */
export type HostHelper = (call: HelperCall) => bigint | number;

/** A socket that look-ups can find; addresses are 4 or 16 bytes in network order, ports host order. */
export interface Socket {
  readonly id: number;
  family: number;
  type: number;
  protocol: number;
  mark: number;
  priority: number;
  boundDevice: number;
  source: Uint8Array;
  sourcePort: number;
  destination: Uint8Array;
  destinationPort: number;
  state: number;
  cookie: bigint;
  netnsCookie: bigint;
  /** setsockopt/getsockopt store, by `level:name`. */
  options: Map<string, Uint8Array>;
}

export interface Route {
  /** Destination prefix, 4 or 16 bytes network order, and its length in bits. */
  prefix: Uint8Array;
  length: number;
  /** Gateway, undefined = on link. */
  gateway?: Uint8Array;
  ifindex: number;
  source?: Uint8Array;
  table?: number;
  /** Locked MTU (`mtu lock N`); fib_lookup does not look at an unlocked one. */
  mtu?: number;
  /** Metric (rt_metric of fib_lookup). Default 0 for IPv4, 1024 for IPv6, as routes added without one have. */
  metric?: number;
  /** 'unicast' unless said otherwise. */
  type?: 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit';
}

export interface Neighbour {
  ifindex: number;
  address: Uint8Array;
  mac: Uint8Array;
}

export interface Device {
  ifindex: number;
  name: string;
  mac: Uint8Array;
  mtu: number;
  up: boolean;
  forwarding: boolean;
  /** Own addresses, 4 or 16 bytes each, the preferred one first: what fib_lookup's SRC flag chooses from. */
  addresses?: Uint8Array[];
}

/** Everything ambient that helpers answer from; given by the user or by the network model. */
export interface RunEnvironment {
  devices: Device[];
  routes: Route[];
  neighbours: Neighbour[];
  sockets: Socket[];
  netnsCookie: bigint;
  cgroupId: bigint;
  /** What get_current_pid_tgid, uid_gid, comm answer. */
  task: { pid: number; tgid: number; uid: number; gid: number; comm: string };
}
