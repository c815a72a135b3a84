import type { ClusterNode, Endpoint } from '../../network/scenario/cluster.js';
import type { ObjectConstants } from './object-constants.js';

/** Index and MAC address of a device as the objects of the node need them. */
export interface PlannedDevice {
  name: string;
  ifindex: number;
  mac: string;
}

/** Where devices go whose index a compiled-in constant takes; cilium_devices holds indexes up to 4095. */
const FIRST_SPARE_INDEX = 1001;

/**
 * Devices of a node's own network namespace: lo, native ones, Cilium's, the Pods' host sides. Indexes are the scenario's
 * except where objects have one compiled in: then that device gets it, and whoever had it moves out of the way.
 */
export function planDevices(
  node: ClusterNode,
  endpoints: readonly Endpoint[],
  constants: ObjectConstants,
): Map<string, PlannedDevice> {
  const wanted: PlannedDevice[] = [
    { name: 'lo', ifindex: 1, mac: '00:00:00:00:00:00' },
    ...node.devices,
    node.ciliumNet,
    node.ciliumHost,
    ...(node.tunnelDevice ? [node.tunnelDevice] : []),
    ...endpoints.map(({ hostInterface }) => hostInterface),
  ].map(({ name, ifindex, mac }) => ({ name, ifindex, mac }));
  const fixed = new Map<string, number>();
  if (constants.hostIfindex !== undefined) fixed.set(node.ciliumHost.name, constants.hostIfindex);
  if (constants.encapIfindex !== undefined && node.tunnelDevice)
    fixed.set(node.tunnelDevice.name, constants.encapIfindex);
  const taken = new Set(fixed.values());
  const devices = new Map<string, PlannedDevice>();
  let spare = FIRST_SPARE_INDEX;
  for (const device of wanted) {
    let ifindex = fixed.get(device.name) ?? device.ifindex;
    if (!fixed.has(device.name) && taken.has(ifindex)) ifindex = spare++;
    taken.add(ifindex);
    const mac = device.name === node.ciliumHost.name ? (constants.hostMac ?? device.mac) : device.mac;
    devices.set(device.name, { name: device.name, ifindex, mac });
  }
  return devices;
}
