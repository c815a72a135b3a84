import { LoadError } from '../errors.js';
import type { Btf } from './btf.js';
import type { BtfStrings } from './strings.js';

export interface FunctionInfo {
  /** Byte offset within the section. */
  readonly insnOffset: number;
  /** FUNC type. */
  readonly typeId: number;
}

export interface LineRecord {
  /** Byte offset within the section. */
  readonly insnOffset: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Source text, '' if it is not recorded. */
  readonly text: string;
}

/** A CO-RE relocation (struct bpf_core_relo): kinds as in enum bpf_core_relo_kind. */
export interface CoreRelocation {
  readonly insnOffset: number;
  readonly typeId: number;
  /** Access string such as `0:1:2`. */
  readonly access: string;
  readonly kind: number;
}

const MAGIC = 0xeb9f;
/** Header with func and line info; CO-RE adds 8 bytes. */
const HEADER = 24;
const HEADER_WITH_CORE = 32;

/** The `.BTF.ext` section: function, line and CO-RE records by section name. */
export class BtfExt {
  readonly funcInfo: ReadonlyMap<string, readonly FunctionInfo[]>;
  readonly coreRelocations: ReadonlyMap<string, readonly CoreRelocation[]>;
  readonly #lineInfo: DataView;
  /** Places of the line records in the line info part, by section name. */
  readonly #linePlaces: ReadonlyMap<string, readonly number[]>;
  readonly #strings: BtfStrings;

  private constructor(
    funcInfo: BtfExt['funcInfo'],
    coreRelocations: BtfExt['coreRelocations'],
    lineInfo: DataView,
    linePlaces: ReadonlyMap<string, readonly number[]>,
    strings: BtfStrings,
  ) {
    this.funcInfo = funcInfo;
    this.coreRelocations = coreRelocations;
    this.#lineInfo = lineInfo;
    this.#linePlaces = linePlaces;
    this.#strings = strings;
  }

  /** The line records of a section. Decoded by every call: there are tens of thousands, and most are never asked for. */
  linesOf(section: string): LineRecord[] {
    return (this.#linePlaces.get(section) ?? []).map((at) => {
      const position = this.#lineInfo.getUint32(at + 12, true);
      return {
        insnOffset: this.#lineInfo.getUint32(at, true),
        file: this.#strings.at(this.#lineInfo.getUint32(at + 4, true)),
        text: this.#strings.at(this.#lineInfo.getUint32(at + 8, true)),
        line: position >>> 10,
        column: position & 0x3ff,
      };
    });
  }

  /** Reads the records; strings are those of `btf`. Throws LoadError for anything malformed. */
  static parse(data: Uint8Array, btf: Btf, name: string): BtfExt {
    const place = { file: name, section: '.BTF.ext' };
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (data.length < HEADER || view.getUint16(0, true) !== MAGIC) throw new LoadError('no BTF.ext header', place);
    const header = view.getUint32(4, true);
    if (header < HEADER || header > data.length) throw new LoadError(`BTF.ext header of ${header} bytes`, place);
    const part = (at: number): Uint8Array => {
      const start = header + view.getUint32(at, true);
      const length = view.getUint32(at + 4, true);
      if (start + length > data.length) throw new LoadError('BTF.ext header points outside of the data', place);
      return data.subarray(start, start + length);
    };
    const strings = btf.strings;
    const funcInfo = readRecords(
      part(8),
      8,
      strings,
      name,
      (record, at): FunctionInfo => ({
        insnOffset: record.getUint32(at, true),
        typeId: record.getUint32(at + 4, true),
      }),
    );
    const lines = part(16);
    const linePlaces = readRecords(lines, 16, strings, name, (record, at) => {
      strings.check(record.getUint32(at + 4, true));
      strings.check(record.getUint32(at + 8, true));
      return at;
    });
    const coreRelocations =
      header >= HEADER_WITH_CORE
        ? readRecords(
            part(24),
            16,
            strings,
            name,
            (record, at): CoreRelocation => ({
              insnOffset: record.getUint32(at, true),
              typeId: record.getUint32(at + 4, true),
              access: strings.at(record.getUint32(at + 8, true)),
              kind: record.getUint32(at + 12, true),
            }),
          )
        : new Map<string, CoreRelocation[]>();
    const lineInfo = new DataView(lines.buffer, lines.byteOffset, lines.byteLength);
    return new BtfExt(funcInfo, coreRelocations, lineInfo, linePlaces, strings);
  }
}

/** One info part: record size, then per section a name, a count and the records (which may be longer than we know). */
function readRecords<T>(
  bytes: Uint8Array,
  smallest: number,
  strings: BtfStrings,
  file: string,
  read: (view: DataView, at: number) => T,
): Map<string, T[]> {
  const result = new Map<string, T[]>();
  if (bytes.length === 0) return result;
  const wrong = (reason: string): LoadError => new LoadError(reason, { file, section: '.BTF.ext' });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) throw wrong('an info part is too short');
  const size = view.getUint32(0, true);
  if (size < smallest || size % 4) throw wrong(`records of ${size} bytes, expected at least ${smallest}`);
  let at = 4;
  while (at < bytes.length) {
    if (at + 8 > bytes.length) throw wrong('an info part ends within a section header');
    const section = strings.at(view.getUint32(at, true));
    const count = view.getUint32(at + 4, true);
    at += 8;
    if (at + count * size > bytes.length)
      throw wrong(`section ${section} announces ${count} records, more than there are`);
    const records = result.get(section) ?? [];
    for (let i = 0; i < count; i++) records.push(read(view, at + i * size));
    result.set(section, records);
    at += count * size;
  }
  return result;
}
