import { formatEvent } from '../cilium/events/format.js';
import { decodeRunEvent } from '../cilium/events/run-event.js';
import type { Fault } from '../machine/fault.js';
import { formatFault } from '../machine/fault.js';
import type { LoadedObject } from '../machine/loaded.js';
import type { MapChange, Outcome, RunEvent } from '../machine/outcome.js';
import type { Program } from '../machine/program.js';

/** JSON of a fault: {kind, program, instruction, address, size, region, source} and what else is known. */
export function faultJson(fault: Fault): Record<string, unknown> {
  return {
    kind: fault.kind,
    message: formatFault(fault),
    program: fault.program,
    function: fault.function,
    instruction: fault.instruction,
    address: `0x${fault.address.toString(16)}`,
    size: fault.size,
    write: fault.write,
    region: fault.region ?? null,
    source: fault.line ? `${fault.line.file}:${fault.line.line}` : null,
    helper: fault.helper ?? null,
    registers: fault.registers.map((value) => `0x${value.toString(16)}`),
    calls: fault.calls.map((frame) => ({
      function: frame.function,
      instruction: frame.instruction,
      source: frame.line ? `${frame.line.file}:${frame.line.line}` : null,
    })),
  };
}

/** The event, with `decoded` if it is one of Cilium's: its fields and its text; the packet is that of the event itself. */
export function eventJson(event: RunEvent): Record<string, unknown> {
  if (event.kind === 'clone') {
    const { kind, ifindex, ingress, packet } = event;
    return { kind, ifindex, ingress, packet };
  }
  const decoded = decodeRunEvent(event);
  if (!decoded) return { ...event };
  return { ...event, decoded: { ...decoded, packet: undefined, bytes: undefined, text: formatEvent(decoded) } };
}

function changeJson(object: LoadedObject, name: string, change: MapChange): Record<string, unknown> {
  const map = object.maps.get(name) ?? object.machine.map(name);
  return {
    key: map.decodeKey(change.key),
    before: change.before ? map.decodeValue(change.before) : null,
    after: change.after ? map.decodeValue(change.after) : null,
  };
}

/** JSON of one run (documented in docs/commands.md); bytes become hex, 64-bit numbers decimal strings when printed. */
export function outcomeJson(object: LoadedObject, program: Program, outcome: Outcome): Record<string, unknown> {
  return {
    program: outcome.program,
    engine: outcome.engine,
    retval: outcome.retval,
    verdict: outcome.verdict,
    packet: outcome.packet ?? null,
    ctx: program.decodeContext(outcome),
    instructions: Number(outcome.instructions),
    tailCalls: outcome.tailCalls,
    redirect: outcome.redirect ?? null,
    events: outcome.events.map(eventJson),
    maps: Object.fromEntries(
      [...outcome.maps].map(([name, changes]) => [name, changes.map((change) => changeJson(object, name, change))]),
    ),
    fault: outcome.fault ? faultJson(outcome.fault) : null,
  };
}
