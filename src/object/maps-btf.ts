import { R_BPF_64_ABS64, SymbolType } from '../elf/constants.js';
import type { ElfFile, ElfSection, ElfSymbol } from '../elf/elf.js';
import { LoadError, type Place } from '../errors.js';
import type { BtfLookup, DefinitionField } from './btf-lookup.js';
import { isExecutable } from './functions.js';
import type { DefinedMap } from './maps-legacy.js';
import type { MapSpec } from './spec.js';

const PROG_ARRAY = 3;
const PERF_EVENT_ARRAY = 4;
const ARRAY_OF_MAPS = 12;
const HASH_OF_MAPS = 13;
/** Types whose elements are file descriptors for user space: 4 bytes where the definition names no size. */
const SLOT_TYPES = new Set([PROG_ARRAY, PERF_EVENT_ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS]);
const MAP_SECTION = '.maps';
/** A static slot is a 64-bit pointer. */
const SLOT_SIZE = 8;

/** Whether a section holds BTF map definitions. */
export function isBtfMapSection(section: ElfSection): boolean {
  return section.name === MAP_SECTION;
}

/**
 * Reads BTF map definitions (`.maps`): each variable is a struct whose members carry the attributes. Numbers
 * are array lengths behind a pointer, key and value are types behind a pointer, `values` holds static contents or the
 * definition of the inner map.
 *
 * `functionName` names the function at a place, for static contents of prog arrays.
 *
 * Throws LoadError if the object has no BTF, an attribute is unknown or does not have the form described, or a static slot
 * does not point to a map or function.
 */
export function readBtfMaps(
  elf: ElfFile,
  btf: BtfLookup,
  functionName: (section: number, offset: number) => string | undefined,
): DefinedMap[] {
  const maps: DefinedMap[] = [];
  for (const section of elf.sections.filter(isBtfMapSection)) {
    const named = elf
      .symbolsIn(section.index)
      .filter((symbol) => symbol.type !== SymbolType.SECTION && symbol.name !== '');
    const symbols = named.sort((a, b) => a.value - b.value || a.index - b.index);
    if (symbols.length > 0 && !btf.present) {
      throw new LoadError('the maps are defined by BTF types, but the object has none: compile with -g', {
        file: elf.name,
        section: section.name,
      });
    }
    const slots = staticSlots(elf, section, symbols, functionName);
    for (const symbol of symbols)
      maps.push({
        spec: readMap(elf, section, symbol, btf, slots.get(symbol) ?? []),
        section: section.index,
        offset: symbol.value,
      });
  }
  const byName = new Map(maps.map((map) => [map.spec.name, map.spec]));
  return maps.map((map) => ({
    ...map,
    spec: { ...map.spec, inner: map.spec.inner ?? innerFromValues(map.spec, byName) },
  }));
}

/** What an R_BPF_64_ABS64 in a map definition points to. */
interface StaticPointer {
  /** Byte offset within the definition. */
  offset: number;
  map?: string;
  program?: string;
}

function readMap(
  elf: ElfFile,
  section: ElfSection,
  symbol: ElfSymbol,
  btf: BtfLookup,
  pointers: readonly StaticPointer[],
): MapSpec {
  const place: Place = { file: elf.name, section: section.name, map: symbol.name };
  const fields = btf.mapDefinition(symbol.name, section.name, place);
  const spec = fromFields(symbol.name, fields, btf, place);
  const values = fields.find((field) => field.name === 'values');
  const slots = values
    ? pointers.map(({ offset, map, program }) => ({ slot: slotNumber(offset - values.offset, place), map, program }))
    : [];
  return { ...spec, values: slots.sort((a, b) => a.slot - b.slot) };
}

function slotNumber(offset: number, place: Place): number {
  if (offset < 0 || offset % SLOT_SIZE !== 0)
    throw new LoadError(`a static pointer lies ${offset} bytes behind the start of values`, place);
  return offset / SLOT_SIZE;
}

/** Numbers of a definition by attribute name. */
const NUMBERS = ['type', 'key_size', 'value_size', 'max_entries', 'map_flags', 'pinning', 'numa_node'] as const;

function fromFields(name: string, fields: readonly DefinitionField[], btf: BtfLookup, place: Place): MapSpec {
  const numbers: Partial<Record<(typeof NUMBERS)[number], number>> = {};
  let extra = 0n;
  let keyTypeId = 0;
  let valueTypeId = 0;
  let inner: MapSpec | undefined;
  for (const field of fields) {
    const known = NUMBERS.find((number) => number === field.name);
    if (known) numbers[known] = btf.definitionNumber(field, place);
    else if (field.name === 'map_extra') extra = BigInt(btf.definitionNumber(field, place));
    else if (field.name === 'key') keyTypeId = btf.definitionType(field, place);
    else if (field.name === 'value') valueTypeId = btf.definitionType(field, place);
    else if (field.name === 'values') {
      const definition = btf.innerDefinition(field, place);
      const innerPlace = { ...place, map: `${name}.inner` };
      if (definition)
        inner = {
          ...fromFields(`${name}.inner`, withoutValues(definition, innerPlace), btf, innerPlace),
          template: true,
        };
    } else throw new LoadError(`unknown attribute ${field.name} in the map definition`, place);
  }
  const type = numbers.type;
  if (type === undefined) throw new LoadError('the map definition has no type', place);
  const keySize = sizeOf('key', numbers.key_size, keyTypeId, btf, place);
  const valueSize = sizeOf('value', numbers.value_size, valueTypeId, btf, place);
  return {
    name,
    type,
    keySize: keySize ?? (SLOT_TYPES.has(type) ? 4 : 0),
    valueSize: valueSize ?? (SLOT_TYPES.has(type) ? 4 : 0),
    maxEntries: numbers.max_entries ?? 0,
    flags: numbers.map_flags ?? 0,
    extra,
    pinning: numbers.pinning ?? 0,
    legacyId: 0,
    origin: 'btf',
    keyTypeId,
    valueTypeId,
    inner,
    template: false,
    values: [],
    data: undefined,
    readOnly: false,
  };
}

/** The kernel allows one level of nesting; bounding it here also bounds the work on BTF that refers to itself. */
function withoutValues(fields: readonly DefinitionField[], place: Place): readonly DefinitionField[] {
  if (fields.some((field) => field.name === 'values'))
    throw new LoadError('an inner map cannot hold maps itself', place);
  return fields;
}

function sizeOf(
  what: string,
  size: number | undefined,
  typeId: number,
  btf: BtfLookup,
  place: Place,
): number | undefined {
  if (typeId === 0) return size;
  const typeSize = btf.sizeOf(typeId, place);
  if (size !== undefined && size !== typeSize)
    throw new LoadError(`the ${what} has ${typeSize} bytes, its ${what}_size says ${size}`, place);
  return typeSize;
}

/** The pointers that relocations write into the definitions, by map symbol. */
function staticSlots(
  elf: ElfFile,
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  functionName: (section: number, offset: number) => string | undefined,
): Map<ElfSymbol, StaticPointer[]> {
  const slots = new Map<ElfSymbol, StaticPointer[]>();
  const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.byteLength);
  let next = 0;
  for (const relocation of elf.relocations(section.index)) {
    const place: Place = { file: elf.name, section: section.name, offset: relocation.offset };
    while (next + 1 < symbols.length && symbols[next + 1]!.value <= relocation.offset) next++;
    const owner = symbols[next];
    if (!owner || owner.value > relocation.offset || relocation.offset + SLOT_SIZE > view.byteLength) {
      throw new LoadError('a relocation lies outside of all map definitions', place);
    }
    // Other types occur only with LLVM 12 and older, where R_BPF_64_64 (1) has this meaning in data.
    if (relocation.type !== R_BPF_64_ABS64 && relocation.type !== 1)
      throw new LoadError(`relocation of type ${relocation.type}, expected R_BPF_64_ABS64 (2)`, place);
    const addend = Number(view.getBigInt64(relocation.offset, true)) + relocation.addend;
    const target = elf.sections[relocation.symbol.section];
    const offset = relocation.symbol.value + addend;
    const pointer: StaticPointer = { offset: relocation.offset - owner.value };
    if (target === section) pointer.map = mapAt(symbols, offset)?.name;
    else if (target && isExecutable(target)) pointer.program = functionName(target.index, offset);
    if (pointer.map === undefined && pointer.program === undefined) {
      throw new LoadError(
        `static contents refer to ${relocation.symbol.name || 'an unnamed symbol'}, which is neither map nor function`,
        { ...place, map: owner.name },
      );
    }
    const known = slots.get(owner);
    if (known) known.push(pointer);
    else slots.set(owner, [pointer]);
  }
  return slots;
}

function mapAt(symbols: readonly ElfSymbol[], offset: number): ElfSymbol | undefined {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (symbols[middle]!.value < offset) low = middle + 1;
    else high = middle;
  }
  return symbols[low]?.value === offset ? symbols[low] : undefined;
}

/** The inner map definition follows from the first static slot where `values` names no type. */
function innerFromValues(spec: MapSpec, byName: ReadonlyMap<string, MapSpec>): MapSpec | undefined {
  if (spec.type !== ARRAY_OF_MAPS && spec.type !== HASH_OF_MAPS) return undefined;
  const first = spec.values.find((value) => value.map !== undefined && value.map !== spec.name);
  return first?.map === undefined ? undefined : byName.get(first.map);
}
