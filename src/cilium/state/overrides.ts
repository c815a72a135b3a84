import { UsageError } from '../../errors.js';
import { didYouMean } from '../../text.js';
import { POLICY_PROGRAMS } from './hooks.js';
import { canonicalMapName } from './map-names.js';
import type { NodePlan, PlanContext, PlannedMap } from './plan-types.js';

/** Applies a scenario's raw map changes to a plan. Throws UsageError for maps that no object has. */
export function applyMapOverrides(plan: NodePlan, { node, objects }: PlanContext): void {
  for (const [name, change] of Object.entries(node.overrides?.maps ?? {})) {
    const spec = objects.map(canonicalMapName(name));
    if (!spec) {
      const known = objects.mapNames;
      throw new UsageError(
        `overrides of ${node.name}: no object has a map ${name}${didYouMean(name, known)}; there are: ${known.join(', ')}`,
      );
    }
    if (change.full) plan.fullMaps.push(spec.name);
    for (const map of targets(plan, spec.name)) {
      if (change.clear) {
        map.entries = [];
        if (map.inner) map.inner = [];
      }
      map.entries = map.entries.filter(({ key }) => !change.delete.some((pattern) => matches(pattern, key)));
      if (map.inner) map.inner = map.inner.filter(({ key }) => !change.delete.some((pattern) => matches(pattern, key)));
      map.entries.push(...change.set.map(({ key, value }) => ({ key, value })));
    }
  }
}

const POLICY_NAMES: readonly (readonly string[])[] = Object.values(POLICY_PROGRAMS);

/**
 * Names in the node's objects of the programs whose slots stay empty; a policy program of another version's name is meant too.
 * Throws UsageError for a program that no object has.
 */
export function emptySlotsOf({ node, objects }: PlanContext): string[] {
  const known = Object.values(objects.specs).flatMap(({ programs }) => programs.map(({ name }) => name));
  return (node.overrides?.emptySlots ?? []).map((name) => {
    const aliases = POLICY_NAMES.find((candidates) => candidates.includes(name)) ?? [name];
    const found =
      known.find((candidate) => candidate === name) ?? known.find((candidate) => aliases.includes(candidate));
    if (found) return found;
    throw new UsageError(
      `overrides of ${node.name}: emptySlots: no object has a program ${name}${didYouMean(name, known)}`,
    );
  });
}

/** The planned contents of a map: the shared one, or that of every instance that has its own. */
function targets(plan: NodePlan, map: string): PlannedMap[] {
  const own = plan.instances.filter(({ privateMaps }) => privateMaps.includes(map));
  if (own.length) return own.map((instance) => planned(instance.maps, map));
  return [planned(plan.maps, map)];
}

function planned(maps: PlannedMap[], map: string): PlannedMap {
  const known = maps.find((candidate) => candidate.map === map);
  if (known) return known;
  const added = { map, entries: [] };
  maps.push(added);
  return added;
}

/** Whether every field of the pattern has the same value in the key. */
function matches(pattern: unknown, key: unknown): boolean {
  if (typeof pattern === 'object' && pattern !== null && typeof key === 'object' && key !== null)
    return Object.entries(pattern).every(([name, value]) => matches(value, (key as Record<string, unknown>)[name]));
  return String(pattern) === String(key);
}
