import { instantiateSync } from '@assemblyscript/loader';
import type { Packet, RunState } from '../../assembly/abi.js';
import { OffkernelError, UsageError } from '../errors.js';
import { CORE_WASM } from './core-wasm.generated.js';

/** Addresses and sizes of the memory map (assembly/memory.ts), read from the core's exported constants. */
const LAYOUT = [
  'REGISTERS',
  'RUN_STATE',
  'PACKET_STATE',
  'CONTEXTS',
  'CONTEXTS_SIZE',
  'CONTEXT_SLOT_SIZE',
  'CONTEXT_SLOTS',
  'CONTEXT_TABLES',
  'FRAMES',
  'FRAME_SLOT_SIZE',
  'STACK',
  'STACK_SIZE',
  'STACK_STRIDE',
  'STACK_FRAME',
  'PROGRAMS',
  'PROGRAMS_MAX',
  'HELPER_MODES',
  'HELPER_MODES_SIZE',
  'TAIL_CALL_LOG',
  'MAPS',
  'MAPS_SIZE',
  'PACKETS',
  'PACKETS_SIZE',
  'PACKET_BUFFER_SIZE',
  'EVENTS',
  'EXCHANGE',
  'EXCHANGE_SIZE',
  'LIMIT',
  'READABLE',
  'WRITABLE',
  'CODE',
  'CODE_SIZE',
  'COUNTERS',
  'HEAP',
  'FUNCTION_MAGIC',
] as const;

export type Layout = Readonly<Record<(typeof LAYOUT)[number], number>>;

/** Functions the core calls on the host while a program runs. */
export interface HostImports {
  helper(id: number): number;
  kfunc(index: number): number;
  drain(): void;
}

/** Exports of the core that the host uses; all numbers are i32 unless a bigint says i64. */
export interface CoreExports {
  readonly memory: WebAssembly.Memory;
  init(): void;
  reset(codeEnd: number): void;
  heapTop(): number;
  allocate(size: number): number;
  free(address: number, size: number): void;
  permit(address: number, length: number, write: boolean): void;
  forbid(address: number, length: number): void;
  begin(program: number): void;
  resume(): number;
  finish(): void;
  canRead(address: bigint, length: number): boolean;
  checkRead(address: bigint, length: number): boolean;
  checkWrite(address: bigint, length: number): boolean;
  raise(kind: number, address: bigint, size: number, write: boolean, detail: number): void;
  [name: string]: unknown;
}

let compiled: WebAssembly.Module | undefined;

function coreModule(): WebAssembly.Module {
  if (!compiled) {
    const text = atob(CORE_WASM);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    compiled = new WebAssembly.Module(bytes);
  }
  return compiled;
}

/** An instance of the core. Its imports call whichever host uses it at the time. */
interface Instance {
  readonly exports: CoreExports;
  readonly layout: Layout;
  host: HostImports | undefined;
}

/**
 * Emptied instances for the next machines: a new one costs milliseconds and, because of the address space it takes, soon a
 * garbage collection.
 */
const idle: Instance[] = [];
const MAX_IDLE = 2;
/** An instance whose heap is larger is left to the garbage collector instead. */
const MAX_IDLE_HEAP = 0x2000000;

function instantiate(): Instance {
  const host = (): HostImports => {
    if (!instance.host) throw new OffkernelError('the core runs without a host');
    return instance.host;
  };
  const imports: HostImports = {
    helper: (id) => host().helper(id),
    kfunc: (index) => host().kfunc(index),
    drain: () => host().drain(),
  };
  // The instance's own exports, not the loader's wrappers around them: these are called millions of times.
  const { instance: wasm } = instantiateSync(coreModule(), { host: { ...imports } });
  const exports = wasm.exports as unknown as CoreExports;
  const layout: Partial<Record<(typeof LAYOUT)[number], number>> = {};
  for (const name of LAYOUT) {
    const constant = exports[name];
    if (!(constant instanceof WebAssembly.Global)) throw new OffkernelError(`core lacks the constant ${name}`);
    layout[name] = (constant.value as number) >>> 0;
  }
  const instance: Instance = { exports, layout: layout as Layout, host: undefined };
  exports.init();
  return instance;
}

/** What a core without an instance has for exports. */
const RELEASED = new Proxy({} as CoreExports, {
  get() {
    throw new UsageError('this machine was disposed of');
  },
});

/** One instance of the machine's core and typed access to its memory. */
export class Core {
  readonly layout: Layout;
  #instance: Instance | undefined;
  #exports: CoreExports;
  #buffer: ArrayBuffer;
  #bytes: Uint8Array;
  #view: DataView;

  constructor(host: HostImports) {
    const instance = idle.pop() ?? instantiate();
    instance.host = host;
    this.#instance = instance;
    this.#exports = instance.exports;
    this.layout = instance.layout;
    this.#buffer = this.#exports.memory.buffer;
    this.#bytes = new Uint8Array(this.#buffer);
    this.#view = new DataView(this.#buffer);
  }

  /** Functions and constants of the core. Throws UsageError behind {@link release}. */
  get exports(): CoreExports {
    return this.#exports;
  }

  /** Gives the instance back for another core to use; this one throws UsageError from then on. `codeEnd`: see reset(). */
  release(codeEnd: number): void {
    const instance = this.#instance;
    if (!instance) return;
    this.#instance = undefined;
    this.#exports = RELEASED;
    this.#buffer = new ArrayBuffer(0);
    this.#bytes = new Uint8Array();
    this.#view = new DataView(this.#buffer);
    instance.host = undefined;
    const { exports, layout } = instance;
    if (idle.length >= MAX_IDLE || (exports.heapTop() >>> 0) - layout.HEAP > MAX_IDLE_HEAP) return;
    exports.reset(codeEnd);
    idle.push(instance);
  }

  #refresh(): void {
    const buffer = this.#exports.memory.buffer;
    if (buffer === this.#buffer) return;
    this.#buffer = buffer;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** All of linear memory; do not keep it across calls into the core (memory may grow). */
  get bytes(): Uint8Array {
    this.#refresh();
    return this.#bytes;
  }

  get view(): DataView {
    this.#refresh();
    return this.#view;
  }

  u32(address: number): number {
    return this.view.getUint32(address, true);
  }

  setU32(address: number, value: number): void {
    this.view.setUint32(address, value, true);
  }

  u64(address: number): bigint {
    return this.view.getBigUint64(address, true);
  }

  setU64(address: number, value: bigint): void {
    this.view.setBigUint64(address, BigInt.asUintN(64, value), true);
  }

  register(n: number): bigint {
    return this.u64(this.layout.REGISTERS + n * 8);
  }

  setRegister(n: number, value: bigint): void {
    this.setU64(this.layout.REGISTERS + n * 8, value);
  }

  run32(field: RunState): number {
    return this.u32(this.layout.RUN_STATE + field);
  }

  setRun32(field: RunState, value: number): void {
    this.setU32(this.layout.RUN_STATE + field, value);
  }

  run64(field: RunState): bigint {
    return this.u64(this.layout.RUN_STATE + field);
  }

  setRun64(field: RunState, value: bigint): void {
    this.setU64(this.layout.RUN_STATE + field, value);
  }

  packet32(field: Packet): number {
    return this.u32(this.layout.PACKET_STATE + field);
  }

  setPacket32(field: Packet, value: number): void {
    this.setU32(this.layout.PACKET_STATE + field, value);
  }

  /** A copy of memory. */
  copy(address: number, length: number): Uint8Array {
    return this.bytes.slice(address, address + length);
  }

  write(address: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, address);
  }

  /**
   * Calls `use` with the address of a copy of `bytes` in linear memory: the exchange area, or the heap if they do not
   * fit. `slot` 0..3 divides the exchange area so that several arguments can be passed at once.
   */
  withBytes<T>(bytes: Uint8Array, slot: number, use: (address: number) => T): T {
    const room = this.layout.EXCHANGE_SIZE / 4;
    if (bytes.length <= room) {
      const address = this.layout.EXCHANGE + slot * room;
      this.write(address, bytes);
      return use(address);
    }
    const address = this.exports.allocate(bytes.length) >>> 0;
    if (!address) throw new OffkernelError(`the machine's memory limit is reached (${bytes.length} bytes wanted)`);
    this.write(address, bytes);
    try {
      return use(address);
    } finally {
      this.exports.free(address, bytes.length);
    }
  }
}
