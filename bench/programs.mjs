// What is measured: three compute programs (million instructions per second) and one XDP filter (ns per packet).
import { readFileSync } from 'node:fs';

const bytesOf = (name) => new Uint8Array(readFileSync(new URL(`../bpf-objects/${name}`, import.meta.url)));

/** A packet of `length` bytes that is the same everywhere: UDP 10.0.0.1:1000 > 10.0.0.2:2000, then counting bytes. */
function packetOf(length) {
  const packet = Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 3)) & 255);
  packet.set([
    2,
    0,
    0,
    0,
    0,
    2,
    2,
    0,
    0,
    0,
    0,
    1,
    8,
    0,
    0x45,
    0,
    ((length - 14) >> 8) & 255,
    (length - 14) & 255,
    0,
    1,
    0,
    0,
    64,
    17,
    0,
    0,
    10,
    0,
    0,
    1,
    10,
    0,
    0,
    2,
    3,
    0xe8,
    7,
    0xd0,
  ]);
  return packet;
}

export const BENCHMARKS = [
  { name: 'sum64', file: 'bench-compute.o', program: 'sum64', packet: packetOf(64), unit: 'instructions' },
  { name: 'mix32', file: 'bench-compute.o', program: 'mix32', packet: packetOf(1500), unit: 'instructions' },
  {
    name: 'count_bytes',
    file: 'bench-compute.o',
    program: 'count_bytes',
    packet: packetOf(1500),
    unit: 'instructions',
  },
  {
    name: 'filter (xdp)',
    file: 'bench-filter.o',
    program: 'filter',
    packet: packetOf(128),
    unit: 'packets',
    maps: {
      flows: [
        {
          key: { source: '10.0.0.1', destination: '10.0.0.2', source_port: 1000, destination_port: 2000, protocol: 17 },
          value: {},
        },
      ],
    },
  },
].map((benchmark) => ({ ...benchmark, object: bytesOf(benchmark.file) }));
