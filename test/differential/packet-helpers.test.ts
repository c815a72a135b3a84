import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoadedObject } from '../../src/machine/machine.js';
import { Kernel, KernelError } from '../../src/oracle/kernel.js';
import { buildPacket } from '../../src/packet/words.js';
import {
  decodeResults,
  emptyResults,
  encodeScript,
  loadPacketScript,
  OPERATIONS,
  type Operation,
  PACKET_SCRIPT,
  SCRIPT_KEY,
} from '../support/packet-script.js';
import { randomSource } from '../support/random.js';

const SCRIPTS = 250;

type Random = ReturnType<typeof randomSource>;

/** One line per operation, so that a difference names it. */
function describeResults(operations: readonly Operation[], bytes: Uint8Array): string[] {
  return decodeResults(bytes, operations.length).map((result, i) => {
    const call = JSON.stringify(operations[i], (_, value) =>
      typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
    );
    return `${call}: ${JSON.stringify(result)}`;
  });
}

const pick = <T>(random: Random, items: readonly T[]): T => items[random.below(items.length)]!;
const small = (random: Random): number => pick(random, [0, 1, 2, 4, 8, 14, 20, 24, 34, 40, 50, 60, 70, 100, 300]);

function tcOperation(random: Random): Operation {
  const kind = pick(
    random,
    [
      0, 1, 2, 3, 4, 4, 5, 5, 6, 7, 8, 10, 10, 11, 12, 13, 14, 14, 14, 15, 15, 16, 16, 17, 18, 19, 20, 21, 22, 23, 24,
      25, 26,
    ],
  );
  const flags = (allowed: readonly bigint[]): bigint => pick(random, allowed);
  switch (kind) {
    case 0:
      return {
        kind,
        a: small(random) - pick(random, [0, 0, 0, 2]),
        size: small(random),
        flags: flags([0n, 0n, 1n, 2n, 3n, 4n]),
      };
    case 1:
      return { kind, a: small(random) - pick(random, [0, 0, 0, 2]), size: small(random) };
    case 2:
      return { kind, a: small(random), b: pick(random, [0, 1, 2]), size: small(random) };
    case 3:
      return { kind, a: random.below(64), b: random.below(64), from: random.next() };
    case 4:
      return {
        kind,
        a: pick(random, [24, 40, 50, 25, 0xffff, 0x10000, 500]),
        from: random.below(3) ? random.next() : 0,
        to: random.next(),
        flags: flags([0n, 2n, 4n, 4n, 2n, 1n, 0x10n]),
      };
    case 5:
      return {
        kind,
        a: pick(random, [24, 40, 50, 56, 60, 0x10000, 501]),
        from: random.below(3) ? random.next() : 0,
        to: random.next(),
        flags: flags([0n, 2n, 4n, 0x14n, 0x12n, 0x24n, 0x22n, 0x20n, 0x64n, 0x10n, 0x94n, 0x100n, 3n]),
      };
    case 10:
      return {
        kind,
        b: pick(random, [0, 10, 14, 20, 34, 60, 64, 100, 500, 2000, 16064, 16065]),
        flags: flags([0n, 0n, 0n, 0n, 1n]),
      };
    case 11:
      return { kind, b: pick(random, [0, 2, 14, 20, 50, 64, 65, 100, 300, 16000]), flags: flags([0n, 0n, 0n, 0n, 1n]) };
    case 12:
      return { kind, b: pick(random, [0xdd86, 0x0008, 0x86dd, 0x0081]), flags: flags([0n, 0n, 0n, 1n]) };
    case 14:
      return {
        kind,
        a: pick(random, [0, 4, 8, 20, 28, 36, 50, -4, -8, -20, -28, -40, -50, 4096, -4096, 200]),
        b: pick(random, [0, 1, 1, 2]),
        flags: flags([
          0n,
          0n,
          0n,
          1n,
          2n,
          4n,
          0x12n,
          0x14n,
          0x1an,
          6n,
          0x20n,
          0x80n,
          0x100n,
          0x180n,
          0x200n,
          0x52n | (14n << 56n),
          0x42n | (4n << 56n),
          2n | (60n << 56n),
        ]),
      };
    case 15:
      return { kind, b: pick(random, [0x0081, 0xa888, 0, 0x1234]), a: random.below(0x20000) };
    case 20:
      return {
        kind,
        size: pick(random, [44, 28, 24, 22, 8, 10, 40]),
        flags: flags([0n, 0n, 1n, 2n, 4n, 8n, 0x10n, 0x20n]),
      };
    case 21:
      return { kind, size: pick(random, [44, 44, 28, 24, 22, 8, 12]), flags: flags([0n, 0n, 1n, 0x10n, 0x11n, 2n]) };
    case 22:
      return { kind, size: pick(random, [4, 8, 12, 6, 48]) };
    case 23:
      return { kind, size: pick(random, [4, 8, 16, 48]) };
    case 24:
    case 25:
      return { kind, a: random.below(5), flags: flags([0n, 1n, 2n]) };
    case 26:
      return { kind, from: random.below(2) * 1000, b: random.below(4) };
    default:
      return { kind, a: random.next() | 0, b: pick(random, [0, 1, 2, 3, 4, 20, 60, 100, 1000]) };
  }
}

function xdpOperation(random: Random): Operation {
  const kind = random.below(7);
  const moves = [0, 4, 14, -14, 20, -20, 40, -40, 64, -64, -100, 100, -216, -217, 500, -500, 3000, 4000, -4000];
  if (kind <= 1)
    return { kind, a: pick(random, [0, 1, 10, 40, 60, 3500, 3519, 3530, 5000, 0x10000, -1]), size: small(random) };
  if (kind === 4) return { kind, a: pick(random, [0, 4, -4, 8, -8, -32, 32, -3, -216, -256, -300]) };
  return { kind, a: pick(random, moves), flags: pick(random, [0n, 0n, 1n]) };
}

const TC_PACKETS = [
  'tcp 10.0.0.1:1000 > 10.0.0.2:80 syn "payload of the packet"',
  'udp 10.0.0.1:1000 > 10.0.0.2:53 tos=1 "query"',
  'udp [fd00::1]:5353 > [fd00::2]:53 "hello over six"',
  'tcp 10.0.0.1:1000 > 10.0.0.2:80 vlan=100',
  'tcp 10.0.0.1:1000 > 10.0.0.2:80 vlan=100,200',
  'arp who-has 10.0.0.2 tell 10.0.0.1',
].map((words) => buildPacket(words));
const XDP_PACKETS = [60, 1500, 3520, 3600, 9000].map((length) => Uint8Array.from({ length }, (_, i) => (i * 7) & 255));

const kernel = Kernel.available();
if (!kernel.ok) console.warn(`packet helpers not compared with the kernel: ${kernel.reason}`);

describe.skipIf(!kernel.ok)('packet helpers give what the kernel gives', () => {
  let inKernel: Kernel;
  let here: LoadedObject;
  beforeAll(() => {
    inKernel = Kernel.open(PACKET_SCRIPT, { name: 'packet-script.o' });
    here = loadPacketScript();
  });
  afterAll(() => inKernel.close());

  function compare(program: string, operations: readonly Operation[], packet: Uint8Array): void {
    const script = encodeScript(operations);
    const empty = emptyResults();
    inKernel.updateMap('script', SCRIPT_KEY, script);
    inKernel.updateMap('results', SCRIPT_KEY, empty);
    here.map('script').setBytes(SCRIPT_KEY, script);
    here.map('results').setBytes(SCRIPT_KEY, empty);
    let theirs: ReturnType<Kernel['run']>;
    try {
      theirs = inKernel.run({ program, packet });
    } catch (error) {
      // bpftool's buffer of 32 KiB is smaller than some results.
      if (error instanceof KernelError && /No space left/.test(error.message)) return;
      throw error;
    }
    const ours = here.program(program).run({ packet });
    expect(ours.fault).toBeUndefined();
    expect(describeResults(operations, here.map('results').getBytes(SCRIPT_KEY)!)).toEqual(
      describeResults(operations, inKernel.dumpMap('results')[0]![1]),
    );
    expect(ours.retval).toBe(theirs.retval);
    expect(Buffer.from(ours.packet!).toString('hex')).toBe(Buffer.from(theirs.packet).toString('hex'));
  }

  test(`tc: ${SCRIPTS} scripts of ${OPERATIONS} calls`, () => {
    for (let seed = 0; seed < SCRIPTS; seed++) {
      const random = randomSource(seed);
      const operations = Array.from({ length: OPERATIONS }, () => tcOperation(random));
      compare('tc_script', operations, TC_PACKETS[seed % TC_PACKETS.length]!);
    }
  });

  test(`xdp: ${SCRIPTS} scripts of ${OPERATIONS} calls`, () => {
    for (let seed = 0; seed < SCRIPTS; seed++) {
      const random = randomSource(seed + 100_000);
      const operations = Array.from({ length: OPERATIONS }, () => xdpOperation(random));
      compare('xdp_script', operations, XDP_PACKETS[seed % XDP_PACKETS.length]!);
    }
  });
});
