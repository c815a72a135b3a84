/** The part of elfy that the reader uses; the package has no types of its own. */
declare module 'elfy' {
  /** What elfy asks of its input: Node's Buffer reading methods, indexing (of the ident bytes) and slice. */
  interface ElfyInput {
    readonly [index: number]: number;
    readonly length: number;
    readUInt16LE(offset: number): number;
    readUInt16BE(offset: number): number;
    readUInt32LE(offset: number): number;
    readUInt32BE(offset: number): number;
    slice(start: number, end: number): unknown;
  }

  interface ElfyHeader {
    class: '32' | '64';
    endian: 'lsb' | 'msb';
    shoff: number;
    shentsize: number;
    shnum: number;
    shstrndx: number;
  }

  interface ElfySection {
    /** Offset into the section name string table. */
    name: number;
    off: number;
    size: number;
    link: number;
    info: number;
    /** What `slice(off, off + size)` of the whole file returned. */
    data: unknown;
  }

  class Parser {
    /** Throws Error for an unknown class or byte order. */
    parseHeader(input: ElfyInput): ElfyHeader;
    /** `section` holds one section header, `file` the whole file. */
    parseSection(section: ElfyInput, header: ElfyHeader, file: ElfyInput): ElfySection;
  }

  const elfy: { Parser: typeof Parser };
  export default elfy;
}
