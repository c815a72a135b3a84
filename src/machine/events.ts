import { EventKind, RunState } from '../../assembly/abi.js';
import type { Core } from './core.js';
import type { RunEvent } from './outcome.js';

/** Bytes before the payload of a record in the event log (assembly/events.ts). */
const HEADER = 24;

/** Decodes the records in the core's event log. `mapName` names a map by descriptor address. */
export function readEvents(core: Core, mapName: (handle: number) => string): RunEvent[] {
  const events: RunEvent[] = [];
  const used = core.run32(RunState.EVENTS_USED);
  const start = core.layout.EVENTS;
  for (let at = start; at < start + used; ) {
    const kind = core.u32(at) as EventKind;
    const total = core.u32(at + 4);
    const map = core.u32(at + 8);
    const index = core.u32(at + 12);
    const length = core.u32(at + 16);
    const extra = core.u32(at + 20);
    const payload = core.copy(at + HEADER, length);
    switch (kind) {
      case EventKind.PERF:
        events.push({
          kind: 'perf',
          map: mapName(map),
          cpu: index,
          data: payload.slice(0, extra),
          packet: payload.slice(extra),
        });
        break;
      case EventKind.RINGBUF:
        events.push({ kind: 'ringbuf', map: mapName(map), data: payload });
        break;
      case EventKind.CLONE_REDIRECT:
        events.push({ kind: 'clone', ifindex: index, ingress: (extra & 1) === 1, packet: payload });
        break;
      case EventKind.PRINT:
        events.push({ kind: 'print', text: new TextDecoder().decode(payload) });
        break;
    }
    at += total;
  }
  return events;
}
