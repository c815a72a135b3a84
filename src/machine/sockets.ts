import type { Socket } from '../helpers/helper.js';
import type { Core } from './core.js';

/** Byte offsets of struct bpf_sock as programs see it (include/uapi/linux/bpf.h). */
const SOCK = {
  boundDevice: 0,
  family: 4,
  type: 8,
  protocol: 12,
  mark: 16,
  priority: 20,
  sourceIp4: 24,
  sourceIp6: 28,
  sourcePort: 44,
  destinationPort: 48,
  destinationIp4: 52,
  destinationIp6: 56,
  state: 72,
  queue: 76,
};

/** How a program sees a socket: struct bpf_sock or bpf_tcp_sock. */
type View = 'sock' | 'tcp';

/**
 * Views of sockets, in context slots 1 and up. The counters of bpf_tcp_sock are those of a connection that moved nothing: 0. Views live until the end of the run; a released one stays
 * readable, as the verifier alone forbids its use in the kernel.
 */
export class SocketTable {
  readonly #core: Core;
  /** Addresses of the access tables. */
  readonly #tables: Readonly<Record<View, number>>;
  /** By slot; slot 0 is the context. */
  #views: ({ socket: Socket; view: View } | undefined)[] = [];
  #used = 1;

  constructor(core: Core, tables: Readonly<Record<View, number>>) {
    this.#core = core;
    this.#tables = tables;
  }

  /** Forgets all views; called before every run. */
  reset(): void {
    const { layout } = this.#core;
    for (let slot = 1; slot < this.#used; slot++) this.#core.setU32(layout.CONTEXT_TABLES + slot * 4, 0);
    this.#used = 1;
    this.#views = [];
  }

  /** Address of a view of the socket; the same one while a view exists. 0n when all slots are taken. */
  expose(socket: Socket, view: View = 'sock'): bigint {
    const { layout } = this.#core;
    const known = this.#views.findIndex((other) => other?.socket === socket && other.view === view);
    if (known > 0) return BigInt(layout.CONTEXTS + known * layout.CONTEXT_SLOT_SIZE);
    if (this.#used >= layout.CONTEXT_SLOTS) return 0n;
    const slot = this.#used++;
    this.#views[slot] = { socket, view };
    const address = layout.CONTEXTS + slot * layout.CONTEXT_SLOT_SIZE;
    if (view === 'sock') this.#fill(address, socket);
    else this.#core.write(address, new Uint8Array(layout.CONTEXT_SLOT_SIZE));
    this.#core.setU32(layout.CONTEXT_TABLES + slot * 4, this.#tables[view]);
    return BigInt(address);
  }

  #fill(address: number, socket: Socket): void {
    const bytes = new Uint8Array(this.#core.layout.CONTEXT_SLOT_SIZE);
    const view = new DataView(bytes.buffer);
    view.setUint32(SOCK.boundDevice, socket.boundDevice, true);
    view.setUint32(SOCK.family, socket.family, true);
    view.setUint32(SOCK.type, socket.type, true);
    view.setUint32(SOCK.protocol, socket.protocol, true);
    view.setUint32(SOCK.mark, socket.mark, true);
    view.setUint32(SOCK.priority, socket.priority, true);
    bytes.set(socket.source, socket.source.length === 4 ? SOCK.sourceIp4 : SOCK.sourceIp6);
    bytes.set(socket.destination, socket.destination.length === 4 ? SOCK.destinationIp4 : SOCK.destinationIp6);
    view.setUint32(SOCK.sourcePort, socket.sourcePort, true);
    view.setUint16(SOCK.destinationPort, socket.destinationPort, false);
    view.setUint32(SOCK.state, socket.state, true);
    view.setInt32(SOCK.queue, -1, true);
    this.#core.write(address, bytes);
  }

  at(address: bigint): Socket | undefined {
    const { layout } = this.#core;
    const offset = address - BigInt(layout.CONTEXTS);
    if (offset < 0n || offset >= BigInt(layout.CONTEXTS_SIZE) || offset % BigInt(layout.CONTEXT_SLOT_SIZE))
      return undefined;
    return this.#views[Number(offset) / layout.CONTEXT_SLOT_SIZE]?.socket;
  }

  release(address: bigint): boolean {
    return this.at(address) !== undefined;
  }
}
