import type { ClusterFeatures } from '../../network/scenario/cluster.js';
import type { NodeObjects, ObjectKind } from './node-objects.js';
import type { Attachment } from './plan-types.js';

/** Where a program of an object goes: names by era, function or section. */
interface Hook {
  object: ObjectKind;
  on: 'pod' | 'cilium_host' | 'cilium_net' | 'native' | 'tunnel';
  hook: 'tc-ingress' | 'tc-egress';
  programs: readonly string[];
  when?: (features: ClusterFeatures) => boolean;
}

const FROM_CONTAINER = ['cil_from_container', 'handle_xgress', 'from-container'];
const TO_CONTAINER = ['cil_to_container', 'handle_to_container', 'to-container'];
const FROM_HOST = ['cil_from_host', 'from_host', 'from-host'];
const TO_HOST = ['cil_to_host', 'to_host', 'to-host'];
const FROM_NETDEV = ['cil_from_netdev', 'from_netdev', 'from-netdev'];
const TO_NETDEV = ['cil_to_netdev', 'to_netdev', 'to-netdev'];
const FROM_OVERLAY = ['cil_from_overlay', 'from_overlay', 'from-overlay'];
const TO_OVERLAY = ['cil_to_overlay', 'to_overlay', 'to-overlay'];

/** Programs behind cilium_call_policy and cilium_egresscall_policy. */
export const POLICY_PROGRAMS = {
  ingress: ['cil_lxc_policy', 'handle_policy', '1/0xffff'],
  egress: ['cil_lxc_policy_egress', 'handle_policy_egress', '4/0xffff'],
  host: ['cil_host_policy', 'handle_lxc_traffic', '1/0x1092'],
} as const;

const HOOKS: readonly Hook[] = [
  { object: 'host', on: 'cilium_host', hook: 'tc-egress', programs: FROM_HOST },
  { object: 'host', on: 'cilium_host', hook: 'tc-ingress', programs: TO_HOST },
  { object: 'host', on: 'cilium_net', hook: 'tc-ingress', programs: TO_HOST },
  { object: 'host', on: 'native', hook: 'tc-ingress', programs: FROM_NETDEV },
  {
    object: 'host',
    on: 'native',
    hook: 'tc-egress',
    programs: TO_NETDEV,
    when: (features) =>
      features.kubeProxyReplacement ||
      features.hostFirewall ||
      features.bandwidthManager ||
      features.masquerade.ipv4 ||
      features.masquerade.ipv6,
  },
  { object: 'overlay', on: 'tunnel', hook: 'tc-ingress', programs: FROM_OVERLAY },
  { object: 'overlay', on: 'tunnel', hook: 'tc-egress', programs: TO_OVERLAY },
  { object: 'lxc', on: 'pod', hook: 'tc-ingress', programs: FROM_CONTAINER },
  { object: 'lxc', on: 'pod', hook: 'tc-egress', programs: TO_CONTAINER, when: (features) => features.endpointRoutes },
];

/** tc attachments on one kind of device. */
export function tcAttachments(
  objects: NodeObjects,
  features: ClusterFeatures,
  on: Hook['on'],
  device: string,
): Attachment[] {
  return HOOKS.filter((hook) => hook.on === on && (hook.when?.(features) ?? true)).flatMap(
    ({ object, hook, programs }) => {
      const program = objects.program(object, programs);
      return program ? [{ program: program.name, device, hook }] : [];
    },
  );
}

/** Every cgroup program of the socket object at its attach type. */
export function cgroupAttachments(objects: NodeObjects): Attachment[] {
  return (objects.specs.sock?.programs ?? []).flatMap((program) =>
    program.attachType === undefined ? [] : [{ program: program.name, hook: program.attachType }],
  );
}
