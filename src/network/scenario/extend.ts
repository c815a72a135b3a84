import { UsageError } from '../../errors.js';
import { YamlSource } from './source.js';

/** Gives the text of a scenario that another one names in `extends`, with the name it has in messages. */
export type ReadBase = (path: string, from: string) => { text: string; name: string };

/** How many scenarios may extend one another. */
const MOST_LEVELS = 8;

/** What reading a scenario needs of its source: one value and the places of its parts. */
export interface ScenarioSource {
  readonly value: unknown;
  /** `name:line:column` of the value at a path, see {@link YamlSource.place}. */
  place(path: readonly PropertyKey[], key?: string): string;
}

/**
 * A scenario text laid over the one it `extends`: names are merged, lists and plain values replace what the base has, null
 * removes it. Throws UsageError for a base that cannot be read.
 */
export function scenarioSource(text: string, name: string, readBase: ReadBase | undefined, level = 0): ScenarioSource {
  const own = new YamlSource(text, name);
  const { value } = own;
  if (!isRecord(value) || value.extends === undefined) return own;
  const { extends: base, ...rest } = value;
  const at = own.place(['extends']);
  if (typeof base !== 'string') throw new UsageError(`${at}: extends: expected the path of a scenario`);
  if (!readBase) throw new UsageError(`${at}: extends: ${base} cannot be read here`);
  if (level >= MOST_LEVELS)
    throw new UsageError(`${at}: extends: more than ${MOST_LEVELS} scenarios extend one another`);
  const read = readBase(base, name);
  const below = scenarioSource(read.text, read.name, readBase, level + 1);
  return {
    value: merge(below.value, rest),
    place: (path, key) => {
      const whole = key === undefined ? path : [...path, key];
      return (depthOf(rest, whole) >= depthOf(below.value, whole) ? own : below).place(path, key);
    },
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function merge(base: unknown, over: unknown): unknown {
  if (!isRecord(base) || !isRecord(over)) return over;
  const merged = { ...base };
  for (const [name, value] of Object.entries(over)) {
    if (value === null) delete merged[name];
    else merged[name] = merge(base[name], value);
  }
  return merged;
}

/** How many steps of a path there are in a value. */
function depthOf(value: unknown, path: readonly PropertyKey[]): number {
  let at = value;
  for (const [depth, step] of path.entries()) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return depth;
    at = (at as Record<PropertyKey, unknown>)[step];
  }
  return path.length;
}
