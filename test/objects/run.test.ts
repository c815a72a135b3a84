import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LoadError } from '../../src/errors.js';
import { formatFault, Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { buildPacket } from '../../src/packet/words.js';
import { objectFiles, systemObjects } from '../support/corpus.js';

const DEBIAN = systemObjects();
const FOLDER = process.env.OFFKERNEL_OBJECTS;
const EXTERNAL = FOLDER ? objectFiles(FOLDER) : [];
if (!DEBIAN.length) console.warn('objects of xdp-tools and libxdp1 not run: the packages are not installed');
if (!FOLDER) console.warn('objects of your own not run: OFFKERNEL_OBJECTS names no folder');

// Every program of objects that nobody here wrote runs to an outcome on four packets.

const SYN = buildPacket('tcp 10.0.0.1:40000 > 10.0.0.2:80 syn');
const PACKETS = {
  'TCP over IPv4': SYN,
  'UDP over IPv6': buildPacket('udp [fd00::1]:5353 > [fd00::2]:53 "query"'),
  ARP: buildPacket('arp who-has 10.0.0.2 tell 10.0.0.1'),
  truncated: SYN.slice(0, 30),
};

/** Faults a program may end in for want of what only a kernel has: its memory, or helpers listed as not implemented. */
const HONEST_FAULTS = new Set(['unknown-helper', 'null-pointer', 'instruction-budget']);

function runAll(path: string): { runs: number; faults: string[] } {
  const spec = loadObject(readFileSync(path), { name: basename(path) });
  const object = Machine.create({ budget: 2_000_000n }).load(spec);
  let runs = 0;
  const faults: string[] = [];
  for (const program of object.programs) {
    for (const packet of Object.values(PACKETS)) {
      const { fault, verdict } = program.run({ packet });
      runs++;
      expect(verdict).not.toBe('');
      if (fault && !HONEST_FAULTS.has(fault.kind))
        faults.push(`${basename(path)} ${program.name}: ${formatFault(fault)}`);
    }
  }
  return { runs, faults };
}

describe.skipIf(DEBIAN.length === 0)('objects of xdp-tools and libxdp1', () => {
  test.each(DEBIAN.map((path) => ({ name: basename(path), path })))('$name', ({ path }) => {
    const { faults } = runAll(path);
    expect(faults).toEqual([]);
  });
});

describe.skipIf(EXTERNAL.length === 0)('objects of OFFKERNEL_OBJECTS', () => {
  test(`${EXTERNAL.length} objects`, () => {
    let runs = 0;
    const faults: string[] = [];
    const refused: string[] = [];
    for (const path of EXTERNAL) {
      try {
        const result = runAll(path);
        runs += result.runs;
        faults.push(...result.faults);
      } catch (error) {
        // Typed refusals are told, anything else is a bug.
        if (!(error instanceof LoadError)) throw error;
        refused.push(error.message);
      }
    }
    console.log(
      [
        `${runs} runs of ${EXTERNAL.length} objects`,
        ...refused.map((text) => `refused: ${text}`),
        ...faults.map((text) => `fault: ${text}`),
      ].join('\n'),
    );
    expect(runs).toBeGreaterThan(0);
  }, 1_200_000);
});
