import { type Era, holdsIn, type Span } from './era.js';

/** Identities with a fixed number and meaning (pkg/identity/numericidentity.go). */
export const RESERVED_IDENTITIES: readonly (Span & { readonly id: number; readonly name: string })[] = [
  { id: 0, name: 'unknown' },
  { id: 1, name: 'host' },
  { id: 2, name: 'world' },
  { id: 3, name: 'unmanaged' },
  { id: 4, name: 'health' },
  { id: 5, name: 'init' },
  { id: 6, name: 'remote-node' },
  { id: 7, name: 'kube-apiserver' },
  { id: 8, name: 'ingress' },
  { id: 9, name: 'world-ipv4', since: 15 },
  { id: 10, name: 'world-ipv6', since: 15 },
  { id: 11, name: 'encrypted-overlay', since: 16 },
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
