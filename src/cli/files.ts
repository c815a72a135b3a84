import { readFileSync, writeFileSync } from 'node:fs';
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

export function readText(path: string): string {
  return new TextDecoder().decode(path === '-' ? readInput('/dev/stdin') : readInput(path));
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
