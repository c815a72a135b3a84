import { MapType } from '../../assembly/abi.js';
import { type LoadedInstance, loadPlan } from '../../src/cilium/state/load.js';
import type { ObjectKind, ObjectSpecs } from '../../src/cilium/state/node-objects.js';
import { type BpfMap, Machine } from '../../src/machine/machine.js';
import type { Namespace } from '../../src/network/namespace.js';
import type { WalkedNode } from '../../src/network/walk/walk.js';
import { Kernel, type KernelResult, type MapUpdate } from '../../src/oracle/kernel.js';
import { configuredObject, skbContext } from '../support/kernel-input.js';
import { COMPARED, FILLED } from '../support/kernel-maps.js';
import { type HookRun, number, usedInstances } from './hook-runs.js';
import { deviceScript } from './kernel-devices.js';
import { decodeState, encodeRun, HOOK_RUN, type SkbState, skbState } from './skb-state.js';

/** What a hook run gave in the kernel. */
export interface KernelHookRun extends KernelResult {
  readonly state: SkbState;
}

/** A map after the runs, here and in the kernel. */
export interface ComparedMap {
  readonly map: BpfMap;
  readonly entries: [key: Uint8Array, value: Uint8Array][];
}

const HELPER = 'hook-run';
/** Maps whose elements only mean something to the kernel (perf buffers), or are rewritten by every run (scratch space). */
const LEFT_ALONE: readonly number[] = [MapType.PERF_EVENT_ARRAY, MapType.PERCPU_ARRAY, MapType.PERCPU_HASH];

const u32Bytes = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
};

/** Plays what programs of a walk were given into the kernel, node by node. Objects stay loaded: many nodes have equal ones. */
export class KernelReplay {
  readonly #kernel = Kernel.empty();
  readonly #files: Readonly<Record<ObjectKind, Uint8Array>>;
  readonly #specs: ObjectSpecs;
  /** Prefixes of the loaded objects by their bytes. */
  readonly #loaded = new Map<string, string>();

  constructor(files: Readonly<Record<ObjectKind, Uint8Array>>, specs: ObjectSpecs) {
    this.#files = files;
    this.#specs = specs;
    this.#kernel.load(HOOK_RUN, { name: 'hook-run.o', apart: { prefix: HELPER, shared: [] } });
  }

  close(): void {
    this.#kernel.close();
  }

  /** Gives the kernel one node's devices, programs and maps, runs its hooks in order, and empties the maps again. */
  run(
    node: WalkedNode,
    namespace: Namespace,
    runs: readonly HookRun[],
  ): { results: KernelHookRun[]; maps: ComparedMap[] } {
    const used = usedInstances(node, runs);
    const prefixes = new Map(used.map((instance) => [instance, this.#load(instance)]));
    this.#kernel.setUp(deviceScript(namespace));
    const contents = this.#contents(node, prefixes);
    const programs = [...new Set(runs.map(({ instance, program }) => `${prefixes.get(instance)}/${program}`))];
    const hooks = programs.map((program, slot) => ({
      map: `${HELPER}/hook_run_programs`,
      key: u32Bytes(slot),
      value: { program },
    }));
    const states = runs.map(({ instance, program, before: skb }, n) => ({
      map: `${HELPER}/hook_run_before`,
      key: u32Bytes(n),
      value: encodeRun(programs.indexOf(`${prefixes.get(instance)}/${program}`), skbState(skb)),
    }));
    this.#kernel.updateMaps([...contents, ...hooks, ...states]);
    const results = this.#run(runs);
    const names = compared(prefixes);
    const dumps = this.#kernel.dumpMaps(names.map(({ name }) => name));
    const maps = names.map((named, i) => ({ ...named, entries: dumps[i]! }));
    const slots = contents.filter(({ value }) => !(value instanceof Uint8Array));
    const elements = maps.flatMap(({ name, entries }) => entries.map(([key]) => ({ map: name, key })));
    const after = runs.map((_, n) => ({ map: `${HELPER}/hook_run_after`, key: u32Bytes(n) }));
    this.#kernel.updateMaps(
      [...slots, ...elements, ...hooks, ...states, ...after].map(({ map, key }) => ({ map, key, value: undefined })),
    );
    return { results, maps };
  }

  /** Loads an instance's object with its configuration unless one with the same is there. Returns its prefix. */
  #load({ plan, object }: LoadedInstance): string {
    const { spec } = object;
    const bytes = configuredObject(this.#files[plan.object], object);
    const identity = Buffer.from(bytes).toString('latin1');
    let prefix = this.#loaded.get(identity);
    if (prefix === undefined) {
      prefix = `object${this.#loaded.size}`;
      const shared = spec.maps.map(({ name }) => name).filter((name) => !plan.privateMaps.includes(name));
      this.#kernel.load(bytes, { name: spec.name, apart: { prefix, shared } });
      this.#loaded.set(identity, prefix);
    }
    return prefix;
  }

  /** What the agent would write before the first packet. */
  #contents(node: WalkedNode, prefixes: ReadonlyMap<LoadedInstance, string>): MapUpdate[] {
    const fresh = loadPlan(Machine.create({ cpus: 1 }), node.plan, this.#specs);
    const programs = new Map(
      node.instances.flatMap((instance, i) =>
        instance.object.programs.map(({ name }, p) => [
          fresh[i]!.object.programs[p]!.descriptor,
          prefixes.has(instance) ? `${prefixes.get(instance)}/${name}` : undefined,
        ]),
      ),
    );
    const initial = new Map(
      [...prefixes].map(([instance, prefix]) => [fresh[node.instances.indexOf(instance)]!, prefix]),
    );
    return allMaps(initial).flatMap(({ name, map }): MapUpdate[] => {
      const entries = [...map.entryBytes()];
      if (FILLED.includes(map.type)) return entries.map(([key, value]) => ({ map: name, key, value }));
      if (map.type === MapType.PROG_ARRAY)
        return entries.flatMap(([key, value]) => {
          const program = programs.get(number(value));
          return program === undefined ? [] : [{ map: name, key, value: { program } }];
        });
      if (entries.length && !LEFT_ALONE.includes(map.type)) throw new Error(`${name} cannot be filled in the kernel`);
      return [];
    });
  }

  #run(runs: readonly HookRun[]): KernelHookRun[] {
    const results = this.#kernel.runAll(
      runs.map(({ before, ifindex }, n) => ({
        program: `${HELPER}/run_program`,
        packet: before.bytes,
        context: skbContext({ ...before, ifindex, hwtstamp: BigInt(n) }),
      })),
    );
    const states = new Map(
      this.#kernel.dumpMap(`${HELPER}/hook_run_after`).map(([key, value]) => [number(key), decodeState(value)]),
    );
    return results.map((result, n) => ({ ...result, state: states.get(n) ?? {} }));
  }
}

/** Maps of instances by their name in the kernel, shared ones once; data sections are not among them. */
function allMaps(prefixes: ReadonlyMap<LoadedInstance, string>): { name: string; map: BpfMap }[] {
  const found = new Map<string, BpfMap>();
  for (const [{ plan, object }, prefix] of prefixes) {
    for (const [name, map] of object.maps)
      if (!map.spec.data) found.set(plan.privateMaps.includes(name) ? `${prefix}/${name}` : name, map);
  }
  return [...found].map(([name, map]) => ({ name, map }));
}

/** Maps that programs change. */
function compared(prefixes: ReadonlyMap<LoadedInstance, string>): { name: string; map: BpfMap }[] {
  return allMaps(prefixes).filter(({ map }) => COMPARED.includes(map.type));
}
