import type { ClusterNode } from '../../network/scenario/cluster.js';
import { IDENTITY } from '../identities.js';
import { familyFields, familyOf, splitCidr } from './addresses.js';
import { hostAddresses } from './endpoint-maps.js';
import type { MapLayout } from './layout.js';
import type { PlanContext, PlannedMap } from './plan-types.js';

/** Bits between prefixlen and address that every key has in common: cluster id, padding, family. */
const STATIC_BITS = 32;

interface Prefix {
  cidr: string;
  identity: number;
  /** Node behind whose tunnel it lies. */
  behind: ClusterNode | undefined;
}

/** cilium_ipcache: identity and tunnel endpoint of every address of the cluster and of the prefixes in policies. */
export function ipcacheMap(context: PlanContext): PlannedMap | undefined {
  const layout = context.objects.layout('cilium_ipcache');
  if (!layout) return undefined;
  return {
    map: layout.spec.name,
    entries: prefixes(context).map((prefix) => {
      const { address, length } = splitCidr(prefix.cidr);
      return {
        key: layout.key({ lpm_key: { prefixlen: STATIC_BITS + length }, ...familyFields(address) }),
        value: layout.value({
          sec_label: prefix.identity,
          sec_identity: prefix.identity,
          ...tunnelFields(prefix, context, layout),
        }),
      };
    }),
  };
}

function prefixes({ cluster, node, features, world }: PlanContext): Prefix[] {
  const all: Prefix[] = [];
  const add = (addresses: readonly (string | undefined)[], identity: number, behind: ClusterNode | undefined) => {
    for (const address of addresses)
      if (address !== undefined)
        all.push({ cidr: `${address}/${familyOf(address) === 2 ? 128 : 32}`, identity, behind });
  };
  if (features.ipv4) all.push({ cidr: '0.0.0.0/0', identity: world.ipv4, behind: undefined });
  if (features.ipv6) all.push({ cidr: '::/0', identity: world.ipv6, behind: undefined });
  for (const { cidr, identity } of cluster.identities.cidrs) all.push({ cidr, identity, behind: undefined });
  for (const other of cluster.nodes) {
    const identity = other === node ? IDENTITY.host : IDENTITY['remote-node'];
    const routers = [other.routerIPv4, other.routerIPv6];
    for (const address of hostAddresses(other, features)) {
      // The router addresses of other nodes are Pod addresses: they are reached through the tunnel.
      add([address], identity, other !== node && routers.includes(address) ? other : undefined);
    }
  }
  for (const endpoint of cluster.endpoints) {
    const owner = cluster.nodes.find(({ name }) => name === endpoint.node);
    add([endpoint.ipv4, endpoint.ipv6], endpoint.identity, owner === node ? undefined : owner);
  }
  return all;
}

function tunnelFields(prefix: Prefix, { features }: PlanContext, layout: MapLayout): Record<string, unknown> {
  const isTunnel = features.routing === 'tunnel';
  // With native routing the agent fills the endpoint in as well and flags the prefix instead, where there is a flag.
  const canSkip = layout.hasValue('flag_skip_tunnel');
  const underlay = prefix.behind?.ipv4 ?? prefix.behind?.ipv6;
  if (underlay === undefined || !(isTunnel || canSkip)) return {};
  const isV6 = familyOf(underlay) === 2;
  return {
    tunnel_endpoint: layout.isNested('tunnel_endpoint') ? { [isV6 ? 'ip6' : 'ip4']: underlay } : underlay,
    flag_has_tunnel_ep: 1,
    flag_ipv6_tunnel_ep: isV6 ? 1 : 0,
    flag_skip_tunnel: isTunnel ? 0 : 1,
  };
}
