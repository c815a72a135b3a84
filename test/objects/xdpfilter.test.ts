import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fillMaps, readMapsFile } from '../../src/cli/maps-file.js';
import { type LoadedObject, Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { Kernel } from '../../src/oracle/kernel.js';
import { buildPacket } from '../../src/packet/packet.js';
import { inTemporaryFolder } from '../support/command.js';
import { systemObjects } from '../support/corpus.js';

// xdp-filter of xdp-tools: rules by port, IPv4, IPv6 and ethernet address. The objects "alw" pass what no rule names and
// drop what one does, the objects "dny" the other way round.

const OBJECTS = new Map(systemObjects().map((path) => [/xdpfilt_(\w+)\.o$/.exec(path)?.[1] ?? '', path]));
const kernel = Kernel.available();
if (!OBJECTS.has('alw_all')) console.warn('xdp-filter not run: xdp-tools is not installed');
else if (!kernel.ok) console.warn(`xdp-filter not compared with the kernel: ${kernel.reason}`);

// Values are flags: 1 source, 2 destination, 4 TCP, 8 UDP. Ports are in network byte order, as the program compares them.
const RULES = {
  filter_ports: `
filter_ports:
  - { key: 0x5000, value: 6 }   # port 80: TCP destination
  - { key: 0x3500, value: 9 }   # port 53: UDP source
`,
  filter_ipv4: `
filter_ipv4:
  - { key: 10.0.0.9, value: 1 }
  - { key: 192.0.2.1, value: 2 }
`,
  filter_ipv6: `
filter_ipv6:
  - { key: { in6_u: { u6_addr8: "fd00::9" } }, value: 1 }
`,
  filter_ethernet: `
filter_ethernet:
  - { key: { addr: "02:00:00:00:00:09" }, value: 1 }
  - { key: { addr: "02:00:00:00:00:0a" }, value: 2 }
`,
};
type RuleMap = keyof typeof RULES;

/** Packets, and the map with the rule that names each. */
const PACKETS: [packet: string, rule: RuleMap | undefined, feature: string | undefined][] = [
  ['tcp 10.0.0.1:40000 > 10.0.0.2:80 syn', 'filter_ports', 'tcp'],
  ['tcp [fd00::1]:40000 > [fd00::2]:80 syn', 'filter_ports', 'tcp'],
  ['udp 10.0.0.1:53 > 10.0.0.2:5353 "answer"', 'filter_ports', 'udp'],
  ['tcp 10.0.0.9:40000 > 10.0.0.2:443 syn', 'filter_ipv4', 'ip'],
  ['icmp 10.0.0.1 > 192.0.2.1 echo', 'filter_ipv4', 'ip'],
  ['udp [fd00::9]:5000 > [fd00::2]:5001 "x"', 'filter_ipv6', 'ip'],
  ['udp 10.0.0.1:5000 > 10.0.0.2:5001 eth=02:00:00:00:00:09>02:00:00:00:00:02 "x"', 'filter_ethernet', 'eth'],
  ['tcp 10.0.0.1:5000 > 10.0.0.2:5001 syn eth=02:00:00:00:00:01>02:00:00:00:00:0a', 'filter_ethernet', 'eth'],
  ['tcp 10.0.0.1:40000 > 10.0.0.2:443 syn', undefined, undefined],
  ['tcp 10.0.0.1:80 > 10.0.0.2:40000 ack', undefined, undefined],
  ['udp 10.0.0.1:5353 > 10.0.0.2:53 "query"', undefined, undefined],
  ['tcp 192.0.2.1:40000 > 10.0.0.9:443 syn', undefined, undefined],
  ['udp [fd00::2]:5000 > [fd00::9]:5001 "x"', undefined, undefined],
];

function fill(object: LoadedObject): RuleMap[] {
  const maps = (Object.keys(RULES) as RuleMap[]).filter((name) => object.maps.has(name));
  inTemporaryFolder((folder) => {
    const path = join(folder, 'rules.yaml');
    writeFileSync(path, maps.map((name) => RULES[name]).join(''));
    fillMaps(object, readMapsFile(path));
  });
  return maps;
}

const NAMES = ['alw', 'dny'].flatMap((mode) => ['all', 'eth', 'ip', 'tcp', 'udp'].map((part) => `${mode}_${part}`));

describe.skipIf(!OBJECTS.has('alw_all')).each(NAMES)('xdpfilt_%s.o', (name) => {
  const [mode, part] = name.split('_');
  let object: LoadedObject;
  let inKernel: Kernel | undefined;
  let maps: RuleMap[];

  beforeAll(() => {
    const bytes = readFileSync(OBJECTS.get(name)!);
    object = Machine.create().load(loadObject(bytes, { name }));
    maps = fill(object);
    if (!kernel.ok) return;
    inKernel = Kernel.open(bytes, { name });
    for (const map of maps)
      for (const [key, value] of object.map(map).entryBytes())
        if (value.some((byte) => byte !== 0)) inKernel.updateMap(map, key, value);
  });
  afterAll(() => inKernel?.close());

  test.each(PACKETS)('%s', (words, rule, feature) => {
    const packet = buildPacket(words);
    const outcome = object.program(`xdpfilt_${name}`).run({ packet });
    expect(outcome.fault).toBeUndefined();
    const isNamed = rule !== undefined && maps.includes(rule) && (part === 'all' || part === feature);
    expect(outcome.verdict).toBe(isNamed === (mode === 'alw') ? 'XDP_DROP' : 'XDP_PASS');
    expect(outcome.packet).toEqual(packet);
    if (!inKernel) return;
    const theirs = inKernel.run({ program: `xdpfilt_${name}`, packet });
    expect(outcome.retval).toBe(theirs.retval);
    expect(outcome.packet).toEqual(new Uint8Array(theirs.packet));
  });

  test('statistics and hit counters are those of the kernel', ({ skip }) => {
    if (!inKernel) return skip('no kernel to compare with');
    for (const map of ['xdp_stats_map', ...maps]) {
      const size = object.map(map).valueSize;
      // The kernel's values are those of all CPUs, of which the first ran the program.
      const theirs = new Map(inKernel.dumpMap(map).map(([key, value]) => [hex(key), hex(value.subarray(0, size))]));
      const ours = new Map([...object.map(map).entryBytes()].map(([key, value]) => [hex(key), hex(value)]));
      expect(ours).toEqual(theirs);
    }
    const dropped = object.map('xdp_stats_map').get(1) as { packets: bigint }[];
    const passed = object.map('xdp_stats_map').get(2) as { packets: bigint }[];
    expect(dropped[0]!.packets + passed[0]!.packets).toBe(BigInt(PACKETS.length));
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
