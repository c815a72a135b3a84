import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LoadError } from '../../src/errors.js';
import { loadObject } from '../../src/object/load.js';
import type { ObjectSpec } from '../../src/object/spec.js';
import { objectFiles, systemObjects } from '../support/corpus.js';

const folder = process.env.OFFKERNEL_OBJECTS;
const external = folder ? objectFiles(folder) : [];
const system = systemObjects();

/** What holds for every object, whoever compiled it. */
function checkSpec(spec: ObjectSpec): void {
  const maps = new Set(spec.maps.map((map) => map.name));
  expect(maps.size, 'map names are unique').toBe(spec.maps.length);
  for (const fn of spec.functions) {
    expect(fn.instructions.length % 8).toBe(0);
    const opcodes = fn.relocations.map(({ instruction }) => fn.instructions[instruction * 8]);
    for (const [index, relocation] of fn.relocations.entries()) {
      expect(opcodes[index]).toBe(relocation.kind === 'call' || relocation.kind === 'kfunc' ? 0x85 : 0x18);
      if (relocation.kind === 'map' || relocation.kind === 'data') expect(maps).toContain(relocation.map);
      if (relocation.kind === 'constant') expect(maps).toContain(relocation.section);
      if (relocation.kind === 'call' || relocation.kind === 'callback')
        expect(relocation.function).toBeLessThan(spec.functions.length);
    }
    // Compilers record a line for the first instruction of every function.
    if (fn.lines.length > 0) expect(fn.lines[0]).toMatchObject({ instruction: 0 });
    expect(fn.lines.every((line) => line.instruction * 8 < fn.instructions.length)).toBe(true);
  }
  for (const program of spec.programs) {
    expect(spec.functions[program.function]).toMatchObject({ name: program.name, section: program.section });
    for (const { map } of program.slots) expect(spec.maps.find((candidate) => candidate.name === map)?.type).toBe(3);
  }
  for (const map of spec.maps) {
    for (const value of map.values) {
      if (value.map !== undefined) expect(maps).toContain(value.map);
      if (value.program !== undefined) expect(spec.programs.map((program) => program.name)).toContain(value.program);
    }
  }
}

describe('objects of other projects (OFFKERNEL_OBJECTS)', () => {
  if (external.length === 0) {
    const reason = folder
      ? `no .o files below ${folder}`
      : 'set OFFKERNEL_OBJECTS to a folder with compiled BPF objects to test them';
    console.log(`skipped: ${reason}`);
    it.skip(reason, () => {});
    return;
  }

  it(`loads all ${external.length}, or refuses what lies in a folder "invalid"`, { timeout: 1_200_000 }, () => {
    const refused: string[] = [];
    for (const path of external) {
      try {
        checkSpec(loadObject(readFileSync(path), { name: basename(path) }));
      } catch (error) {
        if (!(error instanceof LoadError)) throw new Error(`${path}: ${String(error)}`, { cause: error });
        if (!path.includes('/invalid/')) refused.push(`${path}: ${error.message}`);
      }
    }
    expect(refused).toEqual([]);
  });
});

describe("objects of the distribution's packages", () => {
  if (system.length === 0) {
    const reason = 'no objects in /usr/lib/*/bpf: install xdp-tools and libxdp1';
    console.log(`skipped: ${reason}`);
    it.skip(reason, () => {});
    return;
  }

  it.each(system.map((path) => [basename(path), path]))('loads %s', (name, path) => {
    const spec = loadObject(readFileSync(path), { name });
    checkSpec(spec);
    expect(spec.license).toBe('GPL');
    expect(spec.programs.length).toBeGreaterThan(0);
    expect(spec.btf).toBeDefined();
  });

  const dispatcher = system.find((path) => path.endsWith('/xdp-dispatcher.o'));
  it.skipIf(!dispatcher)('reads subprograms and constants of the XDP dispatcher', () => {
    const spec = loadObject(readFileSync(dispatcher!), { name: 'xdp-dispatcher.o' });
    expect(spec.programs.map(({ name, type }) => [name, type])).toEqual([
      ['xdp_dispatcher', 'xdp'],
      ['xdp_pass', 'xdp'],
    ]);
    const calls = spec.functions[spec.programs[0]!.function]!.relocations.filter(
      (relocation) => relocation.kind === 'call',
    );
    expect(calls.map((relocation) => spec.functions[relocation.function]!.name)).toEqual([
      ...Array.from({ length: 10 }, (_, index) => `prog${index}`),
      'compat_test',
    ]);
    expect(spec.variables.map(({ name, section }) => [name, section])).toEqual([['conf', '.rodata']]);
    expect(spec.maps[0]).toMatchObject({ name: '.rodata', readOnly: true });
  });
});
