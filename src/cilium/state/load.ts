import { MapType } from '../../../assembly/abi.js';
import { UsageError } from '../../errors.js';
import type { LoadedObject } from '../../machine/loaded.js';
import type { Machine } from '../../machine/machine.js';
import type { ObjectSpec } from '../../object/spec.js';
import type { ObjectSpecs } from './node-objects.js';
import type { Attachment, InstancePlan, NodePlan, PlannedMap } from './plan-types.js';

const PLAIN_TYPES: ReadonlyMap<number, number> = new Map([
  [MapType.LRU_HASH, MapType.HASH],
  [MapType.LRU_PERCPU_HASH, MapType.PERCPU_HASH],
]);

/** A loaded instance of a plan. */
export interface LoadedInstance {
  plan: InstancePlan;
  object: LoadedObject;
}

/** Programs of a node at their hooks. */
export interface LoadedAttachment extends Attachment {
  instance: LoadedInstance;
}

/** Loads all instances of a plan into a machine, fills their maps and prog arrays. Throws LoadError, UsageError, MapError. */
export function loadPlan(machine: Machine, plan: NodePlan, specs: ObjectSpecs): LoadedInstance[] {
  const instances = plan.instances.map((instance): LoadedInstance => {
    const spec = specs[instance.object];
    if (!spec) throw new UsageError(`${plan.node}: no bpf_${instance.object}.o is given`);
    const own = new Set(instance.privateMaps);
    const object = machine.load(withFullMaps(spec, plan), {
      config: instance.config,
      share: (map) => !own.has(map.name),
    });
    return { plan: instance, object };
  });
  for (const { plan: instance, object } of instances) {
    for (const map of instance.maps) fillMap(object, map, `${plan.node}, ${instance.name}`);
    for (const { map, slot, program } of instance.policySlots) {
      if (!plan.emptySlots.includes(program))
        object.map(map).setBytes(slotBytes(slot), slotBytes(object.program(program).descriptor));
    }
    emptySlots(object, plan.emptySlots);
  }
  for (const map of plan.maps) {
    const owner = instances.find(({ object }) => object.maps.has(map.map));
    // A map can belong to an object that this node does not load, such as bpf_sock.o without socket LB.
    if (owner) fillMap(owner.object, map, plan.node);
  }
  for (const name of plan.fullMaps) {
    for (const { object } of instances) if (object.maps.has(name)) fillUp(object, name);
  }
  return instances;
}

/** The object with maps that are full once the plan's elements are in them: plain hash maps, which do not evict. */
function withFullMaps(spec: ObjectSpec, { fullMaps, maps }: NodePlan): ObjectSpec {
  if (!spec.maps.some(({ name }) => fullMaps.includes(name))) return spec;
  const own = spec.maps.map((map) => {
    if (!fullMaps.includes(map.name)) return map;
    const planned = maps.find((candidate) => candidate.map === map.name)?.entries.length ?? 0;
    return { ...map, type: PLAIN_TYPES.get(map.type) ?? map.type, maxEntries: Math.max(1, planned) };
  });
  return { ...spec, maps: own };
}

/** Fills what is left of a full map with an element that no packet has. */
function fillUp(object: LoadedObject, name: string): void {
  const map = object.map(name);
  if (map.count === 0) map.setBytes(new Uint8Array(map.keySize).fill(0xff), new Uint8Array(map.valueSize));
}

/** All programs with their hooks, in the order of the plan. */
export function attachments(instances: readonly LoadedInstance[]): LoadedAttachment[] {
  return instances.flatMap((instance) => instance.plan.attach.map((attachment) => ({ ...attachment, instance })));
}

function slotBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function fillMap(object: LoadedObject, planned: PlannedMap, where: string): void {
  const map = object.map(planned.map);
  try {
    for (const { key, value } of planned.entries) map.set(key, value);
    for (const { key, entries } of planned.inner ?? []) {
      const inner = object.createInner(planned.map, `${planned.map}[${String(key)}]`);
      for (const entry of entries) inner.set(entry.key, entry.value);
      map.set(key, inner.name);
    }
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${where}: map ${planned.map}: ${error.message}`);
    throw error;
  }
}

/** Removes programs from every prog array of the object that has them. */
function emptySlots(object: LoadedObject, programs: readonly string[]): void {
  for (const { spec } of object.programs) {
    if (!programs.includes(spec.name)) continue;
    for (const { map, slot } of spec.slots) {
      const own = object.map(map);
      if (own.getBytes(slotBytes(slot))) own.deleteBytes(slotBytes(slot));
    }
  }
}
