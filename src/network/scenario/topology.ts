import { z } from 'zod';
import {
  address,
  cidr,
  id16,
  identity,
  ifindex,
  interfaceName,
  ipv4,
  ipv6,
  labels,
  mac,
  mtu,
  name,
  number32,
} from './values.js';

/** One route: `to` a prefix or `default`, through a gateway or on link. */
export const route = z.strictObject({
  to: z.union([z.literal('default'), cidr], 'expected a prefix or default'),
  via: address.optional(),
  device: interfaceName,
  source: address.optional(),
  mtu: mtu.optional(),
  metric: number32.optional(),
  /** Routing table; default main. */
  table: number32.optional(),
});

/** One `ip rule`. */
const rule = z.strictObject({
  priority: number32,
  /** `VALUE/MASK` of the packet mark. */
  mark: z
    .string()
    .regex(/^0x[0-9a-f]{1,8}(\/0x[0-9a-f]{1,8})?$/i, 'expected a mark such as 0x200/0xf00')
    .optional(),
  from: cidr.optional(),
  to: cidr.optional(),
  table: z.union([z.enum(['local', 'main', 'default']), number32], 'expected local, main, default or a number'),
});

const neighbour = z.strictObject({ address, mac, device: interfaceName });

const device = z.strictObject({
  ifindex: ifindex.optional(),
  mac: mac.optional(),
  mtu: mtu.optional(),
  /** With prefix length: `192.168.1.15/24`. */
  addresses: z.array(cidr).default([]),
});

const virtualDevice = z.strictObject({ ifindex: ifindex.optional(), mac: mac.optional(), mtu: mtu.optional() });

/** A node; all but one address has a default. */
export const node = z.strictObject({
  /** Addresses of the first device, with prefix length. */
  addresses: z.array(cidr).default([]),
  /** Native devices by name; default: eth0. */
  devices: z.record(interfaceName, device).prefault({ eth0: {} }),
  podCIDRs: z.array(cidr).default([]),
  /** cilium_host: the router address of the node's Pods. */
  ciliumHost: virtualDevice.extend({ ipv4: ipv4.optional(), ipv6: ipv6.optional() }).prefault({}),
  ciliumNet: virtualDevice.prefault({}),
  tunnelDevice: virtualDevice.prefault({}),
  /** Next hops of the default routes. */
  gateway: z.strictObject({ ipv4: ipv4.optional(), ipv6: ipv6.optional() }).prefault({}),
  neighbours: z.array(neighbour).default([]),
  routes: z.array(route).default([]),
  rules: z.array(rule).default([]),
  labels: labels.default({}),
  hostEndpointId: id16.optional(),
  /** Directory with this node's objects: bpf_lxc.o, bpf_host.o, bpf_overlay.o, bpf_sock.o. */
  objects: z.string().optional(),
});

const podInterface = z.strictObject({
  name: interfaceName.optional(),
  ifindex: ifindex.optional(),
  mac: mac.optional(),
});

export const pod = z.strictObject({
  node: name,
  namespace: name.default('default'),
  /** Default: `app` = name of the Pod. */
  labels: labels.optional(),
  ipv4: ipv4.optional(),
  ipv6: ipv6.optional(),
  /** The Pod's side of the veth pair, in its network namespace. */
  interface: podInterface.prefault({}),
  /** The node's side of the veth pair. */
  hostInterface: podInterface.prefault({}),
  /** Routes inside the Pod; default: through cilium_host's address. */
  routes: z.array(route.partial({ device: true })).optional(),
  endpointId: id16.optional(),
  identity: identity.optional(),
  /** Egress limit in bits per second (kubernetes.io/egress-bandwidth). */
  egressBandwidth: z.number().int().positive().optional(),
});

/** A host outside the cluster, reached through the nodes' gateway or the fabric. */
export const external = z.strictObject({
  ipv4: ipv4.optional(),
  ipv6: ipv6.optional(),
  mac: mac.optional(),
});
