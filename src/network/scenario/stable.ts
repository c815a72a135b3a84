import { formatMac } from '../../packet/addresses.js';

/** FNV-1a, 64 bits: defaults that depend on names alone. */
export function stableHash(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

/** A locally administered unicast MAC address for a name. */
export function stableMac(name: string): string {
  const hash = stableHash(name);
  const bytes = Uint8Array.from({ length: 6 }, (_, i) => Number((hash >> BigInt(8 * i)) & 0xffn));
  bytes[0] = (bytes[0]! & 0xfc) | 2;
  return formatMac(bytes);
}

/** Hands out numbers from `first` on that nobody has claimed. */
export class Numbers {
  readonly #taken = new Set<number>();
  #next: number;

  constructor(first: number, taken: Iterable<number | undefined> = []) {
    this.#next = first;
    for (const number of taken) if (number !== undefined) this.#taken.add(number);
  }

  /** `wanted` if given, else the next free number. */
  take(wanted?: number): number {
    if (wanted !== undefined) return wanted;
    while (this.#taken.has(this.#next)) this.#next++;
    return this.#next++;
  }
}
