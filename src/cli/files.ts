import { readFileSync, readSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Btf } from '../btf/btf.js';
import { UsageError } from '../errors.js';
import { loadObject } from '../object/load.js';
import type { ObjectSpec } from '../object/spec.js';

/** Reads a file; a missing or unreadable one is the user's mistake. */
export function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

/** All of standard input, whatever it is: a file, a pipe, a socket (opening /dev/stdin fails on one) or a terminal. */
function readStandardInput(): Uint8Array {
  const pieces: Uint8Array[] = [];
  const buffer = new Uint8Array(65536);
  while (true) {
    try {
      const length = readSync(0, buffer);
      if (length === 0) return Buffer.concat(pieces);
      pieces.push(buffer.slice(0, length));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return Buffer.concat(pieces);
      if (code !== 'EAGAIN') throw new UsageError(`cannot read standard input: ${code ?? error}`);
      // Whoever shares the descriptor made it non-blocking: wait for more.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

/** Text of a file; `-` is standard input. */
export function readText(path: string): string {
  return new TextDecoder().decode(path === '-' ? readStandardInput() : readInput(path));
}

export function writeOutput(path: string, bytes: Uint8Array | string): void {
  try {
    writeFileSync(path, bytes);
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

/** Loads an object file; `btf` names a BTF file (raw, such as /sys/kernel/btf/vmlinux) for CO-RE. */
export function readObject(path: string, options: { btf?: string; type?: string } = {}): ObjectSpec {
  const targetBtf = options.btf ? Btf.parse(readInput(options.btf), options.btf) : undefined;
  return loadObject(readInput(path), { name: basename(path), targetBtf, programType: options.type });
}
