import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ObjectSpecs } from '../../src/cilium/state/node-objects.js';
import { capturePcaps } from '../../src/network/account/captures.js';
import { readScenario } from '../../src/network/scenario/read.js';
import { type Walk, walk } from '../../src/network/walk/walk.js';
import { loadObject } from '../../src/object/load.js';
import { type PcapPacket, readPcap } from '../../src/packet/pcap.js';

const SCENARIOS = new URL('../../scenarios/', import.meta.url);

/** The bundled datapath. */
const OBJECTS = Object.fromEntries(
  (['lxc', 'host', 'overlay', 'sock'] as const).map((kind) => {
    const name = `bpf_${kind}.o`;
    return [kind, loadObject(readFileSync(new URL(`../../bpf-objects/${name}`, import.meta.url)), { name })];
  }),
) as ObjectSpecs;

/** Names of the bundled scenarios in a folder, `broken/vlan`. */
export function scenarioNames(folder = ''): string[] {
  return readdirSync(new URL(`./${folder}`, SCENARIOS))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => folder + file.replace(/\.yaml$/, ''));
}

/** Plays a bundled scenario with the bundled datapath. */
export function walkBundled(name: string): Walk {
  const url = new URL(`./${name}.yaml`, SCENARIOS);
  const scenario = readScenario(readFileSync(url, 'utf8'), fileURLToPath(url), (base, from) => {
    const file = new URL(base, `file://${from}`);
    return { text: readFileSync(file, 'utf8'), name: fileURLToPath(file) };
  });
  return walk(scenario, { objects: () => OBJECTS, record: { recordMaps: true, recordAccesses: true } });
}

/** Frames that a device saw, `node1-eth0`, read back from its pcap file. */
export function framesOf({ built }: Walk, device: string): PcapPacket[] {
  return readPcap(pcapOf({ built }, device)).packets;
}

export function pcapOf({ built }: Pick<Walk, 'built'>, device: string): Uint8Array {
  const pcap = capturePcaps(built.network).get(`${device}.pcap`);
  if (!pcap) throw new Error(`nothing passed ${device}`);
  return pcap;
}
