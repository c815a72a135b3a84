import elfy from 'elfy';
import { LoadError } from '../errors.js';
import { EM_BPF, SectionType } from './constants.js';
import { ElfReader } from './reader.js';
import { StringTable } from './strings.js';

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  /** SHT_* */
  readonly type: number;
  /** SHF_* bits. */
  readonly flags: number;
  readonly link: number;
  readonly info: number;
  readonly entsize: number;
  /** sh_size in bytes: also the size of NOBITS sections, which have no data. */
  readonly size: number;
  /** Byte offset of the data in the file. */
  readonly offset: number;
  /** Contents, a view of the file's bytes; empty for NOBITS. */
  readonly data: Uint8Array;
}

export interface ElfSymbol {
  readonly index: number;
  /** Name; section symbols without one carry the name of their section. */
  readonly name: string;
  /** Byte offset within the section. */
  readonly value: number;
  readonly size: number;
  /** STT_* */
  readonly type: number;
  /** STB_* */
  readonly binding: number;
  /** Section index, 0 for undefined symbols, 0xff00 and up for absolute and common ones. */
  readonly section: number;
}

export interface ElfRelocation {
  /** Byte offset within the section it applies to. */
  readonly offset: number;
  /** R_BPF_*; the numbers changed at LLVM 13 for sections that are not executed. */
  readonly type: number;
  readonly symbol: ElfSymbol;
  /** Explicit addend of RELA, 0 for REL (whose addend lies in the relocated place). */
  readonly addend: number;
}

export interface ElfFile {
  readonly name: string;
  /** e_machine: 247 (BPF) or 0. */
  readonly machine: number;
  /** All sections by index; 0 is the null section. */
  readonly sections: readonly ElfSection[];
  /** All symbols by index, the null symbol included; empty without a symbol table. */
  readonly symbols: readonly ElfSymbol[];
  /** The symbols defined in a section, by its index, in the order of the symbol table. */
  symbolsIn(section: number): readonly ElfSymbol[];
  /** Relocations per index of the section they apply to, sorted by offset. */
  relocations(section: number): readonly ElfRelocation[];
}

const HEADER_SIZE = 64;
const SECTION_HEADER_SIZE = 64;
const SYMBOL_SIZE = 24;
const REL_SIZE = 16;
const RELA_SIZE = 24;
/** e_shnum and e_shstrndx that refer to the first section header for the true number. */
const EXTENDED_STRING_SECTION = 0xffff;

/**
 * Reads an ELF64 little-endian relocatable BPF object (ELF gABI; psABI of BPF in the LLVM documentation). `name` is used
 * in errors. Nothing is copied: section data are views of `bytes`. Relocations are read when asked for.
 *
 * Throws LoadError for everything that is not such a file or leads outside of it. Time and memory are proportional to the
 * size of the file.
 */
export function readElf(contents: Uint8Array, name: string): ElfFile {
  // Sections are views of the file. Node's Buffer is no plain Uint8Array: its slice() does not copy.
  const bytes = new Uint8Array(contents.buffer, contents.byteOffset, contents.byteLength);
  const file = new ElfReader(bytes);
  checkIdent(bytes, name);
  const header = new elfy.Parser().parseHeader(file);
  const type = file.readUInt16LE(16);
  const machine = file.readUInt16LE(18);
  if (type !== 1) {
    throw new LoadError(
      `ELF type ${type}, expected a relocatable object (1): give the output of clang -c, not a linked file`,
      { file: name, offset: 16 },
    );
  }
  if (machine !== EM_BPF && machine !== 0) {
    throw new LoadError(`ELF machine ${machine}, expected BPF (247): compile with clang --target=bpf`, {
      file: name,
      offset: 18,
    });
  }
  const sections = readSections(file, header, name);
  const symbols = readSymbols(file, sections, name);
  const bySection = groupBySection(symbols);
  return {
    name,
    machine,
    sections,
    symbols,
    symbolsIn: (section) => bySection.get(section) ?? [],
    relocations: relocationReader(file, sections, symbols, name),
  };
}

function groupBySection(symbols: readonly ElfSymbol[]): Map<number, ElfSymbol[]> {
  const groups = new Map<number, ElfSymbol[]>();
  for (const symbol of symbols) {
    const known = groups.get(symbol.section);
    if (known) known.push(symbol);
    else groups.set(symbol.section, [symbol]);
  }
  return groups;
}

type Header = ReturnType<InstanceType<typeof elfy.Parser>['parseHeader']>;

function checkIdent(bytes: Uint8Array, name: string): void {
  if (bytes.length < 4 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) {
    throw new LoadError('not an ELF file: the magic bytes 7f 45 4c 46 are missing', { file: name, offset: 0 });
  }
  if (bytes.length < HEADER_SIZE) {
    throw new LoadError(
      `the file has ${bytes.length} bytes, its ELF header alone needs ${HEADER_SIZE}: it is truncated`,
      { file: name },
    );
  }
  if (bytes[4] !== 2) throw new LoadError(`ELF class ${bytes[4]}, expected 64-bit (2)`, { file: name, offset: 4 });
  if (bytes[5] === 2) {
    throw new LoadError('the object is big-endian, only little-endian ones can be run: compile with --target=bpfel', {
      file: name,
      offset: 5,
    });
  }
  if (bytes[5] !== 1)
    throw new LoadError(`ELF byte order ${bytes[5]}, expected little-endian (1)`, { file: name, offset: 5 });
}

function readSections(file: ElfReader, header: Header, name: string): ElfSection[] {
  const { shoff, shentsize } = header;
  if (shoff === 0) return [];
  if (shentsize !== SECTION_HEADER_SIZE) {
    throw new LoadError(`section headers of ${shentsize} bytes, expected ${SECTION_HEADER_SIZE}`, {
      file: name,
      offset: 58,
    });
  }
  if (shoff + SECTION_HEADER_SIZE > file.length) {
    throw new LoadError(
      `section headers at ${shoff} lie behind the end of the file (${file.length} bytes): it is truncated`,
      { file: name, offset: 40 },
    );
  }
  const count = header.shnum === 0 ? file.readUInt64LE(shoff + 32) : header.shnum;
  const names = header.shstrndx === EXTENDED_STRING_SECTION ? file.readUInt32LE(shoff + 40) : header.shstrndx;
  if (shoff + count * SECTION_HEADER_SIZE > file.length) {
    throw new LoadError(
      `${count} section headers at ${shoff} end behind the end of the file (${file.length} bytes): it is truncated`,
      { file: name, offset: 60 },
    );
  }
  const parser = new elfy.Parser();
  // parseSection reads 64-bit words in the byte order and width that parseHeader has set.
  parser.parseHeader(file);
  const raw: (Omit<ElfSection, 'name'> & { name: number })[] = [];
  for (let index = 0; index < count; index++) {
    const at = shoff + index * SECTION_HEADER_SIZE;
    const section = parser.parseSection(new ElfReader(file.slice(at, at + SECTION_HEADER_SIZE)), header, file);
    // Type, flags and entsize are read here: elfy maps the first two to names and reads the last one at offset 54 (it is at 56).
    const type = file.readUInt32LE(at + 4);
    const hasData = type !== SectionType.NOBITS && index !== 0;
    if (hasData && section.off + section.size > file.length) {
      throw new LoadError(
        `section ${index} (bytes ${section.off} to ${section.off + section.size}) ends behind the end of the file (${file.length} bytes)`,
        {
          file: name,
          offset: at,
        },
      );
    }
    raw.push({
      index,
      name: section.name,
      type,
      flags: file.readUInt32LE(at + 8),
      link: section.link,
      info: section.info,
      entsize: file.readUInt64LE(at + 56),
      size: index === 0 ? 0 : section.size,
      offset: section.off,
      data: hasData ? (section.data as Uint8Array) : new Uint8Array(),
    });
  }
  const table = raw[names];
  if (names === 0 || table?.type !== SectionType.STRTAB) {
    throw new LoadError(`the section name table is section ${names}, which is no string table`, {
      file: name,
      offset: 62,
    });
  }
  const strings = new StringTable(table.data, { file: name, section: '(section names)' }, file.length);
  return raw.map((section) => ({ ...section, name: section.index === 0 ? '' : strings.name(section.name) }));
}

function readSymbols(file: ElfReader, sections: readonly ElfSection[], name: string): ElfSymbol[] {
  const tables = sections.filter((section) => section.type === SectionType.SYMTAB);
  const table = tables[0];
  if (!table) return [];
  if (tables.length > 1) throw new LoadError('more than one symbol table', { file: name, section: tables[1]!.name });
  const place = { file: name, section: table.name };
  if (table.entsize !== SYMBOL_SIZE || table.size % SYMBOL_SIZE !== 0) {
    throw new LoadError(
      `symbols of ${table.entsize} bytes in ${table.size} bytes, expected ${SYMBOL_SIZE} each`,
      place,
    );
  }
  const names = sections[table.link];
  if (names?.type !== SectionType.STRTAB)
    throw new LoadError(`its string table is section ${table.link}, which is no string table`, place);
  const strings = new StringTable(names.data, { file: name, section: names.name }, file.length);
  const symbols: ElfSymbol[] = [];
  for (let at = table.offset; at < table.offset + table.size; at += SYMBOL_SIZE) {
    const info = file.readUInt16LE(at + 4) & 0xff;
    const section = file.readUInt16LE(at + 6);
    const type = info & 15;
    const index = symbols.length;
    if (section >= sections.length && section < 0xff00) {
      throw new LoadError(`symbol ${index} lies in section ${section}, the file has ${sections.length}`, {
        ...place,
        offset: at - table.offset,
      });
    }
    const own = strings.name(file.readUInt32LE(at));
    symbols.push({
      index,
      name: own === '' && type === 3 ? (sections[section]?.name ?? '') : own,
      value: file.readUInt64LE(at + 8),
      size: file.readUInt64LE(at + 16),
      type,
      binding: info >> 4,
      section,
    });
  }
  return symbols;
}

function relocationReader(
  file: ElfReader,
  sections: readonly ElfSection[],
  symbols: readonly ElfSymbol[],
  name: string,
): (section: number) => readonly ElfRelocation[] {
  const tables = new Map<number, ElfSection[]>();
  let total = 0;
  for (const section of sections) {
    if (section.type !== SectionType.REL && section.type !== SectionType.RELA) continue;
    const place = { file: name, section: section.name };
    const size = section.type === SectionType.REL ? REL_SIZE : RELA_SIZE;
    if (section.entsize !== size || section.size % size !== 0) {
      throw new LoadError(
        `relocations of ${section.entsize} bytes in ${section.size} bytes, expected ${size} each`,
        place,
      );
    }
    const target = sections[section.info];
    if (!target || section.info === 0)
      throw new LoadError(`applies to section ${section.info}, the file has ${sections.length}`, place);
    total += section.size;
    // Tables that share bytes could make the work quadratic in the size of the file; no compiler writes them.
    if (total > file.length) throw new LoadError('relocation sections overlap', place);
    const known = tables.get(section.info);
    if (known) known.push(section);
    else tables.set(section.info, [section]);
  }
  const cache = new Map<number, readonly ElfRelocation[]>();
  return (target) => {
    const known = cache.get(target);
    if (known) return known;
    const relocations = (tables.get(target) ?? []).flatMap((table) => readRelocations(file, table, symbols, name));
    relocations.sort((a, b) => a.offset - b.offset);
    cache.set(target, relocations);
    return relocations;
  };
}

function readRelocations(
  file: ElfReader,
  table: ElfSection,
  symbols: readonly ElfSymbol[],
  name: string,
): ElfRelocation[] {
  const size = table.type === SectionType.REL ? REL_SIZE : RELA_SIZE;
  const relocations: ElfRelocation[] = [];
  for (let at = table.offset; at < table.offset + table.size; at += size) {
    const index = file.readUInt32LE(at + 12);
    const symbol = symbols[index];
    if (!symbol) {
      throw new LoadError(`relocation against symbol ${index}, the file has ${symbols.length}`, {
        file: name,
        section: table.name,
        offset: at - table.offset,
      });
    }
    const addend = size === RELA_SIZE ? file.readUInt32LE(at + 16) | 0 : 0;
    relocations.push({ offset: file.readUInt64LE(at), type: file.readUInt32LE(at + 8), symbol, addend });
  }
  return relocations;
}
