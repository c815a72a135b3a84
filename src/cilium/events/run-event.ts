import type { RunEvent } from '../../machine/outcome.js';
import type { Era } from '../era.js';
import { decodeEvent, decodeSignal } from './decode.js';
import type { CiliumEvent } from './event.js';

/** Names of the maps in the agent's objects (`cilium_events`) and in objects of the bare tree (`test_cilium_events_65535`). */
const EVENTS = /cilium_events|^test_events_map$/;
const SIGNALS = /cilium_signals/;

/**
 * The Cilium event in what a run emitted: maps named `cilium_events` or `cilium_signals`, also within longer names.
 * Undefined for everything else. `era` names what differs between versions if it is known.
 */
export function decodeRunEvent(event: RunEvent, era?: Era): CiliumEvent | undefined {
  if (event.kind !== 'perf') return undefined;
  if (EVENTS.test(event.map)) return decodeEvent(event.data, event.packet, era);
  if (SIGNALS.test(event.map)) return decodeSignal(event.data);
  return undefined;
}
