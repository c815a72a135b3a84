import { type Era, holdsIn, type Span } from './era.js';

/** Where a packet was seen (TRACE_* in bpf/lib/trace.h, the subtype of a trace event). */
export const TRACE_POINTS: readonly (Span & { readonly id: number; readonly name: string; readonly text: string })[] = [
  { id: 0, name: 'TO_LXC', text: 'to the endpoint' },
  { id: 1, name: 'TO_PROXY', text: 'to the proxy' },
  { id: 2, name: 'TO_HOST', text: 'to the host' },
  { id: 3, name: 'TO_STACK', text: 'to the network stack of the node' },
  { id: 4, name: 'TO_OVERLAY', text: 'to the tunnel' },
  { id: 5, name: 'FROM_LXC', text: 'from the endpoint' },
  { id: 6, name: 'FROM_PROXY', text: 'from the proxy' },
  { id: 7, name: 'FROM_HOST', text: 'from the host' },
  { id: 8, name: 'FROM_STACK', text: 'from the network stack of the node' },
  { id: 9, name: 'FROM_OVERLAY', text: 'from the tunnel' },
  { id: 10, name: 'FROM_NETWORK', text: 'from the network' },
  { id: 11, name: 'TO_NETWORK', text: 'to the network' },
  { id: 12, name: 'FROM_CRYPTO', text: 'from decryption', since: 18 },
  { id: 13, name: 'TO_CRYPTO', text: 'to encryption', since: 18 },
];

/** Why a packet was forwarded (TRACE_REASON_* in bpf/lib/trace.h), without the bit for encryption. */
export const TRACE_REASONS: readonly (Span & { readonly code: number; readonly name: string })[] = [
  { code: 0, name: 'new' },
  { code: 1, name: 'established' },
  { code: 2, name: 'reply' },
  { code: 3, name: 'related' },
  { code: 4, name: 'reopened', until: 15 },
  { code: 5, name: 'unknown' },
  { code: 6, name: 'srv6-encap', since: 16 },
  { code: 7, name: 'srv6-decap', since: 16 },
  { code: 8, name: 'encrypt-overlay', since: 16, until: 18 },
];

/** Bit of the reason byte that says that the packet is or was encrypted (TRACE_REASON_ENCRYPTED). */
export const TRACE_ENCRYPTED = 0x80;

/** Name of an observation point; the number if the version has none of that number. */
export function tracePointName(id: number, era?: Era): string {
  return TRACE_POINTS.find((point) => point.id === id && holdsIn(point, era))?.name ?? String(id);
}

/** The reason byte of a trace event: its name (or number) and whether the packet is or was encrypted. */
export function traceReason(byte: number, era?: Era): { name: string; encrypted: boolean } {
  const code = byte & ~TRACE_ENCRYPTED;
  const reason = TRACE_REASONS.find((entry) => entry.code === code && holdsIn(entry, era));
  return { name: reason?.name ?? String(code), encrypted: (byte & TRACE_ENCRYPTED) !== 0 };
}
