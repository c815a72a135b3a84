import type {
  HelperCall,
  HelperSpec,
  MapInfo,
  RunEnvironment,
  Socket,
  StartedTimer,
} from '../../src/helpers/helper.js';
import { HOST_HELPERS } from '../../src/helpers/host.js';
import { helperByName } from '../../src/helpers/table.js';

/** Thrown where a real machine would end the run in a fault. */
export class FakeFault extends Error {}

const BASE = 0x10000;
const SIZE = 0x10000;
const SOCKETS = 0x900000;

/**
 * A machine just good enough for host helpers: 64 KiB of memory the program may read and write, a context slot, sockets at
 * made-up addresses. Accesses outside throw FakeFault.
 */
export class FakeCall implements HelperCall {
  helper: HelperSpec;
  programType = 'sched_cls';
  attachType: string | undefined = undefined;
  readonly memory = new Uint8Array(SIZE);
  readonly context = new DataView(new ArrayBuffer(256));
  readonly printed: string[] = [];
  readonly maps = new Map<bigint, MapInfo>();
  readonly timers: StartedTimer[] = [];
  readonly assigned: Socket[] = [];
  readonly env: RunEnvironment;
  atIngress = false;
  packetBytes = new Uint8Array(60);
  #args: bigint[] = [];
  #top = BASE;
  #sockets: Socket[] = [];

  constructor(env: Partial<RunEnvironment> = {}) {
    this.helper = helperByName('trace_printk')!;
    this.env = {
      devices: [],
      routes: [],
      neighbours: [],
      sockets: [],
      netnsCookie: 1n,
      cgroupId: 1n,
      task: { pid: 11, tgid: 22, uid: 33, gid: 44, comm: 'task' },
      ...env,
    };
  }

  /** Calls a host helper by name; the result as a signed 64-bit number. */
  call(name: string, ...args: (bigint | number)[]): bigint {
    const helper = helperByName(name);
    const run = helper && HOST_HELPERS.get(helper.id);
    if (!helper || !run) throw new Error(`${name} has no host implementation`);
    this.helper = helper;
    this.#args = args.map((value) => BigInt.asUintN(64, BigInt(value)));
    return BigInt.asIntN(64, BigInt(run(this)));
  }

  /** Address of a copy of the bytes. */
  put(content: Uint8Array | string | number): bigint {
    const bytes =
      typeof content === 'number'
        ? new Uint8Array(content)
        : typeof content === 'string'
          ? new TextEncoder().encode(`${content}\0`)
          : content;
    const address = this.#top;
    this.memory.set(bytes, address - BASE);
    this.#top += (bytes.length + 23) & ~7;
    return BigInt(address);
  }

  /** Address of little-endian 64-bit words. */
  putWords(...values: (bigint | number)[]): bigint {
    const bytes = new Uint8Array(values.length * 8);
    values.forEach((value, i) => {
      new DataView(bytes.buffer).setBigUint64(i * 8, BigInt.asUintN(64, BigInt(value)), true);
    });
    return this.put(bytes);
  }

  /** Bytes as they are now. */
  at(address: bigint, length: number): Uint8Array {
    return this.read(address, length);
  }

  /** Text up to the NUL. */
  text(address: bigint): string {
    return new TextDecoder().decode(this.readString(address, SIZE));
  }

  word(address: bigint): bigint {
    return new DataView(this.read(address, 8).buffer).getBigInt64(0, true);
  }

  arg(n: 1 | 2 | 3 | 4 | 5): bigint {
    return this.#args[n - 1] ?? 0n;
  }

  u32(n: 1 | 2 | 3 | 4 | 5): number {
    return Number(BigInt.asUintN(32, this.arg(n)));
  }

  s32(n: 1 | 2 | 3 | 4 | 5): number {
    return this.u32(n) | 0;
  }

  peek(address: bigint, length: number): Uint8Array | undefined {
    const start = Number(address) - BASE;
    if (start < 0 || start + length > SIZE) return undefined;
    return this.memory.slice(start, start + length);
  }

  read(address: bigint, length: number): Uint8Array {
    if (length === 0) return new Uint8Array();
    const bytes = this.peek(address, length);
    if (!bytes) throw new FakeFault(`read of ${length} bytes at 0x${address.toString(16)}`);
    return bytes;
  }

  readString(address: bigint, limit: number): Uint8Array {
    const bytes: number[] = [];
    while (bytes.length < limit) {
      const byte = this.read(address + BigInt(bytes.length), 1)[0]!;
      if (byte === 0) break;
      bytes.push(byte);
    }
    return Uint8Array.from(bytes);
  }

  write(address: bigint, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (!this.peek(address, bytes.length)) throw new FakeFault(`write at 0x${address.toString(16)}`);
    this.memory.set(bytes, Number(address) - BASE);
  }

  packet(): Uint8Array {
    return this.packetBytes;
  }

  fail(message: string): never {
    throw new FakeFault(message);
  }

  print(text: string): void {
    this.printed.push(text);
  }

  exposeSocket(socket: Socket): bigint {
    let index = this.#sockets.indexOf(socket);
    if (index < 0) index = this.#sockets.push(socket) - 1;
    return BigInt(SOCKETS + index * 256);
  }

  exposeTcpSocket(socket: Socket): bigint {
    return this.exposeSocket(socket) + 128n;
  }

  socketAt(address: bigint): Socket | undefined {
    const index = (Number(address) - SOCKETS) / 256;
    return this.#sockets[index];
  }

  releaseSocket(address: bigint): boolean {
    return this.socketAt(address) !== undefined;
  }

  mapAt(handle: bigint): MapInfo | undefined {
    return this.maps.get(handle);
  }

  assignSocket(socket: Socket): void {
    this.assigned.push(socket);
  }

  timerStarted(timer: StartedTimer): void {
    this.timers.push(timer);
  }
}

/** A socket with the given fields, an idle TCP one otherwise. */
export function socket(fields: Partial<Socket> = {}): Socket {
  return {
    id: 1,
    family: 2,
    type: 1,
    protocol: 6,
    mark: 0,
    priority: 0,
    boundDevice: 0,
    source: new Uint8Array(4),
    sourcePort: 0,
    destination: new Uint8Array(4),
    destinationPort: 0,
    state: 7,
    cookie: 9n,
    netnsCookie: 1n,
    options: new Map(),
    ...fields,
  };
}
