import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Device, Neighbour, Route } from '../../src/helpers/helper.js';
import { Kernel } from '../../src/oracle/kernel.js';
import { parseAddress, parseCidr, parseMac } from '../../src/packet/addresses.js';
import { FakeCall } from '../support/fake-call.js';
import { namespaceTrouble, runInNamespace } from '../support/namespace.js';

/** The same network twice: for the kernel, and for the environment of a run. */
const SETUP = `
ip link set lo up
ip link add v0 index 10 type veth peer name v1 index 11
ip link set v0 address 02:00:00:00:00:10 mtu 1400
ip link set v1 address 02:00:00:00:00:11
for name in all default v0 v1 lo; do echo 1 > /proc/sys/net/ipv6/conf/$name/forwarding; done
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv4/conf/v1/forwarding
echo 0 > /proc/sys/net/ipv6/conf/v1/forwarding
ip link set v0 up
ip link set v1 up
ip address add 10.0.0.1/24 dev v0
ip address add 10.0.0.9/24 dev v0
ip address add 10.1.0.1/24 dev v1
ip address add fd00::1/64 dev v0 nodad
ip route add 10.2.0.0/16 via 10.0.0.2
ip route add 10.2.3.0/24 via 10.1.0.2 metric 77
ip route add blackhole 10.3.0.0/16
ip route add unreachable 10.4.0.0/16
ip route add prohibit 10.5.0.0/16
ip route add 10.6.0.0/16 via 10.0.0.2 table 100
ip route add 10.7.0.0/16 dev v0 src 10.0.0.9
ip route add 10.8.0.0/16 via inet6 fd00::2 dev v0
ip route add 10.9.0.0/16 via 10.0.0.2 mtu lock 1200
ip route add 10.10.0.0/16 via 10.0.0.3
ip -6 route add fd01::/64 via fd00::2
ip -6 route add blackhole fd03::/64
ip -6 route add unreachable fd04::/64
ip -6 route add prohibit fd05::/64
ip -6 route add fd06::/64 via fd00::2 table 100
ip -6 route add fd09::/64 via fd00::2 mtu lock 1300
ip neighbour add 10.0.0.2 lladdr 02:00:00:00:00:22 dev v0 nud permanent
ip neighbour add 10.1.0.2 lladdr 02:00:00:00:00:33 dev v1 nud permanent
ip neighbour add fd00::2 lladdr 02:00:00:00:00:44 dev v0 nud permanent
`;

const available = Kernel.available();
const trouble = available.ok ? namespaceTrouble(SETUP) : available.reason;
if (trouble !== undefined) console.warn(`fib_lookup against the kernel: skipped, ${trouble}`);

const device = (
  ifindex: number,
  name: string,
  mac: string,
  mtu: number,
  forwarding: boolean,
  addresses: string[],
): Device => ({ ifindex, name, mac: parseMac(mac), mtu, up: true, forwarding, addresses: addresses.map(parseAddress) });

const DEVICES = [
  device(1, 'lo', '00:00:00:00:00:00', 65536, true, ['127.0.0.1', '::1']),
  device(10, 'v0', '02:00:00:00:00:10', 1400, true, ['10.0.0.1', '10.0.0.9', 'fd00::1']),
  device(11, 'v1', '02:00:00:00:00:11', 1500, false, ['10.1.0.1']),
];

function route(prefix: string, ifindex: number, more: Partial<Route> & { via?: string } = {}): Route {
  const { via, ...rest } = more;
  const cidr = parseCidr(prefix);
  return {
    prefix: cidr.address,
    length: cidr.prefixLength,
    ifindex,
    ...(via ? { gateway: parseAddress(via) } : {}),
    ...rest,
  };
}

const ROUTES = [
  route('127.0.0.0/8', 1, { type: 'local' }),
  route('10.0.0.1/32', 10, { type: 'local' }),
  route('10.0.0.255/32', 10, { type: 'local' }),
  route('10.1.0.1/32', 11, { type: 'local' }),
  route('fd00::1/128', 10, { type: 'local' }),
  route('10.0.0.0/24', 10, { source: parseAddress('10.0.0.1') }),
  route('10.1.0.0/24', 11, { source: parseAddress('10.1.0.1') }),
  route('10.2.0.0/16', 10, { via: '10.0.0.2' }),
  route('10.2.3.0/24', 11, { via: '10.1.0.2', metric: 77 }),
  route('10.3.0.0/16', 0, { type: 'blackhole' }),
  route('10.4.0.0/16', 0, { type: 'unreachable' }),
  route('10.5.0.0/16', 0, { type: 'prohibit' }),
  route('10.6.0.0/16', 10, { via: '10.0.0.2', table: 100 }),
  route('10.7.0.0/16', 10, { source: parseAddress('10.0.0.9') }),
  route('10.8.0.0/16', 10, { via: 'fd00::2' }),
  route('10.9.0.0/16', 10, { via: '10.0.0.2', mtu: 1200 }),
  route('10.10.0.0/16', 10, { via: '10.0.0.3' }),
  route('fd00::/64', 10, { metric: 256 }),
  route('fd01::/64', 10, { via: 'fd00::2' }),
  route('fd03::/64', 0, { type: 'blackhole' }),
  route('fd04::/64', 0, { type: 'unreachable' }),
  route('fd05::/64', 0, { type: 'prohibit' }),
  route('fd06::/64', 10, { via: 'fd00::2', table: 100 }),
  route('fd09::/64', 10, { via: 'fd00::2', mtu: 1300 }),
];

const NEIGHBOURS: Neighbour[] = [
  { ifindex: 10, address: parseAddress('10.0.0.2'), mac: parseMac('02:00:00:00:00:22') },
  { ifindex: 11, address: parseAddress('10.1.0.2'), mac: parseMac('02:00:00:00:00:33') },
  { ifindex: 10, address: parseAddress('fd00::2'), mac: parseMac('02:00:00:00:00:44') },
];

const SIZE = 80;

interface Case {
  destination: string;
  source?: string;
  ifindex?: number;
  flags?: number;
  totalLength?: number;
  table?: number;
  family?: number;
  length?: number;
}

/** struct bpf_fib_lookup, length and flags, with marks where results may appear. */
function encode(one: Case): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  const destination = parseAddress(one.destination);
  bytes[0] = one.family ?? (destination.length === 4 ? 2 : 10);
  view.setUint16(6, one.totalLength ?? 0, true);
  view.setUint32(8, one.ifindex ?? 10, true);
  bytes.set(parseAddress(one.source ?? (destination.length === 4 ? '10.0.0.77' : 'fd00::77')), 16);
  bytes.set(destination, 32);
  if (one.table !== undefined) view.setUint32(48, one.table, true);
  else bytes.set([0xaa, 0xaa, 0xaa, 0xaa], 48);
  if (!((one.flags ?? 0) & 0x20)) bytes.fill(0xbb, 52, 64);
  view.setUint32(64, one.length ?? 64, true);
  view.setUint32(68, one.flags ?? 0, true);
  return bytes;
}

const DESTINATIONS = [
  '10.0.0.2',
  '10.0.0.3',
  '10.0.0.1',
  '10.0.0.255',
  '127.0.0.1',
  '10.2.9.9',
  '10.2.3.4',
  '10.3.0.1',
  '10.4.0.1',
  '10.5.0.1',
  '10.6.0.1',
  '10.7.0.1',
  '10.8.0.1',
  '10.9.0.1',
  '10.10.0.1',
  '8.8.8.8',
  '255.255.255.255',
  'fd00::2',
  'fd00::3',
  'fd00::1',
  'fd01::5',
  'fd03::1',
  'fd04::1',
  'fd05::1',
  'fd06::1',
  'fd09::1',
  'fe80::1',
  'ff02::1',
  '::1',
  '2001:db8::1',
]; // prettier-ignore

const VARIANTS: Partial<Case>[] = [
  {},
  { flags: 4 },
  { flags: 1 },
  { flags: 2 },
  { flags: 0x10 },
  { flags: 0x14 },
  { flags: 9, table: 100 },
  { flags: 9, table: 254 },
  { flags: 9, table: 77 },
  { flags: 0x20 },
  { totalLength: 1250 },
  { totalLength: 1350 },
  { totalLength: 1401 },
  { totalLength: 1501, flags: 4 },
  { ifindex: 11 },
  { ifindex: 1 },
  { ifindex: 99 },
  { ifindex: 0 },
  { flags: 0x40 },
  { length: 63 },
  { family: 7 },
  { source: undefined, flags: 6 },
];

const CASES: Case[] = [
  ...DESTINATIONS.flatMap((destination) => VARIANTS.map((variant) => ({ destination, ...variant }))),
  { destination: 'fd01::5', source: 'fe80::9' },
];

function ours(input: Uint8Array, programType: string, packet: Uint8Array): Uint8Array {
  const call = new FakeCall({ devices: DEVICES, routes: ROUTES, neighbours: NEIGHBOURS });
  call.programType = programType;
  call.packetBytes = new Uint8Array(packet);
  const view = new DataView(input.buffer, input.byteOffset);
  const params = call.put(input.slice(0, 64));
  const result = call.call('fib_lookup', 0, params, view.getUint32(64, true), view.getUint32(68, true));
  const bytes = input.slice();
  bytes.set(call.at(params, 64));
  new DataView(bytes.buffer).setBigInt64(72, result, true);
  return bytes;
}

const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

describe.skipIf(trouble !== undefined)('fib_lookup answers as the kernel', () => {
  test.each([
    ['fib_tc', 'sched_cls', 64],
    ['fib_tc', 'sched_cls', 1400 + 18],
    ['fib_tc', 'sched_cls', 1400 + 19],
    ['fib_xdp', 'xdp', 64],
  ] as const)('%s, %s, packet of %i bytes', (program, programType, length) => {
    const object = readFileSync(new URL('../../bpf-objects/helpers-misc.o', import.meta.url));
    const packet = new Uint8Array(length);
    const kernel: string[] = [];
    const answers: string[] = [];
    for (let from = 0; from < CASES.length; from += 64) {
      const inputs = CASES.slice(from, from + 64).map(encode);
      const value = new Uint8Array(SIZE * 64);
      for (const [i, input] of inputs.entries()) value.set(input, i * SIZE);
      const after = runInNamespace({ setup: SETUP, object, program, packet, map: 'lookups', value });
      inputs.forEach((input, i) => {
        const name = JSON.stringify(CASES[from + i]);
        kernel.push(`${name} ${hex(after.slice(i * SIZE, (i + 1) * SIZE))}`);
        answers.push(`${name} ${hex(ours(input, programType, packet))}`);
      });
    }
    expect(answers).toEqual(kernel);
  });
});

test('the cases reach every result of the look-up that the network can give', () => {
  const results = new Set(
    CASES.map((one) => {
      const bytes = ours(encode(one), 'sched_cls', new Uint8Array(64));
      return Number(new DataView(bytes.buffer).getBigInt64(72, true));
    }),
  );
  expect([...results].sort((a, b) => a - b)).toEqual([-97, -22, -19, 0, 1, 2, 3, 4, 5, 7, 8]);
});

test('no IPv6 source address', () => {
  const call = new FakeCall({
    devices: DEVICES.map((one) => ({ ...one, addresses: [] })),
    routes: ROUTES,
    neighbours: NEIGHBOURS,
  });
  expect(call.call('fib_lookup', 0, call.put(encode({ destination: 'fd01::5' }).slice(0, 64)), 64, 0x10)).toBe(9n);
});
