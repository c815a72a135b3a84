import { isMap, isNode, LineCounter, type Node, parseDocument } from 'yaml';
import { z } from 'zod';
import { OffkernelError, UsageError } from '../errors.js';
import type { LoadedObject } from '../machine/loaded.js';
import type { BpfMap } from '../machine/map.js';
import { readText } from './files.js';

const entry = z.strictObject({ key: z.unknown(), value: z.unknown() });

/** A map's contents: a list of {key, value}, a list of values for keyless maps, or an object whose names are the keys. */
const contents = z.union([z.array(entry), z.array(z.unknown()), z.record(z.string(), z.unknown())]);
const schema = z.record(z.string(), contents);

/** Contents of maps by name, as `--maps FILE` gives them (YAML or JSON), with places for error messages. */
export interface MapsFile {
  maps: Record<string, z.infer<typeof contents>>;
  /** `file:line` of a map's entry. */
  place(map: string, index?: number | string): string;
}

/** Reads a maps file. Throws UsageError with file and line for syntax errors and wrong shapes. */
export function readMapsFile(path: string): MapsFile {
  const lines = new LineCounter();
  const document = parseDocument(readText(path), { lineCounter: lines, intAsBigInt: true });
  const syntax = document.errors[0];
  if (syntax) throw new UsageError(`${path}: ${syntax.message}`);
  const lineOf = (keys: (string | number)[]): string => {
    const node = keys.length ? (document.getIn(keys, true) as Node | undefined) : document.contents;
    const offset = isNode(node) ? node.range?.[0] : undefined;
    return offset === undefined ? path : `${path}:${lines.linePos(offset).line}`;
  };
  if (document.contents !== null && !isMap(document.contents))
    throw new UsageError(`${lineOf([])}: expected map names with their contents`);
  const parsed = schema.safeParse(document.toJS({ mapAsMap: false }) ?? {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new UsageError(
      `${lineOf(issue.path as (string | number)[])}: ${issue.path.join('.')}: expected a list of {key, value}, a list of values, or keys with their values`,
    );
  }
  return { maps: parsed.data, place: (map, index) => lineOf(index === undefined ? [map] : [map, index]) };
}

function isEntry(item: unknown): item is z.infer<typeof entry> {
  return typeof item === 'object' && item !== null && 'key' in item && 'value' in item;
}

function fillMap(map: BpfMap, value: z.infer<typeof contents>, at: (index?: number | string) => string): void {
  const guarded = (index: number | string | undefined, action: () => void): void => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof OffkernelError)) throw error;
      throw new UsageError(`${at(index)}: ${error.message}`);
    }
  };
  if (!Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) guarded(key, () => map.set(key, inner));
    return;
  }
  for (const [index, item] of value.entries()) {
    guarded(index, () => {
      if (map.isKeyless) map.push(item);
      else if (isEntry(item)) map.set(item.key, item.value);
      else throw new UsageError(`map ${map.name}: expected {key: ..., value: ...}`);
    });
  }
}

/** Fills the maps of an object. Throws UsageError with file and line for unknown maps, fields or refused updates. */
export function fillMaps(object: LoadedObject, file: MapsFile): void {
  for (const [name, value] of Object.entries(file.maps)) {
    let map: BpfMap;
    try {
      map = object.map(name);
    } catch (error) {
      if (!(error instanceof OffkernelError)) throw error;
      throw new UsageError(`${file.place(name)}: ${error.message}`);
    }
    fillMap(map, value, (index) => file.place(name, index));
  }
}
