import type { Endpoint } from '../../network/scenario/cluster.js';
import { canonicalCidr } from '../../network/scenario/identities.js';
import type { VariableSpec } from '../../object/spec.js';
import { parseAddress, parseCidr, parseMac } from '../../packet/addresses.js';
import { IDENTITY } from '../identities.js';
import { splitCidr } from './addresses.js';
import type { PlannedDevice } from './devices.js';
import { maglevSeeds } from './maglev.js';
import type { ObjectKind } from './node-objects.js';
import type { PlanContext } from './plan-types.js';

/** One instance whose constants are wanted. */
export interface ConfigContext extends PlanContext {
  object: ObjectKind;
  /** The Pod of an lxc instance. */
  endpoint: Endpoint | undefined;
  /** Where the instance is attached; undefined for sock. */
  device: PlannedDevice | undefined;
  /** Whether the device is a native one. */
  isNative: boolean;
}

/** A value for LoadOptions.config; undefined leaves the object's default. */
type Encoder = (context: ConfigContext, variable: VariableSpec) => unknown;

/** SECCTX_FROM_IPCACHE_*: whether ipcache decides the source identity. */
const SECCTX = { disabled: 1, enabled: 2 } as const;
const TUNNEL_PROTOCOLS = { vxlan: 1, geneve: 2 } as const;
/** option.Config.TracePayloadlen and TracePayloadlenOverlay. */
const TRACE_PAYLOAD = 128;
const TRACE_PAYLOAD_OVERLAY = 192;
const LOOPBACK_IPV4 = '169.254.42.1';
const LOOPBACK_IPV6 = 'fe80::1';
/** First port that the kernel hands out (net.ipv4.ip_local_port_range). */
const EPHEMERAL_MIN = 32768;
const ALL_DIRECTIONS = 0xffff;

const swapped = (value: number): number =>
  (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;

/** Bytes of an address that `NAME_1`, `NAME_2` ... hold: words in the order of memory, as long as the variable. */
function words(address: (context: ConfigContext) => string | undefined, index: number): Encoder {
  return (context, variable) => {
    const text = address(context);
    if (text === undefined) return undefined;
    return parseAddress(text).slice((index - 1) * variable.size, index * variable.size);
  };
}

/** Bytes 0-3 or 4-5 of a MAC address in a 32-bit word as they lie in memory. */
function macWord(index: 1 | 2): Encoder {
  return ({ device }, variable) => {
    if (!device) return undefined;
    const bytes = new Uint8Array(variable.size);
    const mac = parseMac(device.mac);
    bytes.set(index === 1 ? mac.subarray(0, 4) : mac.subarray(4, 6));
    return bytes;
  };
}

const hostIPv6 = ({ node }: ConfigContext) => node.ipv6;
const routerIPv6 = ({ node }: ConfigContext) => node.routerIPv6;
const podIPv6 = ({ endpoint }: ConfigContext) => endpoint?.ipv6;
const label = ({ endpoint, object }: ConfigContext): number | undefined =>
  endpoint?.identity ?? (object === 'host' ? IDENTITY.host : undefined);
const filter = ({ endpoint, object }: ConfigContext) => (endpoint || object === 'host' ? ALL_DIRECTIONS : undefined);
const nativeIndex = ({ node, devices }: ConfigContext) => devices.get(node.devices[0]!.name)?.ifindex;

/** Addresses that traffic to the world is masqueraded to. Whether it is, most objects have compiled in. */
const masqueradeIPv4 = ({ node, isNative, object }: ConfigContext) =>
  isNative || object !== 'host' ? node.ipv4 : undefined;
const masqueradeIPv6 = ({ node, isNative, object }: ConfigContext) =>
  isNative || object !== 'host' ? node.ipv6 : undefined;

/**
 * Load-time constants of every era: the agent's templates up to 1.17 (upper case), 1.18+ (lower case), and those of
 * offkernel's own datapath. An address is given as text: its bytes go into the variable in the order of memory.
 */
const VARIABLES: Readonly<Record<string, Encoder>> = {
  // Up to 1.17.
  LXC_ID: ({ endpoint }) => endpoint?.id,
  LXC_IPV4: ({ endpoint }) => endpoint?.ipv4,
  LXC_IP_1: words(podIPv6, 1),
  LXC_IP_2: words(podIPv6, 2),
  LXC_IP_3: words(podIPv6, 3),
  LXC_IP_4: words(podIPv6, 4),
  SECLABEL: label,
  SECLABEL_IPV4: label,
  SECLABEL_IPV6: label,
  SECLABEL_NB: (context) => {
    const value = label(context);
    return value === undefined ? undefined : swapped(value);
  },
  NODE_MAC_1: macWord(1),
  NODE_MAC_2: macWord(2),
  THIS_INTERFACE_MAC_1: macWord(1),
  THIS_INTERFACE_MAC_2: macWord(2),
  ROUTER_IP_1: words(routerIPv6, 1),
  ROUTER_IP_2: words(routerIPv6, 2),
  ROUTER_IP_3: words(routerIPv6, 3),
  ROUTER_IP_4: words(routerIPv6, 4),
  HOST_IP_1: words(hostIPv6, 1),
  HOST_IP_2: words(hostIPv6, 2),
  HOST_IP_3: words(hostIPv6, 3),
  HOST_IP_4: words(hostIPv6, 4),
  POLICY_VERDICT_LOG_FILTER: filter,
  SECCTX_FROM_IPCACHE: ({ features, isNative }) =>
    isNative && features.hostRouting === 'bpf' ? SECCTX.enabled : SECCTX.disabled,
  NATIVE_DEV_IFINDEX: ({ isNative, device }) => (isNative ? device?.ifindex : undefined),
  IPV4_MASQUERADE: masqueradeIPv4,
  ENDPOINT_NETNS_COOKIE: ({ endpoint }) => endpoint?.netnsCookie,

  // 1.18 and later; the own datapath uses the same names.
  endpoint_id: ({ endpoint }) => endpoint?.id,
  endpoint_ipv4: ({ endpoint }) => endpoint?.ipv4,
  endpoint_ipv6: podIPv6,
  endpoint_netns_cookie: ({ endpoint }) => endpoint?.netnsCookie,
  security_label: label,
  policy_verdict_log_filter: filter,
  interface_mac: ({ device }) => device?.mac,
  interface_ifindex: ({ device }) => device?.ifindex,
  device_mtu: ({ features }) => features.mtu,
  host_ep_id: ({ hostEndpointId }) => hostEndpointId,
  cilium_host_ifindex: ({ node, devices }) => devices.get(node.ciliumHost.name)?.ifindex,
  cilium_host_mac: ({ node, devices }) => devices.get(node.ciliumHost.name)?.mac,
  cilium_net_ifindex: ({ node, devices }) => devices.get(node.ciliumNet.name)?.ifindex,
  cilium_net_mac: ({ node, devices }) => devices.get(node.ciliumNet.name)?.mac,
  router_ipv6: routerIPv6,
  direct_routing_dev_ifindex: nativeIndex,
  service_loopback_ipv4: () => LOOPBACK_IPV4,
  service_loopback_ipv6: () => LOOPBACK_IPV6,
  secctx_from_ipcache: ({ features, isNative }) => isNative && features.hostRouting === 'bpf',
  nat_ipv4_masquerade: masqueradeIPv4,
  nat_ipv6_masquerade: masqueradeIPv6,
  nodeport_port_min: ({ features }) => features.nodePort.range[0],
  nodeport_port_max: ({ features }) => features.nodePort.range[1],
  ephemeral_min: () => EPHEMERAL_MIN,
  hash_init4_seed: ({ features }) => maglevSeeds(features.loadBalancer.hashSeed).jhash4,
  hash_init6_seed: ({ features }) => maglevSeeds(features.loadBalancer.hashSeed).jhash6,
  trace_payload_len: () => TRACE_PAYLOAD,
  trace_payload_len_overlay: () => TRACE_PAYLOAD_OVERLAY,
  tunnel_protocol: ({ features }) => (features.routing === 'tunnel' ? TUNNEL_PROTOCOLS[features.tunnelProtocol] : 0),
  tunnel_port: ({ features }) => (features.routing === 'tunnel' ? features.tunnelPort : 0),
  enable_arp_responder: () => true,
  enable_icmp_rule: () => true,
  allow_icmp_frag_needed: () => true,
  enable_conntrack_accounting: () => true,
  enable_policy_accounting: () => true,
  enable_no_service_endpoints_routable: () => true,

  // The own datapath's switches; Cilium compiles these features in or out.
  direct_routing_ipv4: ({ node }) => node.ipv4,
  direct_routing_ipv6: ({ node }) => node.ipv6,
  pod_cidr_ipv4_mask: ({ node }) => maskOf(node.podCIDRs.find((cidr) => !cidr.includes(':'))),
  router_ipv4: ({ node }) => node.routerIPv4,
  encap_ifindex: ({ node, devices }) => (node.tunnelDevice ? devices.get(node.tunnelDevice.name)?.ifindex : 0),
  enable_per_packet_lb: ({ features }) => features.perPacketLB,
  enable_endpoint_routes: ({ features }) => features.endpointRoutes,
  enable_host_routing: ({ features }) => features.hostRouting === 'bpf',
  enable_nodeport: ({ features }) => features.kubeProxyReplacement,
  enable_masquerade_ipv4: ({ features }) => features.masquerade.ipv4,
  enable_masquerade_ipv6: ({ features }) => features.masquerade.ipv6,
  enable_host_firewall: ({ features }) => features.hostFirewall,
  enable_bandwidth_manager: ({ features }) => features.bandwidthManager,
  enable_ipv6: ({ features }) => features.ipv6,
  enable_vlan_filter: ({ features }) => features.vlanFilter !== undefined,
  vlan_allowed: ({ features }) => features.vlanFilter?.allowed,
  native_cidr_ipv4: ({ features }) => networkOf(features.masquerade.nativeCIDR),
  native_cidr_ipv4_mask: ({ features }) => maskOf(features.masquerade.nativeCIDR),
  native_cidr_ipv6: ({ features }) => networkOf(features.masquerade.nativeIPv6CIDR),
  native_cidr_ipv6_prefix: ({ features }) => {
    const cidr = features.masquerade.nativeIPv6CIDR;
    return cidr === undefined ? undefined : parseCidr(cidr).prefixLength;
  },
};

function networkOf(cidr: string | undefined): string | undefined {
  return cidr === undefined ? undefined : splitCidr(canonicalCidr(cidr)).address;
}

function maskOf(cidr: string | undefined): string | undefined {
  return cidr === undefined ? undefined : networkOf(`255.255.255.255/${parseCidr(cidr).prefixLength}`);
}

/** The constants of one instance: only variables that its object has and whose value is known. */
export function instanceConfig(context: ConfigContext): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const variable of context.objects.specs[context.object]?.variables ?? []) {
    if (!variable.isConfig) continue;
    const value = VARIABLES[variable.label]?.(context, variable);
    if (value !== undefined) config[variable.label] = value;
  }
  for (const [name, value] of Object.entries(context.node.overrides?.config ?? {}))
    if (context.objects.variable(context.object, name)) config[name] = value;
  return config;
}
