/** One sub-test as the CHECK program wrote it. */
export interface WrittenResult {
  readonly name: string;
  /** Status code, see statusOf. */
  readonly status: number;
  readonly log: readonly WrittenLog[];
}

/** A format string and its arguments, not yet put together. */
export interface WrittenLog {
  readonly format: Uint8Array;
  /** Raw 64-bit words. */
  readonly args: readonly bigint[];
}

export interface SuiteResult {
  readonly results: readonly WrittenResult[];
  /** Log lines outside of sub-tests. */
  readonly log: readonly WrittenLog[];
}

/** Tag bytes of the messages SuiteResult, TestResult and Log (bpf/tests/bpftest/trf.proto): field number << 3 | wire type. */
const Tag = {
  RESULT: 0x0a,
  SUITE_LOG: 0x12,
  NAME: 0x0a,
  STATUS: 0x10,
  TEST_LOG: 0x1a,
  FORMAT: 0x0a,
  ARGUMENT: 0x11,
} as const;

/**
 * Reads the value of `suite_result_map`. Test programs write protobuf with the cursor of a C pointer: lengths of two bytes
 * that may be non-canonical varints, or still zero when a check returned in the middle, and (up to Cilium 1.19) lengths of
 * one byte that overflow for long messages. So the reader follows the order of the fields and the terminating NULs of
 * strings, and lengths only say where a message begins. Never throws; what follows the last whole message is ignored.
 */
export function readSuiteResult(value: Uint8Array): SuiteResult {
  const reader = new Reader(value);
  const results: WrittenResult[] = [];
  const log: WrittenLog[] = [];
  while (!reader.atEnd) {
    const message = reader.isAt(Tag.RESULT) ? reader.result() : reader.isAt(Tag.SUITE_LOG) ? reader.log() : undefined;
    if (!message) break;
    if ('status' in message) results.push(message);
    else log.push(message);
  }
  return { results, log };
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  isAt(tag: number): boolean {
    return this.#bytes[this.#at] === tag;
  }

  /** TestResult: name, status, logs; undefined if there is none here. */
  result(): WrittenResult | undefined {
    this.#toFirstField(Tag.NAME);
    if (!this.isAt(Tag.NAME)) return undefined;
    // Names have a length of one byte.
    this.#at += 2;
    const name = new TextDecoder().decode(this.#string());
    if (!this.isAt(Tag.STATUS)) return undefined;
    const status = this.#bytes[this.#at + 1] ?? 0;
    this.#at += 2;
    const log: WrittenLog[] = [];
    while (this.isAt(Tag.TEST_LOG)) {
      const one = this.log();
      if (!one) break;
      log.push(one);
    }
    return { name, status, log };
  }

  /** Log: format, arguments; undefined if there is none here. */
  log(): WrittenLog | undefined {
    this.#toFirstField(Tag.FORMAT);
    if (!this.isAt(Tag.FORMAT)) return undefined;
    this.#at++;
    this.#skipLength();
    const format = this.#string();
    const args: bigint[] = [];
    while (this.isAt(Tag.ARGUMENT) && this.#at + 9 <= this.#bytes.length) {
      args.push(this.#view.getBigUint64(this.#at + 1, true));
      this.#at += 9;
    }
    return { format, args };
  }

  /** Steps over the tag and the length of a message: one byte, or two unless the second is the first field's tag already. */
  #toFirstField(tag: number): void {
    const [second, third] = [this.#bytes[this.#at + 2], this.#bytes[this.#at + 3]];
    this.#at += second === tag && third !== tag ? 2 : 3;
  }

  /** Steps over the length of a string: the second byte of a varint is below 0x20 here, text is not. */
  #skipLength(): void {
    const isLong = (this.#bytes[this.#at] ?? 0) >= 0x80 && (this.#bytes[this.#at + 1] ?? 0) < 0x20;
    this.#at += isLong ? 2 : 1;
  }

  /** Up to the terminating NUL, which is skipped. */
  #string(): Uint8Array {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.#bytes.subarray(this.#at, end < 0 ? this.#bytes.length : end);
    this.#at += text.length + 1;
    return text;
  }
}
