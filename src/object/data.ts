import { SectionFlag, SectionType, SymbolBinding, SymbolType } from '../elf/constants.js';
import type { ElfFile, ElfSection, ElfSymbol } from '../elf/elf.js';
import { LoadError } from '../errors.js';
import type { BtfLookup } from './btf-lookup.js';
import { CONFIG_PREFIX, CONFIG_SECTION, isTemplateConstant } from './constants.js';
import type { MapSpec, VariableSpec } from './spec.js';

/** BPF_F_RDONLY_PROG */
const READ_ONLY_FLAG = 0x80;
/** BPF_MAP_TYPE_ARRAY */
const ARRAY = 2;
/** No machine has room for more; a NOBITS section costs nothing in the file but all of its size here. */
const LARGEST_DATA = 64 << 20;

/** A variable as relocations see it. */
export interface PlacedVariable {
  readonly name: string;
  readonly size: number;
  /** Whether its address stands for its value (Cilium up to 1.16). */
  readonly isConstant: boolean;
}

/** Whether libbpf's naming makes this a data section. */
function isDataName(name: string): boolean {
  return /^\.(data|bss|rodata)(\.|$)/.test(name);
}

/** The data sections of an object, each a one-element array map, and the variables in them. */
export class DataSections {
  readonly maps: MapSpec[] = [];
  readonly variables: VariableSpec[] = [];
  readonly #names = new Map<number, string>();
  readonly #takenNames = new Set<string>();
  readonly #placed = new Map<number, { offsets: number[]; variables: PlacedVariable[] }>();
  readonly #constantSections = new Set<number>();

  /**
   * Takes all sections named .data*, .bss* and .rodata*, and any other data section that code refers to (`referenced`, by
   * section index).
   *
   * Throws LoadError for a variable outside its section and for more than 64 MiB of data.
   */
  constructor(elf: ElfFile, btf: BtfLookup, referenced: ReadonlySet<number>) {
    let total = 0;
    for (const section of elf.sections) {
      const holdsData = section.type === SectionType.PROGBITS || section.type === SectionType.NOBITS;
      const isCode = (section.flags & SectionFlag.EXECINSTR) !== 0;
      if (!holdsData || isCode || section.size === 0) continue;
      if (!isDataName(section.name) && !referenced.has(section.index)) continue;
      total += section.size;
      if (total > LARGEST_DATA) {
        throw new LoadError(`the data sections take ${total} bytes, more than ${LARGEST_DATA}`, {
          file: elf.name,
          section: section.name,
        });
      }
      this.#add(elf, section, btf);
    }
  }

  /** Name of the map that holds the section, undefined for sections without one. */
  mapName(section: number): string | undefined {
    return this.#names.get(section);
  }

  /** Whether the section is made of address-as-value constants, so that even a place without a symbol is one. */
  holdsConstants(section: number): boolean {
    return this.#constantSections.has(section);
  }

  /** The variable that covers the byte, undefined if none does. */
  variableAt(section: number, offset: number): PlacedVariable | undefined {
    const placed = this.#placed.get(section);
    if (!placed) return undefined;
    let low = 0;
    let high = placed.offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (placed.offsets[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    const found = placed.variables[low - 1];
    return found && offset < placed.offsets[low - 1]! + Math.max(found.size, 1) ? found : undefined;
  }

  #add(elf: ElfFile, section: ElfSection, btf: BtfLookup): void {
    const taken = this.#takenNames.has(section.name);
    this.#takenNames.add(section.name);
    const name = taken ? `${section.name}#${section.index}` : section.name;
    const readOnly = (section.flags & SectionFlag.WRITE) === 0 || /^\.rodata(\.|$)/.test(section.name);
    const data = section.type === SectionType.NOBITS ? new Uint8Array(section.size) : section.data;
    this.#names.set(section.index, name);
    this.maps.push({
      name,
      type: ARRAY,
      keySize: 4,
      valueSize: section.size,
      maxEntries: 1,
      flags: readOnly ? READ_ONLY_FLAG : 0,
      extra: 0n,
      pinning: 0,
      legacyId: 0,
      origin: 'data',
      keyTypeId: 0,
      valueTypeId: btf.datasec(section.name),
      inner: undefined,
      template: false,
      values: [],
      data,
      readOnly,
    });
    const symbols = variableSymbols(elf, section);
    const offsets: number[] = [];
    const placed: PlacedVariable[] = [];
    for (const [index, symbol] of symbols.entries()) {
      const size = symbol.size || (symbols[index + 1]?.value ?? section.size) - symbol.value;
      if (symbol.value + size > section.size) {
        throw new LoadError(
          `variable ${symbol.name} ends at byte ${symbol.value + size}, its section has ${section.size}`,
          {
            file: elf.name,
            section: section.name,
            offset: symbol.value,
          },
        );
      }
      const isConfig = isConfigVariable(section, symbol);
      const isConstant = isConfig && (section.name !== CONFIG_SECTION || symbol.binding === SymbolBinding.LOCAL);
      const variable = btf.variable(symbol.name, section.name);
      offsets.push(symbol.value);
      placed.push({ name: symbol.name, size, isConstant });
      this.variables.push({
        name: symbol.name,
        label: symbol.name.startsWith(CONFIG_PREFIX) ? symbol.name.slice(CONFIG_PREFIX.length) : symbol.name,
        section: name,
        offset: symbol.value,
        size,
        typeId: variable.typeId,
        isConfig,
        tags: variable.tags,
        initial: data.subarray(symbol.value, symbol.value + size),
      });
    }
    this.#placed.set(section.index, { offsets, variables: placed });
    if (section.name === CONFIG_SECTION && placed.length > 0 && placed.every((variable) => variable.isConstant))
      this.#constantSections.add(section.index);
  }
}

/** OBJECT symbols by place; old LLVM versions write NOTYPE ones without a size. */
function variableSymbols(elf: ElfFile, section: ElfSection): ElfSymbol[] {
  const named = elf.symbolsIn(section.index).filter((symbol) => symbol.name !== '');
  const objects = named.filter((symbol) => symbol.type === SymbolType.OBJECT);
  const symbols =
    objects.length > 0
      ? objects
      : named.filter((symbol) => symbol.type === SymbolType.NOTYPE && !symbol.name.startsWith('.L'));
  return symbols.sort((a, b) => a.value - b.value || a.index - b.index);
}

function isConfigVariable(section: ElfSection, symbol: ElfSymbol): boolean {
  if (section.name === CONFIG_SECTION) return symbol.name.startsWith(CONFIG_PREFIX);
  return /^\.(data|bss)$/.test(section.name) && isTemplateConstant(symbol.name);
}
