import { z } from 'zod';
import { flag, id16, ipv4Cidr, ipv6Cidr, number32, port } from './values.js';

const masquerade = z.strictObject({
  ipv4: flag.default(false),
  ipv6: flag.default(false),
  /** Destinations inside are reached without masquerading (ipv4-native-routing-cidr). */
  nativeCIDR: ipv4Cidr.optional(),
  nativeIPv6CIDR: ipv6Cidr.optional(),
  /** Prefixes of the ip-masq-agent that are not masqueraded. */
  nonMasqueradeCIDRs: z.array(z.union([ipv4Cidr, ipv6Cidr], 'expected a prefix')).default([]),
});

const nodePort = z.strictObject({
  mode: z.enum(['snat', 'dsr', 'hybrid']).default('snat'),
  /** First and last port of NodePort Services. */
  range: z.tuple([port, port], 'expected the first and the last port').default([30000, 32767]),
});

const loadBalancer = z.strictObject({
  algorithm: z.enum(['random', 'maglev']).default('random'),
  /** 12 bytes in base64 (bpf-lb-maglev-hash-seed). */
  hashSeed: z
    .string()
    .regex(/^[A-Za-z0-9+/]{16}$/, 'expected 12 bytes in base64 (16 characters)')
    .default('JLfvgnHc2kaSUFaI'),
});

const vlanFilter = z.strictObject({
  /** VLAN ids that pass; untagged packets always do. */
  allowed: z.array(id16.max(4094, 'expected a VLAN id, 1..4094')).max(8, 'expected up to 8 VLAN ids').default([]),
});

/** Features of the cluster, named after Cilium's options; every one has a default. */
export const features = z.strictObject({
  routing: z.enum(['tunnel', 'native']).default('tunnel'),
  tunnelProtocol: z.enum(['vxlan', 'geneve']).default('vxlan'),
  /** UDP port of the tunnel; default 8472 (vxlan), 6081 (geneve). */
  tunnelPort: port.optional(),
  /** Service translation at connect() on the cgroup hooks. */
  socketLB: flag.default(true),
  /** Service translation in the Pod's programs; default: if socketLB is off. */
  perPacketLB: flag.optional(),
  endpointRoutes: flag.default(false),
  hostRouting: z.enum(['legacy', 'bpf']).default('legacy'),
  ipv4: flag.default(true),
  ipv6: flag.default(false),
  masquerade: masquerade.prefault({}),
  kubeProxyReplacement: flag.default(true),
  nodePort: nodePort.prefault({}),
  hostFirewall: flag.default(false),
  /** VLAN filter of native devices; left out: every VLAN passes. */
  vlanFilter: vlanFilter.optional(),
  bandwidthManager: flag.default(false),
  policyEnforcement: z.enum(['default', 'always', 'never']).default('default'),
  loadBalancer: loadBalancer.prefault({}),
  sessionAffinity: flag.default(true),
  /** MTU of the underlay; Pods get 50 bytes less behind a tunnel. */
  mtu: number32.min(1280, 'expected an MTU of at least 1280').default(1500),
});
