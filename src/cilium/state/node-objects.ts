import { UsageError } from '../../errors.js';
import type { MapSpec, ObjectSpec, ProgramSpec, VariableSpec } from '../../object/spec.js';
import { MapLayout } from './layout.js';
import { canonicalMapName } from './map-names.js';

export type ObjectKind = 'lxc' | 'host' | 'overlay' | 'sock';

/** The objects of one node; a missing one is not loaded. */
export type ObjectSpecs = Partial<Record<ObjectKind, ObjectSpec>>;

/** What the objects of a node have in common: maps by canonical name, programs, variables. */
export class NodeObjects {
  readonly specs: ObjectSpecs;
  readonly #maps = new Map<string, { spec: MapSpec; object: ObjectSpec }>();

  constructor(specs: ObjectSpecs) {
    this.specs = specs;
    for (const object of Object.values(specs)) {
      for (const spec of object.maps) {
        const name = canonicalMapName(spec.name, spec.type);
        if (!spec.template && !this.#maps.has(name)) this.#maps.set(name, { spec, object });
      }
    }
  }

  /** The map with a canonical name; undefined if no object has it. */
  map(canonical: string): MapSpec | undefined {
    return this.#maps.get(canonical)?.spec;
  }

  /** Layout of a map; undefined if no object has it. */
  layout(canonical: string): MapLayout | undefined {
    const found = this.#maps.get(canonical);
    return found && new MapLayout(found.spec, found.object.btf, found.object.name);
  }

  /** Canonical names of all maps. */
  get mapNames(): string[] {
    return [...this.#maps.keys()];
  }

  /** First of the programs that the object has, each named by function or section. */
  program(kind: ObjectKind, names: readonly string[]): ProgramSpec | undefined {
    const programs = this.specs[kind]?.programs ?? [];
    for (const name of names) {
      const found =
        programs.find((program) => program.name === name) ?? programs.find((program) => program.section === name);
      if (found) return found;
    }
    return undefined;
  }

  variable(kind: ObjectKind, label: string): VariableSpec | undefined {
    return this.specs[kind]?.variables.find((variable) => variable.isConfig && variable.label === label);
  }

  /** Throws UsageError if an object that the walk cannot do without is missing. */
  require(kind: ObjectKind): ObjectSpec {
    const spec = this.specs[kind];
    if (!spec) throw new UsageError(`no bpf_${kind}.o is given`);
    return spec;
  }
}
