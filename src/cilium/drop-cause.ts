import { dropReason } from './drop-reasons.js';
import type { Era } from './era.js';
import { accessesOf, type DecodedAccess, MAPS, type MapPurpose } from './map-access.js';
import { slotName } from './tail-calls.js';

/** Purposes of the maps that decide about drop reasons, by the reason's name. */
const DECIDING_MAPS: Readonly<Record<string, readonly MapPurpose[]>> = {
  POLICY: ['policy', 'ipcache'],
  MISSED_TAIL_CALL: ['tailCalls'],
  NO_TUNNEL_KEY: ['tunnels', 'ipcache'],
  UNKNOWN_TARGET: ['endpoints', 'ipcache'],
  UNROUTABLE: ['endpoints', 'ipcache', 'tunnels'],
  CT_CREATE_FAILED: ['conntrack'],
  NO_SERVICE: ['backends', 'services'],
  NO_TUNNEL_ENDPOINT: ['ipcache', 'tunnels'],
  UNKNOWN_CT: ['conntrack'],
  HOST_UNREACHABLE: ['endpoints'],
  NAT_NO_MAPPING: ['sourceNat'],
  NO_FIB: ['neighbours'],
  FRAG_NOT_FOUND: ['fragments'],
  NOT_IN_SRC_RANGE: ['sourceRanges'],
  POLICY_DENY: ['policy'],
  POLICY_AUTH_REQUIRED: ['authentication', 'policy'],
  CT_NO_MAP_FOUND: ['conntrack'],
  SNAT_NO_MAP_FOUND: ['sourceNat'],
  NO_EGRESS_GATEWAY: ['egressGateway'],
  NO_EGRESS_IP: ['egressGateway'],
  NO_NODE_ID: ['nodes'],
  HOST_NOT_READY: ['tailCalls'],
  EP_NOT_READY: ['tailCalls'],
  NO_DEVICE: ['devices'],
};

/** The byte of a policy value that has the bit for denial (struct policy_entry of every version). */
const POLICY_FLAGS_OFFSET = 2;
const POLICY_DENY = 1;

/** The map element behind a drop. */
export interface DropCause {
  readonly access: DecodedAccess;
  /** `no entry in cilium_policy for {...}`. */
  readonly text: string;
}

/**
 * The map elements that led to a drop with this reason code (undefined: unknown), from the map accesses of the run, the most
 * telling one first. Only maps that have to do with the reason are named; a denied policy entry and a refused update count
 * as well as a missing element.
 */
export function dropCauses(reason: number | undefined, accesses: readonly DecodedAccess[], era?: Era): DropCause[] {
  const purposes = reason === undefined ? undefined : DECIDING_MAPS[dropReason(reason)?.name ?? ''];
  if (!purposes) return [];
  const causes = purposes.flatMap((purpose) => {
    const own =
      purpose === 'tailCalls'
        ? accesses.filter(({ operation }) => operation === 'tail call')
        : accessesOf(accesses, purpose);
    const denied = purpose === 'policy' ? own.findLast(denies) : undefined;
    if (denied) return [{ access: denied, text: `denied by ${describeFound(denied)}` }];
    // Every look-up of the policy has to miss before a packet is dropped; elsewhere the last one decides.
    const missed = own.filter(({ error }) => error !== 0);
    const shown = purpose === 'policy' ? missed : missed.slice(-1);
    return shown.map((access) => ({ access, text: describeMissed(access, era) }));
  });
  const service = purposes.includes('services') && !causes.length && lastService(accesses);
  return service ? [{ access: service, text: `no backend: ${describeFound(service)}` }] : causes;
}

/** The entry of a Service itself, which counts its backends; those of backends have a number in `backend_slot`. */
function lastService(accesses: readonly DecodedAccess[]): DecodedAccess | undefined {
  return accessesOf(accesses, 'services').findLast(
    ({ key, error }) => error === 0 && Number((key as Record<string, unknown> | undefined)?.backend_slot) === 0,
  );
}

function denies({ operation, value, valueBytes, error }: DecodedAccess): boolean {
  if (operation !== 'lookup' || error !== 0 || value === undefined) return false;
  return ((valueBytes?.[POLICY_FLAGS_OFFSET] ?? 0) & POLICY_DENY) !== 0;
}

/** An element that was found, with what it says. */
export function describeFound({ map, keyText, valueText }: DecodedAccess): string {
  return `${map}[${keyText}] = ${valueText}`;
}

/** What was missing or refused, in words; slots of tail calls get their names in the version. */
export function describeMissed({ map, operation, keyText, error, errorName }: DecodedAccess, era?: Era): string {
  switch (operation) {
    case 'tail call': {
      if (POLICY_CALLS.test(map)) return `slot ${keyText} of ${map} is empty: no policy program of endpoint ${keyText}`;
      const name = era === undefined ? undefined : slotName(Number(keyText), era);
      return `slot ${keyText}${name ? ` (${name})` : ''} of ${map} is empty`;
    }
    case 'lookup':
      return `${map} has no entry for ${keyText}`;
    default:
      return `${operation} of ${map}[${keyText}] was refused: ${errorName ?? error}`;
  }
}

/** Tail-call maps with an endpoint id as key. */
const POLICY_CALLS = /policy/i;

/** Drop reason that the run counted in its metrics map, for programs that send no drop event. */
export function countedDropReason(accesses: readonly DecodedAccess[]): number | undefined {
  const counted = accesses.filter(({ map, keyBytes }) => MAPS.metrics.test(map) && (keyBytes[0] ?? 0) >= FIRST_DROP);
  return counted.at(-1)?.keyBytes[0];
}

/** Codes of drop reasons begin there (DROP_MIN in bpf/lib/common.h). */
const FIRST_DROP = 130;
