/** A minimal writer of `.BTF` and `.BTF.ext` sections for hand-made objects. Types are added one by one and referred to by id. */
export class BtfImage {
  readonly #strings: number[] = [0];
  readonly #types: number[] = [];
  readonly #functions: { section: string; offset: number; typeId: number }[] = [];
  readonly #lines: { section: string; offset: number; file: string; text: string; line: number; column: number }[] = [];
  #count = 0;

  int(name: string, size: number): number {
    return this.#add(name, 1, 0, size, [size * 8]);
  }

  pointer(type: number): number {
    return this.#add('', 2, 0, type, []);
  }

  array(type: number, count: number): number {
    return this.#add('', 3, 0, type, [type, type, count]);
  }

  /** Members lie one after the other, 8 bytes each. */
  struct(name: string, members: Readonly<Record<string, number>>, size = Object.keys(members).length * 8): number {
    const words = Object.entries(members).flatMap(([member, type], index) => [this.#string(member), type, index * 64]);
    return this.#add(name, 4, Object.keys(members).length, size, words);
  }

  typedef(name: string, type: number): number {
    return this.#add(name, 8, 0, type, []);
  }

  func(name: string): number {
    const prototype = this.#add('', 13, 0, 0, []);
    return this.#add(name, 12, 1, prototype, []);
  }

  variable(name: string, type: number): number {
    return this.#add(name, 14, 0, type, [1]);
  }

  /** Offsets and sizes stay 0, as in unlinked objects. */
  datasec(name: string, types: readonly number[]): number {
    return this.#add(
      name,
      15,
      types.length,
      0,
      types.flatMap((type) => [type, 0, 0]),
    );
  }

  tag(value: string, type: number): number {
    return this.#add(value, 17, 0, type, [0xffff_ffff]);
  }

  /** A pointer to int[count]: how map definitions encode numbers. */
  number(count: number): number {
    return this.pointer(this.array(this.int('int', 4), count));
  }

  /** A map definition: struct, variable of that name; its id goes into datasec `.maps`. */
  map(name: string, attributes: Readonly<Record<string, number>>): number {
    return this.variable(name, this.struct('', attributes));
  }

  functionAt(section: string, offset: number, typeId: number): void {
    this.#functions.push({ section, offset, typeId });
  }

  lineAt(section: string, offset: number, file: string, line: number, column: number, text: string): void {
    this.#lines.push({ section, offset, file, line, column, text });
  }

  btf(): Uint8Array {
    const types = this.#types.length * 4;
    const bytes = new Uint8Array(24 + types + this.#strings.length);
    const view = new DataView(bytes.buffer);
    const words = [0x0001_eb9f, 24, 0, types, types, this.#strings.length, ...this.#types];
    for (const [index, word] of words.entries()) view.setUint32(index * 4, word, true);
    bytes.set(this.#strings, 24 + types);
    return bytes;
  }

  /** Call before {@link btf}: it adds strings. */
  ext(): Uint8Array {
    const functions = this.#functions.flatMap(({ section, offset, typeId }) => [
      this.#string(section),
      1,
      offset,
      typeId,
    ]);
    const lines = this.#lines.flatMap((record) => [
      this.#string(record.section),
      1,
      record.offset,
      this.#string(record.file),
      this.#string(record.text),
      (record.line << 10) | record.column,
    ]);
    const body = [8, ...functions, 16, ...lines];
    const split = 4 + functions.length * 4;
    const words = [0x0001_eb9f, 24, 0, split, split, 4 + lines.length * 4, ...body];
    const bytes = new Uint8Array(words.length * 4);
    const view = new DataView(bytes.buffer);
    for (const [index, word] of words.entries()) view.setUint32(index * 4, word, true);
    return bytes;
  }

  #add(name: string, kind: number, count: number, last: number, words: readonly number[]): number {
    this.#types.push(this.#string(name), ((kind << 24) | count) >>> 0, last, ...words);
    this.#count++;
    return this.#count;
  }

  #string(text: string): number {
    if (text === '') return 0;
    const offset = this.#strings.length;
    this.#strings.push(...new TextEncoder().encode(text), 0);
    return offset;
  }
}
