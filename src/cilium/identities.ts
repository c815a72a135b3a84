import { type Era, holdsIn, type Span } from './era.js';

/** Numbers of the identities that have a meaning of their own (bpf/lib/identity.h). */
export const IDENTITY = {
  unknown: 0,
  host: 1,
  world: 2,
  unmanaged: 3,
  health: 4,
  init: 5,
  'remote-node': 6,
  'kube-apiserver': 7,
  ingress: 8,
  'world-ipv4': 9,
  'world-ipv6': 10,
  'encrypted-overlay': 11,
} as const;

/** Versions that brought one of them. */
const SINCE: Readonly<Record<string, Era>> = { 'world-ipv4': 15, 'world-ipv6': 15, 'encrypted-overlay': 16 };

/** Identities with a fixed number and meaning (pkg/identity/numericidentity.go). */
export const RESERVED_IDENTITIES: readonly (Span & { readonly id: number; readonly name: string })[] = [
  ...Object.entries(IDENTITY).map(([name, id]) => ({ id, name, since: SINCE[name] })),
  { id: 102, name: 'kube-dns' },
  { id: 103, name: 'eks-kube-dns' },
  { id: 104, name: 'core-dns' },
  { id: 105, name: 'cilium-operator' },
  { id: 106, name: 'eks-core-dns' },
  { id: 110, name: 'kube-dns' },
  { id: 111, name: 'eks-kube-dns' },
  { id: 112, name: 'core-dns' },
  { id: 113, name: 'cilium-operator' },
  { id: 114, name: 'eks-core-dns' },
];

/** Identities of a node alone have their scope in the top byte: addresses outside the cluster, and other nodes (1.15+). */
const LOCAL_SCOPES: Readonly<Record<number, string>> = { 1: 'cidr', 2: 'remote-node' };

/**
 * An identity for people: the name of a reserved one (`world`), `cidr (local 5)` for 1 << 24 | 5, `66770 (cluster 1)` for
 * one of another cluster (8 bits of cluster id, as by default), otherwise the number.
 */
export function identityText(id: number, era?: Era): string {
  const reserved = RESERVED_IDENTITIES.find((identity) => identity.id === id && holdsIn(identity, era));
  if (reserved) return reserved.name;
  const scope = id >>> 24;
  if (LOCAL_SCOPES[scope]) return `${LOCAL_SCOPES[scope]} (local ${id & 0xffffff})`;
  return id > 0xffff && scope === 0 ? `${id} (cluster ${id >>> 16})` : String(id);
}
