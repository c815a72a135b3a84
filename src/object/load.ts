import { Btf } from '../btf/btf.js';
import { BtfExt } from '../btf/ext.js';
import { SectionType } from '../elf/constants.js';
import { type ElfFile, type ElfSection, readElf } from '../elf/elf.js';
import { LoadError } from '../errors.js';
import { BtfLookup } from './btf-lookup.js';
import { relocateTypes } from './core-relocations.js';
import { DataSections } from './data.js';
import { readExterns } from './externs.js';
import { type CodeRange, FunctionIndex, findFunctions, isExecutable } from './functions.js';
import { FunctionLines } from './lines.js';
import { isBtfMapSection, readBtfMaps } from './maps-btf.js';
import { type DefinedMap, isLegacyMapSection, readLegacyMaps } from './maps-legacy.js';
import { programTypes } from './program-types.js';
import { type RelocationTargets, relocateFunction } from './relocate.js';
import { slotsOf } from './slots.js';
import type { FunctionSpec, MapSpec, ObjectSpec, ProgramSpec, Relocation } from './spec.js';

export interface LoadObjectOptions {
  /** Name for errors and ObjectSpec.name, usually the file name. */
  name: string;
  /** Kernel types that CO-RE relocations are resolved against; the object's own types if absent. */
  targetBtf?: Btf;
  /**
   * Program type (as in ProgramSpec.type) for programs whose section name says none. With it, the global functions of an
   * object that has code in `.text` only become programs too.
   */
  programType?: string;
}

/**
 * Reads a compiled BPF object: ELF64 little-endian relocatable, with or without BTF, of libbpf, iproute2 or any era of
 * Cilium. The result depends on the arguments alone and shares memory with `bytes`, which must not change afterwards.
 *
 * Throws LoadError, in bounded time and memory, if the file is malformed or refers to what it does not hold.
 */
export function loadObject(bytes: Uint8Array, options: LoadObjectOptions): ObjectSpec {
  // Copies made by slice() must be copies, which they are not for Node's Buffer.
  const elf = readElf(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), options.name);
  const btfSection = dataSection(elf, '.BTF');
  const btf = btfSection && Btf.parse(btfSection.data, options.name);
  const extSection = btf && dataSection(elf, '.BTF.ext');
  const ext = extSection && BtfExt.parse(extSection.data, btf, options.name);
  const lookup = new BtfLookup(btf, ext);

  const ranges = findFunctions(elf);
  const functionIndex = new FunctionIndex(ranges);
  const functionName = (section: number, offset: number): string | undefined => {
    const index = functionIndex.at(section, offset);
    return index === undefined ? undefined : ranges[index]!.name;
  };
  const defined = [...readLegacyMaps(elf), ...readBtfMaps(elf, lookup, functionName)];
  checkNames(elf, defined);
  const data = new DataSections(elf, lookup, referencedSections(elf));
  const externs = readExterns(elf, lookup);
  const mapPlaces = new Map(defined.map((map) => [`${map.section}:${map.offset}`, map.spec.name]));
  const targets: RelocationTargets = {
    elf,
    functions: ranges,
    functionIndex,
    mapAt: (section, offset) => mapPlaces.get(`${section}:${offset}`),
    isMapSection: (section) => isMapSection(elf.sections[section]),
    data,
    externs,
  };

  const relocated = relocateTypes(elf, ranges, btf, ext, options.targetBtf);
  const relocations = relocateAll(elf, ranges, targets);
  const functionLines = new FunctionLines(ext);
  const functions = ranges.map((range, index): FunctionSpec => {
    let lines: FunctionSpec['lines'] | undefined;
    return {
      name: range.name,
      section: range.section.name,
      offset: range.offset,
      instructions: relocated.instructions(range),
      relocations: relocations[index]!,
      get lines() {
        lines ??= functionLines.of(range);
        return lines;
      },
      btfId: lookup.functionId(range.name, range.section.name, range.offset),
      isLocal: range.isLocal,
    };
  });
  const maps = [...finishTemplates(defined, relocations), ...data.maps];
  return {
    name: options.name,
    license: licenseOf(elf),
    functions,
    programs: findPrograms(ranges, functions, maps, lookup, options),
    maps,
    variables: data.variables,
    externs: [...externs.values()],
    btf,
    warnings: relocated.warnings,
  };
}

function dataSection(elf: ElfFile, name: string): ElfSection | undefined {
  return elf.sections.find(
    (section) => section.name === name && section.type === SectionType.PROGBITS && section.size > 0,
  );
}

function isMapSection(section: ElfSection | undefined): boolean {
  return section !== undefined && (isLegacyMapSection(section) || isBtfMapSection(section));
}

function checkNames(elf: ElfFile, maps: readonly DefinedMap[]): void {
  const seen = new Set<string>();
  for (const { spec, section } of maps) {
    if (seen.has(spec.name))
      throw new LoadError('the map is defined twice', {
        file: elf.name,
        section: elf.sections[section]?.name,
        map: spec.name,
      });
    seen.add(spec.name);
  }
}

/** Sections without code and maps that code refers to. */
function referencedSections(elf: ElfFile): Set<number> {
  const referenced = new Set<number>();
  for (const section of elf.sections) {
    if (!isExecutable(section)) continue;
    for (const { symbol } of elf.relocations(section.index)) {
      const target = elf.sections[symbol.section];
      if (target && target.index !== 0 && !isMapSection(target)) referenced.add(target.index);
    }
  }
  return referenced;
}

/** Relocations of each function, in the order of the functions (which is section and offset order). */
function relocateAll(elf: ElfFile, ranges: readonly CodeRange[], targets: RelocationTargets): Relocation[][] {
  let section = -1;
  let next = 0;
  return ranges.map((range) => {
    const entries = elf.relocations(range.section.index);
    if (range.section.index !== section) {
      section = range.section.index;
      next = 0;
    }
    while (next < entries.length && entries[next]!.offset < range.offset) next++;
    const first = next;
    while (next < entries.length && entries[next]!.offset < range.offset + range.size) next++;
    return relocateFunction(range, entries.slice(first, next), targets);
  });
}

/** A legacy inner definition that code uses directly is a map like any other. */
function finishTemplates(defined: readonly DefinedMap[], relocations: readonly Relocation[][]): MapSpec[] {
  const used = new Set<string>();
  for (const own of relocations) for (const relocation of own) if (relocation.kind === 'map') used.add(relocation.map);
  const maps: MapSpec[] = [];
  for (const { spec } of defined) {
    maps.push(spec.template && used.has(spec.name) ? { ...spec, template: false } : spec);
    if (spec.inner?.template && spec.inner.origin === 'btf') maps.push(spec.inner);
  }
  return maps;
}

function findPrograms(
  ranges: readonly CodeRange[],
  functions: readonly FunctionSpec[],
  maps: readonly MapSpec[],
  lookup: BtfLookup,
  options: LoadObjectOptions,
): ProgramSpec[] {
  const isText = (range: CodeRange): boolean => range.section.name === '.text';
  const textOnly = ranges.every(isText) && options.programType !== undefined;
  // A function in a prog array is entered from outside, wherever it lies.
  const inArrays = new Set(maps.flatMap((map) => map.values.map((value) => value.program)));
  const indices = [...ranges.keys()].filter((index) => {
    const range = ranges[index]!;
    return !isText(range) || inArrays.has(range.name) || (textOnly && !range.isLocal);
  });
  const entries = indices.map((index) => ranges[index]!);
  const types = programTypes(entries, ranges, options.name, options.programType);
  const slots = slotsOf(
    entries,
    indices.map((index) => lookup.tags(functions[index]!.btfId)),
    maps,
  );
  return entries.map((range, position) => ({
    name: range.name,
    section: range.section.name,
    function: indices[position]!,
    type: types[position]!.type,
    attachType: types[position]!.attachType,
    frags: types[position]!.frags ?? false,
    slots: slots[position]!,
  }));
}

function licenseOf(elf: ElfFile): string {
  const section = elf.sections.find((candidate) => candidate.name === 'license');
  if (!section) return '';
  const end = section.data.indexOf(0);
  return new TextDecoder().decode(end < 0 ? section.data : section.data.subarray(0, end));
}
