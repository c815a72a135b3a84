import { canonicalCidr } from '../../network/scenario/identities.js';
import { familyFields, familyOf, splitCidr } from './addresses.js';
import type { PlanContext, PlannedMap } from './plan-types.js';

/** cilium_tunnel_map (up to 1.17): node of every remote Pod prefix. */
export function tunnelMap({ cluster, node, objects, features }: PlanContext): PlannedMap | undefined {
  const layout = objects.layout('cilium_tunnel_map');
  if (!layout || features.routing !== 'tunnel') return undefined;
  const others = cluster.nodes.filter((other) => other !== node);
  return {
    map: layout.spec.name,
    entries: others.flatMap((other) =>
      other.podCIDRs
        .filter((cidr) => (familyOf(cidr) === 2 ? features.ipv6 : features.ipv4))
        .map((cidr) => ({
          key: layout.key(familyFields(splitCidr(canonicalCidr(cidr)).address)),
          value: layout.value(familyFields(other.ipv4 ?? other.ipv6!)),
        })),
    ),
  };
}

/** cilium_node_map (1.14+): ids of all nodes by address. */
export function nodeMap({ cluster, objects }: PlanContext): PlannedMap | undefined {
  const layout = objects.layout('cilium_node_map');
  if (!layout) return undefined;
  return {
    map: layout.spec.name,
    entries: cluster.nodes.flatMap((node) =>
      [node.ipv4, node.ipv6]
        .filter((address): address is string => address !== undefined)
        .map((address) => ({
          key: layout.key(familyFields(address)),
          value: layout.hasValue('id') ? layout.value({ id: node.id }) : node.id,
        })),
    ),
  };
}

/** cilium_ipmasq_v4, _v6: destinations that are not masqueraded. */
export function ipmasqMap({ objects, features }: PlanContext, family: 4 | 6): PlannedMap | undefined {
  const layout = objects.layout(`cilium_ipmasq_v${family}`);
  if (!layout) return undefined;
  const cidrs = features.masquerade.nonMasqueradeCIDRs
    .map(canonicalCidr)
    .filter((cidr) => familyOf(cidr) === (family === 6 ? 2 : 1));
  return {
    map: layout.spec.name,
    entries: cidrs.map((cidr) => {
      const { address, length } = splitCidr(cidr);
      return {
        key: layout.key({ lpm: { prefixlen: length }, lpm_key: { prefixlen: length }, addr: address, address }),
        value: layout.hasValue('flags') ? layout.value({ flags: 0 }) : 0,
      };
    }),
  };
}
