import type { RunEvent } from '../../machine/outcome.js';
import type { Era } from '../era.js';
import { decodeEvent, decodeSignal } from './decode.js';
import type { CiliumEvent } from './event.js';

/**
 * The Cilium event in what a run emitted: maps named `cilium_events` or `cilium_signals`, also with something before or
 * behind (`test_cilium_events_65535`). Undefined for everything else.
 */
export function decodeRunEvent(event: RunEvent, era?: Era): CiliumEvent | undefined {
  if (event.kind !== 'perf') return undefined;
  if (event.map.includes('cilium_events')) return decodeEvent(event.data, event.packet, era);
  if (event.map.includes('cilium_signals')) return decodeSignal(event.data);
  return undefined;
}
