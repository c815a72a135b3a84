import type { ClusterFeatures, ClusterNode } from '../../network/scenario/cluster.js';
import { familyFields, familyOf, splitCidr } from './addresses.js';
import type { PlanContext, PlannedMap } from './plan-types.js';

/** ENDPOINT_F_HOST */
const FLAG_HOST = 1;
/** DIRECTION_EGRESS of struct edt_id. */
const EDT_EGRESS = 0;

const present = (addresses: readonly (string | undefined)[]): string[] =>
  addresses.filter((address): address is string => address !== undefined);

/** Addresses of a node itself: of its devices and the router's, of the families in use. */
export function hostAddresses(node: ClusterNode, features: ClusterFeatures): string[] {
  const own = node.devices.flatMap((device) => device.addresses.map((address) => splitCidr(address).address));
  return [...own, ...present([node.routerIPv4, node.routerIPv6])].filter((address) =>
    familyOf(address) === 2 ? features.ipv6 : features.ipv4,
  );
}

/** cilium_lxc: local Pods by address, and the host's own addresses. */
export function endpointMap(context: PlanContext): PlannedMap | undefined {
  const layout = context.objects.layout('cilium_lxc');
  if (!layout) return undefined;
  const pods = context.endpoints.flatMap((endpoint) =>
    present([endpoint.ipv4, endpoint.ipv6]).map((address) => ({
      key: layout.key(familyFields(address)),
      value: layout.value({
        ifindex: context.devices.get(endpoint.hostInterface.name)?.ifindex,
        lxc_id: endpoint.id,
        mac: endpoint.interface.mac,
        node_mac: endpoint.hostInterface.mac,
        sec_id: endpoint.identity,
      }),
    })),
  );
  const host = hostAddresses(context.node, context.features).map((address) => ({
    key: layout.key(familyFields(address)),
    value: layout.value({ flags: FLAG_HOST }),
  }));
  return { map: layout.spec.name, entries: [...pods, ...host] };
}

/** cilium_throttle: egress limits of Pods (bandwidth manager). */
export function throttleMap({ objects, endpoints, features }: PlanContext): PlannedMap | undefined {
  const layout = objects.layout('cilium_throttle');
  if (!layout || !features.bandwidthManager) return undefined;
  const limited = endpoints.filter(({ egressLimit }) => egressLimit !== undefined);
  return {
    map: layout.spec.name,
    entries: limited.map(({ id, egressLimit }) => ({
      key: layout.key({ id, direction: EDT_EGRESS }),
      value: layout.value({ bps: egressLimit, t_horizon_drop: 2_000_000_000n }),
    })),
  };
}

/** cilium_devices: MAC addresses of the node's devices by index. */
export function deviceMap({ objects, devices, node }: PlanContext): PlannedMap | undefined {
  const layout = objects.layout('cilium_devices');
  if (!layout) return undefined;
  const own = [...node.devices, node.ciliumHost, node.ciliumNet].map(({ name }) => devices.get(name)!);
  return {
    map: layout.spec.name,
    entries: own.map(({ ifindex, mac }) => ({ key: ifindex, value: layout.value({ mac, l3: 0 }) })),
  };
}
