import { MapType, Packet, RunState } from '../../assembly/abi.js';
import { OffkernelError } from '../errors.js';
import type { HelperCall, HelperSpec, RunEnvironment, Socket } from '../helpers/helper.js';
import type { Core } from './core.js';
import type { BpfMap } from './map.js';
import type { MapAccess, RunEvent } from './outcome.js';
import type { SocketTable } from './sockets.js';

/** Thrown by HelperCall methods to end the run; the fault is already recorded in the core. Never leaves the machine. */
export class HelperFault extends OffkernelError {
  override name = 'HelperFault';
}

/** What a running program looks like to the helper bridge. */
export interface CallFrame {
  readonly core: Core;
  readonly env: RunEnvironment;
  readonly sockets: SocketTable;
  readonly events: RunEvent[];
  readonly accesses: MapAccess[];
  /** The map with that handle. */
  mapAt(handle: bigint): BpfMap | undefined;
  programType: string;
  attachType: string | undefined;
  /** Packet model in use; false for programs without packet. */
  hasPacket: boolean;
  /** Socket that sk_assign gave the packet to. */
  assignedSocket: Socket | undefined;
}

/** HelperCall over a running machine. One object serves all calls of a machine; `helper` changes per call. */
export class MachineCall implements HelperCall {
  helper!: HelperSpec;
  /** Message of the last `fail`. */
  message = '';
  readonly #frame: CallFrame;

  constructor(frame: CallFrame) {
    this.#frame = frame;
  }

  arg(n: 1 | 2 | 3 | 4 | 5): bigint {
    return this.#frame.core.register(n);
  }

  u32(n: 1 | 2 | 3 | 4 | 5): number {
    const { core } = this.#frame;
    return core.u32(core.layout.REGISTERS + n * 8);
  }

  s32(n: 1 | 2 | 3 | 4 | 5): number {
    return this.u32(n) | 0;
  }

  peek(address: bigint, length: number): Uint8Array | undefined {
    const { core } = this.#frame;
    return core.exports.canRead(address, length) ? core.copy(Number(address), length) : undefined;
  }

  read(address: bigint, length: number): Uint8Array {
    const { core } = this.#frame;
    if (!core.exports.checkRead(address, length)) throw new HelperFault('read');
    return core.copy(Number(address), length);
  }

  readString(address: bigint, limit: number): Uint8Array {
    const bytes: number[] = [];
    for (let i = 0; i < limit; i++) {
      const byte = this.read(address + BigInt(i), 1)[0]!;
      if (byte === 0) break;
      bytes.push(byte);
    }
    return Uint8Array.from(bytes);
  }

  write(address: bigint, bytes: Uint8Array): void {
    const { core } = this.#frame;
    if (!core.exports.checkWrite(address, bytes.length)) throw new HelperFault('write');
    // Nothing may go anywhere, even outside memory.
    if (bytes.length) core.write(Number(address), bytes);
  }

  get context(): DataView {
    const { core } = this.#frame;
    return new DataView(core.bytes.buffer, core.layout.CONTEXTS, core.layout.CONTEXT_SLOT_SIZE);
  }

  get programType(): string {
    return this.#frame.programType;
  }

  get attachType(): string | undefined {
    return this.#frame.attachType;
  }

  packet(): Uint8Array {
    if (!this.#frame.hasPacket) return new Uint8Array();
    const { core } = this.#frame;
    return core.copy(core.packet32(Packet.DATA), core.packet32(Packet.LENGTH));
  }

  get env(): RunEnvironment {
    return this.#frame.env;
  }

  fail(message: string): never {
    this.message = message;
    throw new HelperFault(message);
  }

  print(text: string): void {
    this.#frame.events.push({ kind: 'print', text });
  }

  exposeSocket(socket: Socket): bigint {
    return this.#frame.sockets.expose(socket);
  }

  socketAt(address: bigint): Socket | undefined {
    return this.#frame.sockets.at(address);
  }

  exposeTcpSocket(socket: Socket): bigint {
    return this.#frame.sockets.expose(socket, 'tcp');
  }

  mapAt(handle: bigint): BpfMap | undefined {
    return this.#frame.mapAt(handle);
  }

  storage(handle: bigint, owner: bigint, initial?: Uint8Array): bigint {
    const map = this.#storageMap(handle);
    const key = storageKey(owner);
    if (initial && !map.getBytes(key)) map.setBytes(key, initial);
    return BigInt(map.addressOf(key));
  }

  deleteStorage(handle: bigint, owner: bigint): boolean {
    const map = this.#storageMap(handle);
    const key = storageKey(owner);
    if (!map.getBytes(key)) return false;
    map.deleteBytes(key);
    return true;
  }

  #storageMap(handle: bigint): BpfMap {
    const map = this.mapAt(handle);
    if (!map || map.type !== MapType.SK_STORAGE)
      this.fail(`argument 1 of ${this.helper.name} is no socket storage: 0x${handle.toString(16)}`);
    return map;
  }

  releaseSocket(address: bigint): boolean {
    return this.#frame.sockets.release(address);
  }

  get atIngress(): boolean {
    return this.#frame.core.packet32(Packet.AT_INGRESS) === 1;
  }

  assignSocket(socket: Socket): void {
    this.#frame.assignedSocket = socket;
  }

  /** Id of the helper in progress, as the core sees it. */
  get id(): number {
    return this.#frame.core.run32(RunState.HELPER);
  }
}

/** Storage maps are hashes by the owner's cookie. */
function storageKey(owner: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, owner, true);
  return key;
}
