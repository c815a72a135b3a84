import { LoadError } from '../errors.js';

/** The string section of BTF: NUL-terminated strings named by byte offset; each is decoded once. */
export class BtfStrings {
  readonly #bytes: Uint8Array;
  readonly #file: string;
  /** Offset of the last NUL, -1 without one. */
  readonly #lastEnd: number;
  readonly #known = new Map<number, string>();
  readonly #decoder = new TextDecoder();

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#lastEnd = bytes.lastIndexOf(0);
    this.#file = file;
  }

  /** Throws LoadError if the offset lies outside the section or the string has no end. */
  at(offset: number): string {
    if (offset === 0) return '';
    const known = this.#known.get(offset);
    if (known !== undefined) return known;
    this.check(offset);
    const text = this.#decoder.decode(this.#bytes.subarray(offset, this.#bytes.indexOf(0, offset)));
    this.#known.set(offset, text);
    return text;
  }

  /** Throws as {@link at} would. */
  check(offset: number): void {
    if (offset === 0 || offset <= this.#lastEnd) return;
    if (offset >= this.#bytes.length)
      throw new LoadError(`BTF string offset ${offset} lies outside the string section (${this.#bytes.length} bytes)`, {
        file: this.#file,
      });
    throw new LoadError(`BTF string at offset ${offset} has no end`, { file: this.#file });
  }
}
