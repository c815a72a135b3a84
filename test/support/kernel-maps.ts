import { MapType } from '../../assembly/abi.js';
import type { BpfMap } from '../../src/machine/machine.js';

/** Times in values: they differ between two clocks. Offset and size of each by map. */
const TIMES: Readonly<Record<string, readonly [offset: number, size: number][]>> = {
  cilium_ct4_global: [
    [32, 4],
    [48, 8],
  ],
  cilium_snat_v4_external: [[0, 8]],
  cilium_lb4_affinity: [[0, 8]],
};
const timesOf = (name: string): readonly (readonly [number, number])[] =>
  TIMES[name.replace('_any', '').replace('ct6', 'ct4').replace('v6', 'v4').replace('lb6', 'lb4')] ?? [];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Types of maps whose contents go into the kernel before runs. */
export const FILLED: readonly number[] = [MapType.HASH, MapType.LRU_HASH, MapType.LPM_TRIE];
/** Types of maps that are compared afterwards. */
export const COMPARED: readonly number[] = [...FILLED, MapType.PERCPU_HASH];

/** Contents of a map of the datapath, times blanked; of per-CPU values the first CPU's, the only one in use. */
export function mapContents(map: BpfMap, entries: Iterable<[Uint8Array, Uint8Array]>): Record<string, string> {
  return Object.fromEntries(
    [...entries]
      .map(([key, value]) => {
        const copy = value.slice(0, map.valueSize);
        for (const [offset, size] of timesOf(map.name)) copy.fill(0, offset, offset + size);
        return [hex(key), hex(copy)] as const;
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
