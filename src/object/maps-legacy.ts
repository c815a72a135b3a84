import { SymbolType } from '../elf/constants.js';
import type { ElfFile, ElfSection, ElfSymbol } from '../elf/elf.js';
import { LoadError, type Place } from '../errors.js';
import type { MapSpec } from './spec.js';

/** Map types whose elements are maps. */
const ARRAY_OF_MAPS = 12;
const HASH_OF_MAPS = 13;
/** BPF_F_NUMA_NODE */
const NUMA_NODE_FLAG = 4;
/** Bytes of type, key size, value size and entries: the least a definition holds. */
const SHORTEST_DEFINITION = 16;
/** struct bpf_elf_map of iproute2 with and without the fields for map-in-map. */
const ELF_MAP_SIZE = 36;
const OLD_ELF_MAP_SIZE = 28;
/** inner_idx of a definition that serves as inner map for an outer one with the same inner_id. */
const INNER_TEMPLATE = 0xffff_ffff;

/** A map together with the place of its definition. */
export interface DefinedMap {
  readonly spec: MapSpec;
  readonly section: number;
  /** Byte offset of the definition within the section. */
  readonly offset: number;
}

/** Whether a section holds legacy definitions: `maps`, or `maps/<name>`. */
export function isLegacyMapSection(section: ElfSection): boolean {
  return section.name === 'maps' || section.name.startsWith('maps/');
}

interface Definition {
  symbol: ElfSymbol;
  /** The definition's 32-bit words. */
  words: number[];
  stride: number;
}

/**
 * Reads legacy map definitions: `struct bpf_elf_map` of iproute2 and Cilium (28 or 36 bytes), and `struct bpf_map_def` of
 * libbpf and the kernel's samples (16 bytes and more). The size of one definition is the section's size divided by the
 * number of map symbols; old LLVM versions give the symbols neither size nor type.
 *
 * Throws LoadError if the symbols do not divide the section evenly or an inner map is missing.
 */
export function readLegacyMaps(elf: ElfFile): DefinedMap[] {
  const definitions = elf.sections.filter(isLegacyMapSection).flatMap((section) => readDefinitions(elf, section));
  const prefersElfMap = usesElfMap(definitions);
  const plain = definitions.map((definition) => ({ definition, spec: toSpec(definition, prefersElfMap) }));
  const byId = new Map(plain.filter(({ spec }) => spec.legacyId !== 0).map(({ spec }) => [spec.legacyId, spec]));
  return plain.map(({ definition, spec }) => {
    const isOuter = spec.type === ARRAY_OF_MAPS || spec.type === HASH_OF_MAPS;
    const place = { file: elf.name, section: elf.sections[definition.symbol.section]?.name, map: spec.name };
    const inner = isOuter ? findInner(place, definition, plain, byId) : undefined;
    return { spec: { ...spec, inner }, section: definition.symbol.section, offset: definition.symbol.value };
  });
}

function readDefinitions(elf: ElfFile, section: ElfSection): Definition[] {
  const place = { file: elf.name, section: section.name };
  const named = elf
    .symbolsIn(section.index)
    .filter((symbol) => symbol.type !== SymbolType.SECTION && symbol.name !== '');
  const symbols = named.sort((a, b) => a.value - b.value || a.index - b.index);
  if (symbols.length === 0) return [];
  const stride = section.size / symbols.length;
  if (!Number.isInteger(stride) || stride < SHORTEST_DEFINITION || stride % 4 !== 0) {
    throw new LoadError(
      `${section.size} bytes hold ${symbols.length} map symbols: their definitions are not of equal size, at least 16 bytes`,
      place,
    );
  }
  const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.byteLength);
  return symbols.map((symbol, index) => {
    if (symbol.value !== index * stride || symbol.value + stride > view.byteLength) {
      throw new LoadError(
        `the definition lies at ${symbol.value}, expected ${index * stride} (${stride} bytes per map)`,
        { ...place, map: symbol.name },
      );
    }
    const words: number[] = [];
    for (let at = 0; at < Math.min(stride, ELF_MAP_SIZE); at += 4) words.push(view.getUint32(symbol.value + at, true));
    return { symbol, words, stride };
  });
}

/**
 * 28 bytes are ambiguous: words 5 and 6 are id and pinning (iproute2) or inner map index and NUMA node (kernel samples).
 * Without inner maps and NUMA flags a non-zero word can only be an id or a pinning.
 */
function usesElfMap(definitions: readonly Definition[]): boolean {
  const old = definitions.filter((definition) => definition.stride === OLD_ELF_MAP_SIZE);
  const isKernelForm = old.some(
    ({ words }) => words[0] === ARRAY_OF_MAPS || words[0] === HASH_OF_MAPS || (words[4]! & NUMA_NODE_FLAG) !== 0,
  );
  return !isKernelForm && old.some(({ words }) => words[5] !== 0 || words[6] !== 0);
}

function isElfMap(definition: Definition, prefersElfMap: boolean): boolean {
  return definition.stride === ELF_MAP_SIZE || (definition.stride === OLD_ELF_MAP_SIZE && prefersElfMap);
}

function toSpec(definition: Definition, prefersElfMap: boolean): MapSpec {
  const [type = 0, keySize = 0, valueSize = 0, maxEntries = 0, flags = 0, id = 0, pinning = 0] = definition.words;
  const extended = isElfMap(definition, prefersElfMap);
  const isOuter = type === ARRAY_OF_MAPS || type === HASH_OF_MAPS;
  return {
    name: definition.symbol.name,
    type,
    keySize,
    // The kernel's samples leave the value size of map-in-map open; it is the size of a map's file descriptor.
    valueSize: valueSize === 0 && isOuter ? 4 : valueSize,
    maxEntries,
    flags,
    extra: 0n,
    pinning: extended ? pinning : 0,
    legacyId: extended ? id : 0,
    origin: 'legacy',
    keyTypeId: 0,
    valueTypeId: 0,
    inner: undefined,
    template: definition.stride === ELF_MAP_SIZE && id !== 0 && definition.words[8] === INNER_TEMPLATE,
    values: [],
    data: undefined,
    readOnly: false,
  };
}

function findInner(
  place: Place,
  outer: Definition,
  all: readonly { definition: Definition; spec: MapSpec }[],
  byId: ReadonlyMap<number, MapSpec>,
): MapSpec | undefined {
  if (outer.stride === ELF_MAP_SIZE) {
    const innerId = outer.words[7]!;
    if (innerId === 0) return undefined;
    const found = byId.get(innerId);
    if (!found || found.name === outer.symbol.name)
      throw new LoadError(`its inner map has id ${innerId}, which no other definition carries`, place);
    return found;
  }
  if (outer.words.length < 6) return undefined;
  const index = outer.words[5]!;
  const found = all[index];
  if (!found || found.definition === outer)
    throw new LoadError(`its inner map is definition ${index} of ${all.length}`, place);
  return found.spec;
}
