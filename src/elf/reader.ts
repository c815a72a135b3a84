/**
 * Little reader over bytes that offers what elfy expects of Node's Buffer, without Buffer. Reads outside throw RangeError:
 * callers check the length first.
 */
export class ElfReader {
  readonly [index: number]: number;
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = bytes.length;
    // elfy indexes the ident bytes of the file directly.
    Object.assign(this, bytes.subarray(0, 16));
  }

  readUInt16LE(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  readUInt16BE(offset: number): number {
    return this.#view.getUint16(offset, false);
  }

  readUInt32LE(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  readUInt32BE(offset: number): number {
    return this.#view.getUint32(offset, false);
  }

  /** 64-bit unsigned, little-endian; values beyond 2^53 lose their low bits, which no valid file needs. */
  readUInt64LE(offset: number): number {
    return this.#view.getUint32(offset, true) + this.#view.getUint32(offset + 4, true) * 0x1_0000_0000;
  }

  /** A view, not a copy; bounds outside are clamped. */
  slice(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end);
  }
}
