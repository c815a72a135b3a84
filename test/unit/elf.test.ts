import { describe, expect, it } from 'vitest';
import { SectionType } from '../../src/elf/constants.js';
import { readElf } from '../../src/elf/elf.js';
import { LoadError } from '../../src/errors.js';
import { cString, type ElfImage, EXECUTABLE, WRITABLE, writeElf } from '../support/elf-writer.js';

const RETURN_2 = Uint8Array.of(0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
const LOAD = Uint8Array.of(0x18, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...RETURN_2);

const IMAGE: ElfImage = {
  sections: [
    { name: 'xdp', flags: EXECUTABLE, data: LOAD },
    { name: '.data', flags: WRITABLE, data: Uint8Array.of(1, 2, 3, 4) },
    { name: '.bss', flags: WRITABLE, type: SectionType.NOBITS, size: 2 ** 40 },
    { name: 'license', data: cString('GPL') },
  ],
  symbols: [
    { name: '', section: '.data', type: 'section', binding: 'local' },
    { name: 'pass', section: 'xdp', size: 32, type: 'func' },
    { name: 'counter', section: '.data', value: 2, size: 2, type: 'object', binding: 'weak' },
    { name: 'elsewhere' },
    { name: 'absolute', section: 0xfff1, value: 7 },
  ],
  relocations: [{ section: 'xdp', offset: 0, type: 1, symbol: 'counter' }],
};

/** The reason of the LoadError that reading must end in. */
function failure(bytes: Uint8Array): LoadError {
  try {
    const elf = readElf(bytes, 'bad.o');
    for (const section of elf.sections) elf.relocations(section.index);
  } catch (error) {
    if (error instanceof LoadError) return error;
    throw error;
  }
  throw new Error('read without an error');
}

/** A copy with some bytes replaced. */
function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
}

/** File offset of the header of section `index`. */
function sectionHeader(bytes: Uint8Array, index: number): number {
  return Number(new DataView(bytes.buffer).getBigUint64(40, true)) + index * 64;
}

describe('readElf', () => {
  const bytes = writeElf(IMAGE);
  const elf = readElf(bytes, 'test.o');

  it('reads sections without copying', () => {
    expect(elf.machine).toBe(247);
    expect(elf.sections.map((section) => section.name)).toEqual([
      '',
      'xdp',
      '.data',
      '.bss',
      'license',
      '.relxdp',
      '.symtab',
      '.strtab',
      '.shstrtab',
    ]);
    const data = elf.sections[2]!;
    expect([...data.data]).toEqual([1, 2, 3, 4]);
    expect(data.data.buffer).toBe(bytes.buffer);
    expect(data).toMatchObject({ type: 1, flags: 3, size: 4 });
    expect(elf.sections[6]).toMatchObject({ type: 2, entsize: 24, link: 7 });
  });

  it('gives NOBITS sections their size and no data', () => {
    expect(elf.sections[3]).toMatchObject({ type: 8, size: 2 ** 40 });
    expect(elf.sections[3]!.data.length).toBe(0);
  });

  it('reads symbols, naming section symbols after their section', () => {
    expect(elf.symbols.slice(1)).toEqual([
      { index: 1, name: '.data', value: 0, size: 0, type: 3, binding: 0, section: 2 },
      { index: 2, name: 'pass', value: 0, size: 32, type: 2, binding: 1, section: 1 },
      { index: 3, name: 'counter', value: 2, size: 2, type: 1, binding: 2, section: 2 },
      { index: 4, name: 'elsewhere', value: 0, size: 0, type: 0, binding: 1, section: 0 },
      { index: 5, name: 'absolute', value: 7, size: 0, type: 0, binding: 1, section: 0xfff1 },
    ]);
    expect(elf.symbolsIn(2).map((symbol) => symbol.name)).toEqual(['.data', 'counter']);
  });

  it('reads relocations of a section', () => {
    expect(elf.relocations(1)).toEqual([{ offset: 0, type: 1, symbol: elf.symbols[3], addend: 0 }]);
    expect(elf.relocations(2)).toEqual([]);
  });

  it('reads relocations with explicit addends', () => {
    const rela = new Uint8Array(24);
    const view = new DataView(rela.buffer);
    view.setBigUint64(0, 8n, true);
    view.setUint32(8, 1, true);
    view.setUint32(12, 1, true);
    view.setBigInt64(16, -4n, true);
    const file = writeElf({
      sections: [
        { name: 'xdp', flags: EXECUTABLE, data: LOAD },
        { name: '.relaxdp', type: SectionType.RELA, flags: 0, data: rela, entsize: 24, info: 1 },
      ],
      symbols: [{ name: 'x' }],
    });
    expect(readElf(file, 'rela.o').relocations(1)).toMatchObject([{ offset: 8, type: 1, addend: -4 }]);
  });

  it('accepts machine 0 of early LLVM versions', () => {
    expect(readElf(writeElf({ ...IMAGE, machine: 0 }), 'old.o').machine).toBe(0);
  });

  it('reads bytes that do not start at the beginning of their buffer', () => {
    const padded = new Uint8Array(bytes.length + 3);
    padded.set(bytes, 3);
    expect(readElf(padded.subarray(3), 'test.o').symbols).toEqual(elf.symbols);
  });

  it.each([
    ['no ELF file', Uint8Array.of(1, 2, 3, 4), /not an ELF file/],
    ['an empty file', new Uint8Array(), /not an ELF file/],
    ['32 bits', patched(bytes, 4, 1), /class 1, expected 64-bit/],
    ['big-endian objects', patched(bytes, 5, 2), /big-endian.*bpfel/],
    ['an unknown byte order', patched(bytes, 5, 3), /byte order 3/],
    ['executables', patched(bytes, 16, 2), /ELF type 2, expected a relocatable/],
    ['other machines', patched(bytes, 18, 62, 0), /machine 62, expected BPF/],
    ['odd section headers', patched(bytes, 58, 40), /section headers of 40 bytes/],
    [
      'section headers outside',
      patched(bytes, 40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
      /lie behind the end/,
    ],
    ['too many section headers', patched(bytes, 60, 0xff, 0xff), /65535 section headers/],
    ['a wrong name table', patched(bytes, 62, 1), /name table is section 1/],
    ['a missing name table', patched(bytes, 62, 200), /name table is section 200/],
    ['section data outside', patched(bytes, sectionHeader(bytes, 1) + 32, 0, 0, 0, 1), /section 1 .* ends behind/],
    ['a section name outside', patched(bytes, sectionHeader(bytes, 1), 0xff, 0xff), /does not end within/],
    ['symbols of a wrong size', patched(bytes, sectionHeader(bytes, 6) + 56, 16), /symbols of 16 bytes/],
    ['a wrong string table', patched(bytes, sectionHeader(bytes, 6) + 40, 1), /string table is section 1/],
    ['relocations of a wrong size', patched(bytes, sectionHeader(bytes, 5) + 56, 8), /relocations of 8 bytes/],
    ['relocations of no section', patched(bytes, sectionHeader(bytes, 5) + 44, 99), /applies to section 99/],
  ])('refuses %s', (_, file, reason) => {
    const error = failure(file);
    expect(error.message).toMatch(reason);
    expect(error.place.file).toBe('bad.o');
  });

  it('refuses a relocation against a missing symbol and names section and offset', () => {
    const relocations = elf.sections[5]!;
    const error = failure(patched(bytes, relocations.offset + 12, 99));
    expect(error.reason).toMatch(/against symbol 99, the file has 6/);
    expect(error.place).toEqual({ file: 'bad.o', section: '.relxdp', offset: 0 });
  });

  it('refuses a symbol in a missing section', () => {
    const error = failure(patched(bytes, elf.sections[6]!.offset + 24 + 6, 50));
    expect(error.reason).toMatch(/symbol 1 lies in section 50/);
  });

  it('gives an error or a file for every truncation', () => {
    let errors = 0;
    for (let length = 0; length < bytes.length; length++) {
      expect(failure(bytes.subarray(0, length)).place.file).toBe('bad.o');
      errors++;
    }
    expect(errors).toBe(bytes.length);
  });

  it('reads many overlapping names in bounded time', () => {
    // Every symbol's name starts one byte further in runs of 4000 letters: 40 MB of text from a file of 500 kB.
    const count = 20_000;
    const strings = new Uint8Array(count + 1).map((_, index) => (index % 4000 === 0 ? 0 : 0x61));
    const symbols = new Uint8Array((count + 1) * 24);
    const view = new DataView(symbols.buffer);
    for (let index = 1; index <= count; index++) view.setUint32(index * 24, index, true);
    const file = writeElf({
      sections: [
        { name: 'names', type: SectionType.STRTAB, data: strings },
        { name: 'symbols', type: SectionType.SYMTAB, data: symbols, entsize: 24, link: 1 },
      ],
    });
    // The writer's own symbol table steps aside.
    expect(failure(patched(file, sectionHeader(file, 3) + 4, 0)).reason).toBe('names overlap too much to be read');
  });

  it('refuses relocation sections that share their bytes', () => {
    const many = Array.from({ length: 50 }, (_, index) => ({
      name: `.rel${index}`,
      type: SectionType.REL,
      entsize: 16,
      info: 1,
    }));
    const file = writeElf({ sections: [{ name: 'xdp', flags: EXECUTABLE, data: new Uint8Array(16 * 400) }, ...many] });
    const at = Number(new DataView(file.buffer).getBigUint64(sectionHeader(file, 1) + 24, true));
    const view = new DataView(file.buffer);
    for (let index = 2; index < 52; index++) {
      view.setBigUint64(sectionHeader(file, index) + 24, BigInt(at), true);
      view.setBigUint64(sectionHeader(file, index) + 32, 6400n, true);
    }
    expect(failure(file).reason).toBe('relocation sections overlap');
  });
});
