import { explainDrop, formatEvent } from '../cilium/events/format.js';
import { decodeRunEvent } from '../cilium/events/run-event.js';
import { decodeContext, encodeContext } from '../contexts/context.js';
import { formatFault } from '../machine/fault.js';
import type { LoadedObject } from '../machine/loaded.js';
import type { Outcome, RunEvent } from '../machine/outcome.js';
import type { Program, RunInput } from '../machine/program.js';
import { diffPackets, formatDiff } from '../packet/diff.js';
import { formatFields, formatPacket } from '../packet/print.js';
import { bold, dim, green, red, supportsColour } from './format.js';

function hexOf(bytes: Uint8Array, limit = 64): string {
  const text = [...bytes.subarray(0, limit)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return bytes.length > limit ? `${text}... (${bytes.length} bytes)` : text;
}

/** One line of an event: in words if it is one of Cilium's, else its bytes as hex. */
export function eventText(event: RunEvent): string {
  const decoded = decodeRunEvent(event);
  if (decoded) return formatEvent(decoded);
  switch (event.kind) {
    case 'perf':
      return `${event.map} (CPU ${event.cpu}): ${hexOf(event.data)}${event.packet.length ? ` + ${event.packet.length} packet bytes` : ''}`;
    case 'ringbuf':
      return `${event.map}: ${hexOf(event.data)}`;
    case 'clone':
      return `clone to ifindex ${event.ifindex}${event.ingress ? ' ingress' : ''}: ${formatPacket(event.packet)}`;
    case 'print':
      return `printed: ${event.text.trimEnd()}`;
  }
}

/** Fields of the context that the program changed; only of programs without a packet, whose result they are. */
function contextChanges(program: Program, outcome: Outcome, given: RunInput['context']): string[] {
  if (outcome.packet || program.contextType.isRaw) return [];
  const bytes = given instanceof Uint8Array ? given : encodeContext(program.contextType, given ?? {});
  const full = new Uint8Array(program.contextType.size);
  full.set(bytes.subarray(0, full.length));
  const before = decodeContext(program.contextType, full);
  return Object.entries(program.decodeContext(outcome))
    .filter(([name, value]) => String(value) !== String(before[name]))
    .map(([name, value]) => `${name} ${before[name]} -> ${value}`);
}

/** The result of a run for people: verdict, tail calls, redirect, packet diff, map changes, events, fault. */
export function printOutcome(
  object: LoadedObject,
  program: Program,
  outcome: Outcome,
  before: Uint8Array | undefined,
  options: { verbose: boolean; context: RunInput['context'] },
): void {
  const write = (text: string): void => void process.stdout.write(`${text}\n`);
  if (before) write(`${dim('in ')} ${formatPacket(before)}`);
  const verdict = outcome.fault ? red('FAULT') : green(outcome.verdict);
  write(
    `${bold(outcome.program)}: ${verdict}${dim(`  (r0 = 0x${outcome.r0.toString(16)}, ${outcome.instructions} instructions)`)}`,
  );
  if (outcome.tailCalls.length) write(`  tail calls: ${outcome.tailCalls.join(' -> ')}`);
  if (outcome.redirect) {
    const { kind, ifindex, flags, map } = outcome.redirect;
    write(
      `  ${kind}: ${map ? `${map}[${ifindex}]` : `ifindex ${ifindex}`}${flags ? `, flags 0x${flags.toString(16)}` : ''}`,
    );
  }
  if (outcome.packet && before) {
    const diff = diffPackets(before, outcome.packet);
    const text = formatDiff(diff, { colour: supportsColour() });
    if (text) {
      write(`${dim('out')} ${formatPacket(outcome.packet)}`);
      write(text.replace(/^/gm, '  '));
    } else write('  packet unchanged');
    if (options.verbose) write(formatFields(outcome.packet));
  }
  for (const change of contextChanges(program, outcome, options.context)) write(`  ctx ${change}`);
  for (const [name, changes] of outcome.maps) {
    const map = object.maps.get(name) ?? object.machine.map(name);
    for (const change of changes) {
      const was = change.before ? map.formatValue(change.before) : '(absent)';
      const now = change.after ? map.formatValue(change.after) : '(deleted)';
      write(`  map ${name}[${map.formatKey(change.key)}]: ${was} -> ${now}`);
    }
  }
  for (const event of outcome.events) {
    const decoded = decodeRunEvent(event);
    write(`  event ${eventText(event)}`);
    if (decoded?.type === 'drop') write(dim(`      ${explainDrop(decoded)}`));
  }
  if (outcome.fault) {
    write(red(`  ${formatFault(outcome.fault)}`));
    if (outcome.fault.line?.text) write(dim(`      ${outcome.fault.line.text.trim()}`));
  }
}
