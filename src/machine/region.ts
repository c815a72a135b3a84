import { Packet, RunState } from '../../assembly/abi.js';
import type { Core } from './core.js';
import type { Region } from './fault.js';
import type { BpfMap } from './map.js';

export interface Located {
  region: Region | undefined;
  /** Sharper fault kind where the region tells one. */
  kind?: 'null-pointer' | 'stale-packet';
}

/** Addresses below this are offsets from a null pointer (no region starts lower; kernel: the zero page). */
const NULL_PAGE = 4096n;
/** struct bpf_sock. */
const SOCKET_SIZE = 80;
/** How far from an object an access may be and still be reported relative to it. */
const NEAR = 4096;

/** Names the region an address belongs to, or is closest to, for the report of a fault. */
export function locate(core: Core, maps: Iterable<BpfMap>, address: bigint, contextSize: number): Located {
  if (address < NULL_PAGE) return { region: undefined, kind: 'null-pointer' };
  if (address >= BigInt(core.layout.LIMIT)) return { region: undefined };
  const at = Number(address);
  const { layout } = core;
  if (at >= layout.PACKETS && at < layout.PACKETS + layout.PACKETS_SIZE) return locatePacket(core, at);
  if (at >= layout.STACK - layout.STACK_FRAME && at < layout.STACK + layout.STACK_SIZE) {
    const depth = core.run32(RunState.DEPTH);
    const frame = Math.min(Math.max(0, Math.floor((at - layout.STACK) / layout.STACK_STRIDE)), depth);
    // Offsets are shown as C programmers see the stack: relative to the frame pointer.
    return {
      region: {
        name: 'stack',
        offset: at - (layout.STACK + frame * layout.STACK_STRIDE + layout.STACK_FRAME),
        size: layout.STACK_FRAME,
      },
    };
  }
  if (at >= layout.CONTEXTS && at < layout.CONTEXTS + layout.CONTEXTS_SIZE) {
    const slot = Math.floor((at - layout.CONTEXTS) / layout.CONTEXT_SLOT_SIZE);
    return {
      region: {
        name: slot === 0 ? 'ctx' : 'socket',
        offset: (at - layout.CONTEXTS) % layout.CONTEXT_SLOT_SIZE,
        size: slot === 0 ? contextSize : SOCKET_SIZE,
      },
    };
  }
  return { region: locateValue(core, maps, at) };
}

function locatePacket(core: Core, at: number): Located {
  const data = core.packet32(Packet.DATA);
  const length = core.packet32(Packet.LINEAR);
  const { PACKETS, PACKET_BUFFER_SIZE } = core.layout;
  const current = Math.floor((data - PACKETS) / PACKET_BUFFER_SIZE);
  if (Math.floor((at - PACKETS) / PACKET_BUFFER_SIZE) !== current) return { region: undefined, kind: 'stale-packet' };
  return { region: { name: 'packet', offset: at - data, size: length } };
}

/** Start and end of the permitted run of bytes that holds `at`, or ends before / starts after it nearby. */
function permittedRun(core: Core, at: number): { start: number; end: number } | undefined {
  const bitmap = core.layout.READABLE;
  const bytes = core.bytes;
  const isSet = (address: number): boolean => ((bytes[bitmap + (address >>> 3)]! >>> (address & 7)) & 1) === 1;
  let inside = at;
  while (inside > at - NEAR && inside > 0 && !isSet(inside)) inside--;
  if (!isSet(inside)) return undefined;
  let start = inside;
  while (start > 0 && isSet(start - 1)) start--;
  let end = inside + 1;
  while (isSet(end)) end++;
  return { start, end };
}

function locateValue(core: Core, maps: Iterable<BpfMap>, at: number): Region | undefined {
  const run = permittedRun(core, at);
  if (!run) return undefined;
  const owner = core.exports.mapOfValue as (address: number) => number;
  const handle = owner(run.start) >>> 0;
  for (const map of maps) {
    if (map.handle === handle) {
      const what = map.spec.origin === 'data' ? map.name : `map ${map.name} value`;
      return { name: what, offset: at - run.start, size: run.end - run.start };
    }
  }
  return { name: 'memory', offset: at - run.start, size: run.end - run.start };
}
