import { type Era, holdsIn, type Span } from './era.js';
import { identityText } from './identities.js';
import { swap16 } from './values.js';

/** What the bits of a mark beside the magic carry. */
type Payload = 'identity' | 'proxy port' | 'endpoint' | 'node' | 'key' | 'none';

export interface MarkDescription extends Span {
  /** Value under `mask`. */
  readonly magic: number;
  /** Bits 8-11 for all but the few that set a bit of the key as well. */
  readonly mask: number;
  readonly name: string;
  readonly payload: Payload;
}

/** Values of skb->mark (MARK_MAGIC_* in bpf/lib/common.h); the first that fits holds. */
export const MARKS: readonly MarkDescription[] = [
  { magic: 0x1500, mask: 0xff00, name: 'SNAT_DONE', payload: 'none', until: 13 },
  { magic: 0x1400, mask: 0xff00, name: 'OVERLAY_ENCRYPTED', payload: 'identity', since: 18, until: 18 },
  { magic: 0x1d00, mask: 0xffffffff, name: 'DECRYPTED_OVERLAY', payload: 'none', since: 16, until: 16 },
  { magic: 0x1e00, mask: 0xffffffff, name: 'WG_ENCRYPTED', payload: 'none', since: 14, until: 18 },
  { magic: 0x0200, mask: 0x0f00, name: 'TO_PROXY', payload: 'proxy port' },
  { magic: 0x0300, mask: 0x0f00, name: 'SNAT_DONE', payload: 'none', since: 14 },
  { magic: 0x0400, mask: 0x0f00, name: 'OVERLAY', payload: 'identity', since: 16 },
  { magic: 0x0500, mask: 0x0f00, name: 'EGW_DONE', payload: 'identity', since: 16 },
  { magic: 0x0800, mask: 0x0f00, name: 'PROXY_TO_WORLD', payload: 'none', since: 16, until: 18 },
  { magic: 0x0800, mask: 0x0f00, name: 'SKIP_TPROXY', payload: 'none', since: 19 },
  { magic: 0x0900, mask: 0x0f00, name: 'PROXY_EGRESS_EPID', payload: 'endpoint', since: 12 },
  { magic: 0x0a00, mask: 0x0f00, name: 'PROXY_INGRESS', payload: 'identity' },
  { magic: 0x0b00, mask: 0x0f00, name: 'PROXY_EGRESS', payload: 'identity' },
  { magic: 0x0c00, mask: 0x0f00, name: 'HOST', payload: 'identity' },
  { magic: 0x0d00, mask: 0x0f00, name: 'DECRYPT', payload: 'node' },
  { magic: 0x0e00, mask: 0x0f00, name: 'ENCRYPT', payload: 'key' },
  { magic: 0x0f00, mask: 0x0f00, name: 'IDENTITY', payload: 'identity' },
];

/** Identity in a mark: its low 16 bits in bits 16-31, its next 8 bits in bits 0-7. */
export function markIdentity(mark: number): number {
  return (mark >>> 16) | ((mark & 0xff) << 16);
}

/**
 * skb->mark in words, e.g. `IDENTITY 1234`, `TO_PROXY port 10000`, `SNAT_DONE`; `none` for 0, the number in hex if its magic
 * is not one of the version.
 */
export function describeMark(mark: number, era: Era): string {
  const value = mark >>> 0;
  if (value === 0) return 'none';
  const found = MARKS.find((entry) => holdsIn(entry, era) && (value & entry.mask) >>> 0 === entry.magic);
  return found ? [found.name, ...payloadText(value, found.payload, era)].join(' ') : `0x${value.toString(16)}`;
}

function payloadText(mark: number, payload: Payload, era: Era): string[] {
  const upper = mark >>> 16;
  switch (payload) {
    case 'identity':
      return [identityText(markIdentity(mark), era)];
    case 'proxy port':
      // The port lies in the mark as in the packet; a cluster id shares the magic and has the low byte to itself.
      if (era >= 14 && mark & 0xff) return [`cluster ${mark & 0xff}`];
      return upper ? [`port ${swap16(upper)}`] : [];
    case 'endpoint':
      return [`endpoint ${upper}`];
    case 'node':
      return upper ? [`node ${upper}`] : [];
    case 'key':
      return [`key ${(mark >>> 12) & 15}`, ...(upper ? [`node ${upper}`] : [])];
    case 'none':
      return [];
  }
}
