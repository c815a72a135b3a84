/**
 * A minimal writer of ELF64 relocatable BPF objects, so that tests can make exactly the object they need.
 *
 * Section indices in the file: 0 null, 1..n the sections of {@link ElfImage.sections} in their order, then one `.rel<name>`
 * per section with relocations, then `.symtab`, `.strtab` and `.shstrtab`.
 */
export interface SectionImage {
  name: string;
  /** Contents; ignored for NOBITS except when `size` is absent. */
  data?: Uint8Array;
  /** SHT_*; default PROGBITS (1). */
  type?: number;
  /** SHF_*; default ALLOC (2). Use {@link EXECUTABLE} for code and {@link WRITABLE} for data. */
  flags?: number;
  /** sh_size where it shall differ from the length of `data` (NOBITS, malformed objects). */
  size?: number;
  link?: number;
  info?: number;
  entsize?: number;
}

export interface SymbolImage {
  name: string;
  /** Name of the section the symbol is in; undefined = undefined symbol; or a raw st_shndx. */
  section?: string | number;
  value?: number;
  size?: number;
  /** STT_* or its name; default 'notype'. */
  type?: 'notype' | 'object' | 'func' | 'section' | 'file' | number;
  /** STB_* or its name; default 'global'. */
  binding?: 'local' | 'global' | 'weak' | number;
}

export interface RelocationImage {
  /** Name of the section the relocation applies to. */
  section: string;
  /** Byte offset within that section. */
  offset: number;
  /** R_BPF_*: 1 = 64_64 (lddw), 2 = ABS64, 10 = 64_32 (call). */
  type: number;
  /** Name of the symbol (the first of that name), or its index in {@link ElfImage.symbols}. */
  symbol: string | number;
}

export interface ElfImage {
  sections: SectionImage[];
  symbols?: SymbolImage[];
  relocations?: RelocationImage[];
  /** e_machine, default EM_BPF (247). */
  machine?: number;
  /** e_type, default ET_REL (1). */
  type?: number;
}

/** SHF_ALLOC | SHF_EXECINSTR */
export const EXECUTABLE = 6;
/** SHF_ALLOC | SHF_WRITE */
export const WRITABLE = 3;

const SYMBOL_TYPES = { notype: 0, object: 1, func: 2, section: 3, file: 4 } as const;
const BINDINGS = { local: 0, global: 1, weak: 2 } as const;
const encoder = new TextEncoder();

/** Builds the file. Throws Error when a name of a section or symbol does not exist. */
export function writeElf(image: ElfImage): Uint8Array<ArrayBuffer> {
  const symbols = image.symbols ?? [];
  const relocations = image.relocations ?? [];
  const sectionIndex = (name: string): number => {
    const index = image.sections.findIndex((section) => section.name === name);
    if (index < 0) throw new Error(`no section ${name} in this image`);
    return index + 1;
  };
  const symbolIndex = (symbol: string | number): number => {
    const index = typeof symbol === 'number' ? symbol : symbols.findIndex((candidate) => candidate.name === symbol);
    if (index < 0) throw new Error(`no symbol ${symbol} in this image`);
    return index + 1;
  };

  const targets = [...new Set(relocations.map((relocation) => relocation.section))];
  const symtab = 1 + image.sections.length + targets.length;
  const all: SectionImage[] = image.sections.map((section) => ({ ...section }));
  for (const target of targets) {
    const own = relocations.filter((relocation) => relocation.section === target);
    const data = new Uint8Array(own.length * 16);
    const view = new DataView(data.buffer);
    own.forEach((relocation, index) => {
      view.setBigUint64(index * 16, BigInt(relocation.offset), true);
      view.setUint32(index * 16 + 8, relocation.type, true);
      view.setUint32(index * 16 + 12, symbolIndex(relocation.symbol), true);
    });
    const info = sectionIndex(target);
    all.push({ name: `.rel${target}`, type: 9, flags: 0, data, entsize: 16, link: symtab, info });
  }

  const strings = new StringTable();
  const symbolData = new Uint8Array((symbols.length + 1) * 24);
  const symbolView = new DataView(symbolData.buffer);
  symbols.forEach((symbol, index) => {
    const at = (index + 1) * 24;
    const type = typeof symbol.type === 'number' ? symbol.type : SYMBOL_TYPES[symbol.type ?? 'notype'];
    const binding = typeof symbol.binding === 'number' ? symbol.binding : BINDINGS[symbol.binding ?? 'global'];
    const section =
      symbol.section === undefined
        ? 0
        : typeof symbol.section === 'number'
          ? symbol.section
          : sectionIndex(symbol.section);
    symbolView.setUint32(at, strings.add(symbol.name), true);
    symbolView.setUint8(at + 4, (binding << 4) | type);
    symbolView.setUint16(at + 6, section, true);
    symbolView.setBigUint64(at + 8, BigInt(symbol.value ?? 0), true);
    symbolView.setBigUint64(at + 16, BigInt(symbol.size ?? 0), true);
  });
  all.push({ name: '.symtab', type: 2, flags: 0, data: symbolData, entsize: 24, link: symtab + 1, info: 1 });
  all.push({ name: '.strtab', type: 3, flags: 0, data: strings.bytes() });
  const names = new StringTable();
  for (const section of all) names.add(section.name);
  names.add('.shstrtab');
  all.push({ name: '.shstrtab', type: 3, flags: 0, data: names.bytes() });

  const offsets: number[] = [];
  let end = 64;
  for (const section of all) {
    end = (end + 7) & ~7;
    offsets.push(end);
    if (section.type !== 8) end += section.data?.length ?? 0;
  }
  const headers = (end + 7) & ~7;
  const file = new Uint8Array(headers + (all.length + 1) * 64);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, image.type ?? 1, true);
  view.setUint16(18, image.machine ?? 247, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(headers), true);
  view.setUint16(52, 64, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, all.length + 1, true);
  view.setUint16(62, all.length, true);
  all.forEach((section, index) => {
    const at = headers + (index + 1) * 64;
    const data = section.data ?? new Uint8Array();
    if (section.type !== 8) file.set(data, offsets[index]);
    view.setUint32(at, names.add(section.name), true);
    view.setUint32(at + 4, section.type ?? 1, true);
    view.setBigUint64(at + 8, BigInt(section.flags ?? 2), true);
    view.setBigUint64(at + 24, BigInt(offsets[index] ?? 0), true);
    view.setBigUint64(at + 32, BigInt(section.size ?? data.length), true);
    view.setUint32(at + 40, section.link ?? 0, true);
    view.setUint32(at + 44, section.info ?? 0, true);
    view.setBigUint64(at + 48, 8n, true);
    view.setBigUint64(at + 56, BigInt(section.entsize ?? 0), true);
  });
  return file;
}

/** Text of a C string constant: the bytes and a NUL. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\0`);
}

class StringTable {
  private readonly offsets = new Map<string, number>([['', 0]]);
  private readonly parts: Uint8Array[] = [new Uint8Array(1)];
  private length = 1;

  add(text: string): number {
    const known = this.offsets.get(text);
    if (known !== undefined) return known;
    const bytes = cString(text);
    const offset = this.length;
    this.offsets.set(text, offset);
    this.parts.push(bytes);
    this.length += bytes.length;
    return offset;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}
