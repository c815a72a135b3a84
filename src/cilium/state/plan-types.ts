import type { Cluster, ClusterFeatures, ClusterNode, Endpoint } from '../../network/scenario/cluster.js';
import type { PlannedDevice } from './devices.js';
import type { NodeObjects, ObjectKind } from './node-objects.js';
import type { ObjectConstants } from './object-constants.js';

/** One element, by BTF field names or as bytes. */
export interface PlannedEntry {
  key: unknown;
  value: unknown;
}

/** Contents of one map, by its name in the object. */
export interface PlannedMap {
  map: string;
  entries: PlannedEntry[];
  /** Inner maps of a map-in-map: element of the outer map and contents. */
  inner?: { key: unknown; entries: PlannedEntry[] }[];
}

/** A place where the kernel runs a program; `device` for tc hooks only. */
export interface Attachment {
  program: string;
  device?: string;
  /** 'tc-ingress', 'tc-egress', or the cgroup attach type: 'cgroup_inet4_connect' ... */
  hook: string;
}

/** One load of an object: its constants, its own maps, where its programs go. */
export interface InstancePlan {
  /** `lxc POD`, `host cilium_host`, `host eth0`, `overlay`, `sock`. */
  name: string;
  object: ObjectKind;
  /** Only variables that the object has. */
  config: Record<string, unknown>;
  /** Maps of this instance alone. */
  privateMaps: string[];
  /** Contents of those. */
  maps: PlannedMap[];
  attach: Attachment[];
  /** Programs that go into shared prog arrays: policy programs at their endpoint's id. */
  policySlots: { map: string; slot: number; program: string }[];
}

/** What the agent would load and write on one node. */
export interface NodePlan {
  node: string;
  /** In load order. */
  instances: InstancePlan[];
  /** Shared maps. */
  maps: PlannedMap[];
  /** Devices of the node's network namespace by name, with the indexes that the objects need. */
  devices: Map<string, PlannedDevice>;
  /** What the objects have compiled in. */
  constants: ObjectConstants;
  /** Programs whose tail-call slots stay empty (broken variants). */
  emptySlots: string[];
  /** Maps, by name in the objects, that take no further elements (broken variants). */
  fullMaps: string[];
}

/** Everything that contents and constants of a node are made from. */
export interface PlanContext {
  cluster: Cluster;
  features: ClusterFeatures;
  node: ClusterNode;
  /** Of this node. */
  endpoints: readonly Endpoint[];
  objects: NodeObjects;
  devices: Map<string, PlannedDevice>;
  constants: ObjectConstants;
  hostEndpointId: number;
  /** The world's identities in ipcache and policies: 2, or 9 and 10 by family (dual stack from 1.15 on). */
  world: { ipv4: number; ipv6: number };
}
