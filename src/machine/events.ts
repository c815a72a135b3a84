import { Errno, EventKind, Packet, RunState } from '../../assembly/abi.js';
import { SK_BUFF_SIZE } from '../contexts/sk_buff.js';
import type { Core } from './core.js';
import type { BpfMap } from './map.js';
import type { MapAccess, RunEvent } from './outcome.js';
import { tunnelOf } from './tunnel.js';

/** Bytes before the payload of a record in the event log (assembly/events.ts). */
const HEADER = 24;

/** Operations by helper id. */
const OPERATIONS: Readonly<Record<number, MapAccess['operation']>> = {
  1: 'lookup',
  2: 'update',
  3: 'delete',
  12: 'tail call',
  195: 'lookup',
};

/** What a run wrote into the log. */
export interface RunLog {
  events: RunEvent[];
  accesses: MapAccess[];
}

/** Decodes the records in the core's event log and appends them. `mapOf` finds a map by descriptor address. */
export function readLog(core: Core, mapOf: (handle: number) => BpfMap | undefined, log: RunLog): void {
  const { events, accesses } = log;
  const used = core.run32(RunState.EVENTS_USED);
  const start = core.layout.EVENTS;
  for (let at = start; at < start + used; ) {
    const kind = core.u32(at) as EventKind;
    const total = core.u32(at + 4);
    const map = mapOf(core.u32(at + 8));
    const name = map?.name ?? '?';
    const index = core.u32(at + 12);
    const length = core.u32(at + 16);
    const extra = core.u32(at + 20);
    const payload = core.copy(at + HEADER, length);
    switch (kind) {
      case EventKind.PERF:
        events.push({
          kind: 'perf',
          map: name,
          cpu: index,
          data: payload.slice(0, extra),
          packet: payload.slice(extra),
        });
        break;
      case EventKind.RINGBUF:
        events.push({ kind: 'ringbuf', map: name, data: payload });
        break;
      case EventKind.CLONE_REDIRECT:
        events.push(clone(index, (extra & 1) === 1, payload));
        break;
      case EventKind.PRINT:
        events.push({ kind: 'print', text: new TextDecoder().decode(payload) });
        break;
      case EventKind.MAP_ACCESS:
        if (map) accesses.push(access(map, OPERATIONS[index]!, payload, extra));
        break;
    }
    at += total;
  }
}

/** `code`: 1 or 0 for what was found or not, else r0 of the helper. */
function access(map: BpfMap, operation: MapAccess['operation'], payload: Uint8Array, code: number): MapAccess {
  const isSearch = operation === 'lookup' || operation === 'tail call';
  const value = payload.length > map.keySize ? payload.slice(map.keySize) : undefined;
  const error = isSearch ? (code ? 0 : -Errno.ENOENT) : code | 0;
  return { map: map.name, operation, key: payload.slice(0, map.keySize), value, error };
}

/** The payload of a clone: packet, context, packet state. */
function clone(ifindex: number, ingress: boolean, payload: Uint8Array): RunEvent {
  const state = payload.length - Packet.SIZE;
  const context = state - SK_BUFF_SIZE;
  return {
    kind: 'clone',
    ifindex,
    ingress,
    packet: payload.slice(0, context),
    context: payload.slice(context, state),
    tunnel: tunnelOf(payload.slice(state)),
  };
}
