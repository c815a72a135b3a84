import { dropReason } from './drop-reasons.js';
import { type Era, holdsIn, type Span } from './era.js';

/** Reasons in the key of `cilium_metrics` below the drop reasons (REASON_* in bpf/lib/common.h). */
export const METRIC_REASONS: readonly (Span & {
  readonly code: number;
  readonly name: string;
  readonly text: string;
})[] = [
  { code: 0, name: 'FORWARDED', text: 'forwarded' },
  { code: 3, name: 'PLAINTEXT', text: 'sent or received in plain text' },
  { code: 4, name: 'DECRYPT', text: 'decrypted' },
  { code: 5, name: 'LB_NO_BACKEND_SLOT', text: 'socket load balancing found no backend slot of the service' },
  { code: 6, name: 'LB_NO_BACKEND', text: 'socket load balancing found no backend of that id' },
  { code: 7, name: 'LB_REVNAT_UPDATE', text: 'socket load balancing could not store the reverse translation' },
  { code: 8, name: 'LB_REVNAT_STALE', text: 'socket load balancing met a stale reverse translation' },
  { code: 9, name: 'FRAG_PACKET', text: 'fragment' },
  { code: 10, name: 'FRAG_PACKET_UPDATE', text: 'the fragment tracking map could not be updated' },
  { code: 11, name: 'MISSED_CUSTOM_CALL', text: 'no custom program at its tail call', until: 18 },
  { code: 12, name: 'DECRYPTING', text: 'handed to decryption', since: 18 },
  { code: 13, name: 'ENCRYPTING', text: 'handed to encryption', since: 18 },
  { code: 14, name: 'LB_REVNAT_DELETE', text: 'socket load balancing removed a reverse translation', since: 18 },
  { code: 15, name: 'MTU_ERROR_MSG', text: 'answered with a packet-too-big message', since: 19 },
];

/** Directions in the key of `cilium_metrics` (enum metric_dir). */
export const METRIC_DIRECTIONS: Readonly<Record<number, string>> = { 1: 'ingress', 2: 'egress', 3: 'service' };

/** Name of a reason in `cilium_metrics`: a forwarding reason, or from 130 on the drop reason; the number if it is neither. */
export function metricReasonName(code: number, era?: Era): string {
  const reason = METRIC_REASONS.find((entry) => entry.code === code && holdsIn(entry, era));
  return reason?.name ?? dropReason(code, era)?.name ?? String(code);
}
