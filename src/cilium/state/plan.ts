import { UsageError } from '../../errors.js';
import { type Cluster, type Endpoint, localEndpoints } from '../../network/scenario/cluster.js';
import type { VerdictEntry } from '../../network/scenario/verdicts.js';
import { didYouMean } from '../../text.js';
import { IDENTITY } from '../identities.js';
import { type ConfigContext, instanceConfig } from './config.js';
import { planDevices } from './devices.js';
import { deviceMap, endpointMap, throttleMap } from './endpoint-maps.js';
import { cgroupAttachments, POLICY_PROGRAMS, tcAttachments } from './hooks.js';
import { ipcacheMap } from './ipcache.js';
import { isPrivateMap } from './map-names.js';
import { ipmasqMap, nodeMap, tunnelMap } from './node-maps.js';
import { NodeObjects, type ObjectKind, type ObjectSpecs } from './node-objects.js';
import { objectConstants } from './object-constants.js';
import { applyMapOverrides, emptySlotsOf } from './overrides.js';
import type { InstancePlan, NodePlan, PlanContext, PlannedMap } from './plan-types.js';
import { policyMap } from './policy-map.js';
import { affinityMatchMap, serviceMaps } from './services.js';

/**
 * What Cilium's agent would load, attach and write on one node, for the objects at hand, of any version.
 *
 * Throws UsageError for an unknown node, objects without type information, and policies that do not fit a map.
 */
export function planNode(cluster: Cluster, nodeName: string, specs: ObjectSpecs): NodePlan {
  const context = contextOf(cluster, nodeName, new NodeObjects(specs));
  const plan: NodePlan = {
    node: nodeName,
    instances: [
      ...hostInstances(context),
      ...overlayInstances(context),
      ...podInstances(context),
      ...sockInstances(context),
    ],
    maps: sharedMaps(context),
    devices: context.devices,
    constants: context.constants,
    emptySlots: emptySlotsOf(context),
    fullMaps: [],
  };
  applyMapOverrides(plan, context);
  return plan;
}

function contextOf(cluster: Cluster, nodeName: string, objects: NodeObjects): PlanContext {
  const node = cluster.nodes.find(({ name }) => name === nodeName);
  if (!node) {
    const names = cluster.nodes.map(({ name }) => name);
    throw new UsageError(`no node ${nodeName}${didYouMean(nodeName, names)}; there are: ${names.join(', ')}`);
  }
  const endpoints = localEndpoints(cluster, nodeName);
  const constants = objectConstants(objects, node.overrides?.objectConstants);
  return {
    cluster,
    features: cluster.features,
    node,
    endpoints,
    objects,
    devices: planDevices(node, endpoints, constants),
    constants,
    hostEndpointId: constants.hostEndpointId ?? node.hostEndpointId,
    world: worldIdentities(cluster, objects),
  };
}

/** Objects from 1.15 on tell the world's families apart if they serve both; their ipcache keys have a 16-bit cluster id. */
function worldIdentities(cluster: Cluster, objects: NodeObjects): PlanContext['world'] {
  const { world } = IDENTITY;
  const isDual = cluster.features.ipv4 && cluster.features.ipv6;
  const knowsFamilies = objects.layout('cilium_ipcache')?.keySize('cluster_id') === 2;
  if (!isDual || !knowsFamilies) return { ipv4: world, ipv6: world };
  return { ipv4: IDENTITY['world-ipv4'], ipv6: IDENTITY['world-ipv6'] };
}

function sharedMaps(context: PlanContext): PlannedMap[] {
  const planned = [
    endpointMap(context),
    ipcacheMap(context),
    tunnelMap(context),
    nodeMap(context),
    deviceMap(context),
    throttleMap(context),
    ipmasqMap(context, 4),
    ipmasqMap(context, 6),
    ...serviceMaps(context, 4),
    ...serviceMaps(context, 6),
    affinityMatchMap(context),
  ];
  return planned.filter((map): map is PlannedMap => map !== undefined);
}

type InstanceSite = Pick<ConfigContext, 'object' | 'endpoint' | 'device' | 'isNative'>;

function instance(
  context: PlanContext,
  name: string,
  site: InstanceSite,
  own: Pick<InstancePlan, 'attach' | 'policySlots'> & { verdicts: readonly VerdictEntry[] },
): InstancePlan {
  const spec = context.objects.require(site.object);
  const privateMaps = spec.maps.filter((map) => !map.template && isPrivateMap(map)).map((map) => map.name);
  const policy = own.verdicts.length ? policyMap(context, own.verdicts) : undefined;
  return {
    name,
    object: site.object,
    config: instanceConfig({ ...context, ...site }),
    privateMaps,
    maps: policy && privateMaps.includes(policy.map) ? [policy] : [],
    attach: own.attach,
    policySlots: own.policySlots,
  };
}

/** bpf_host: once for cilium_host and its peer, once for every native device; all serve the host endpoint. */
function hostInstances(context: PlanContext): InstancePlan[] {
  const { objects, features, node, devices, hostEndpointId } = context;
  if (!objects.specs.host) return [];
  const host = instance(
    context,
    'host cilium_host',
    { object: 'host', endpoint: undefined, device: devices.get(node.ciliumHost.name), isNative: false },
    {
      attach: [
        ...tcAttachments(objects, features, 'cilium_host', node.ciliumHost.name),
        ...tcAttachments(objects, features, 'cilium_net', node.ciliumNet.name),
      ],
      policySlots: policySlots(objects, 'host', 'cilium_call_policy', POLICY_PROGRAMS.host, hostEndpointId),
      verdicts: node.verdicts,
    },
  );
  const native = node.devices.map(({ name }) =>
    instance(
      context,
      `host ${name}`,
      { object: 'host', endpoint: undefined, device: devices.get(name), isNative: true },
      { attach: tcAttachments(objects, features, 'native', name), policySlots: [], verdicts: node.verdicts },
    ),
  );
  return [host, ...native];
}

function overlayInstances(context: PlanContext): InstancePlan[] {
  const { objects, features, node, devices } = context;
  if (!objects.specs.overlay || !node.tunnelDevice) return [];
  const { name } = node.tunnelDevice;
  const attach = tcAttachments(objects, features, 'tunnel', name);
  const site: InstanceSite = { object: 'overlay', endpoint: undefined, device: devices.get(name), isNative: false };
  return [instance(context, 'overlay', site, { attach, policySlots: [], verdicts: [] })];
}

function podInstances(context: PlanContext): InstancePlan[] {
  if (!context.objects.specs.lxc) return [];
  return context.endpoints.map((endpoint) => podInstance(context, endpoint));
}

function podInstance(context: PlanContext, endpoint: Endpoint): InstancePlan {
  const { objects, features, devices } = context;
  const device = endpoint.hostInterface.name;
  return instance(
    context,
    `lxc ${endpoint.name}`,
    { object: 'lxc', endpoint, device: devices.get(device), isNative: false },
    {
      attach: tcAttachments(objects, features, 'pod', device),
      policySlots: [
        ...policySlots(objects, 'lxc', 'cilium_call_policy', POLICY_PROGRAMS.ingress, endpoint.id),
        ...policySlots(objects, 'lxc', 'cilium_egresscall_policy', POLICY_PROGRAMS.egress, endpoint.id),
      ],
      verdicts: endpoint.verdicts,
    },
  );
}

function sockInstances(context: PlanContext): InstancePlan[] {
  if (!context.objects.specs.sock || !context.features.socketLB) return [];
  const site: InstanceSite = { object: 'sock', endpoint: undefined, device: undefined, isNative: false };
  return [
    instance(context, 'sock', site, { attach: cgroupAttachments(context.objects), policySlots: [], verdicts: [] }),
  ];
}

function policySlots(
  objects: NodeObjects,
  kind: ObjectKind,
  map: string,
  programs: readonly string[],
  slot: number,
): InstancePlan['policySlots'] {
  const spec = objects.map(map);
  const program = objects.program(kind, programs);
  return spec && program ? [{ map: spec.name, slot, program: program.name }] : [];
}
