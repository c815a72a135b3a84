import { LoadError, type Place } from '../errors.js';

/** No symbol or section name of a real object comes near this. */
const LONGEST_NAME = 4096;

/**
 * A string table section. Names are decoded once per offset. Overlapping names could make a small file decode to a huge
 * amount of text, so the total is limited to a multiple of the file's size.
 */
export class StringTable {
  readonly #data: Uint8Array;
  readonly #place: Place;
  readonly #known = new Map<number, string>();
  readonly #decoder = new TextDecoder();
  #budget: number;

  constructor(data: Uint8Array, place: Place, fileSize: number) {
    this.#data = data;
    this.#place = place;
    this.#budget = 65536 + 16 * fileSize;
  }

  /** The NUL-terminated name at the offset. Throws LoadError if there is none within the table. */
  name(offset: number): string {
    const known = this.#known.get(offset);
    if (known !== undefined) return known;
    const data = this.#data;
    let end = offset;
    const limit = Math.min(data.length, offset + LONGEST_NAME);
    while (end < limit && data[end] !== 0) end++;
    if (end >= data.length || data[end] !== 0) {
      throw new LoadError('a name does not end within the string table or is longer than 4096 bytes', {
        ...this.#place,
        offset,
      });
    }
    this.#budget -= end - offset;
    if (this.#budget < 0) throw new LoadError('names overlap too much to be read', { ...this.#place, offset });
    const name = this.#decoder.decode(data.subarray(offset, end));
    this.#known.set(offset, name);
    return name;
  }
}
