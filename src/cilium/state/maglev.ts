import { UsageError } from '../../errors.js';
import { murmurHash128 } from './murmur3.js';

export interface MaglevBackend {
  id: number;
  address: string;
  port: number;
  /** 'TCP', 'UDP', 'SCTP'. */
  protocol: string;
  weight: number;
}

/** The three seeds in the 12 bytes of bpf-lb-maglev-hash-seed. */
export interface MaglevSeeds {
  murmur: number;
  /** Configuration variables hash_init4_seed, hash_init6_seed. */
  jhash4: number;
  jhash6: number;
}

/** Base64 of 12 bytes, each seed big-endian. Throws UsageError for anything else. */
export function maglevSeeds(base64: string): MaglevSeeds {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  if (bytes.length !== 12) throw new UsageError(`the Maglev hash seed has ${bytes.length} bytes, expected 12`);
  const view = new DataView(bytes.buffer);
  return { murmur: view.getUint32(0), jhash4: view.getUint32(4), jhash6: view.getUint32(8) };
}

/** What Cilium hashes for a backend; also the order of backends, the same on all nodes. */
function hashText({ address, port, protocol }: MaglevBackend): string {
  return `[${address.includes(':') ? `[${address}]` : address}:${port}/${protocol},State:active]`;
}

/**
 * Maglev look-up table ("Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4) of `size`
 * (prime) backend ids, with Cilium's hashes and weights (pkg/maglev since 1.17). The order of `backends` does not matter.
 */
export function maglevTable(backends: readonly MaglevBackend[], size: number, seed: number): Uint32Array {
  const table = new Uint32Array(size);
  if (backends.length === 0) return table;
  const encoder = new TextEncoder();
  const own = backends
    .map((backend) => ({ ...backend, text: hashText(backend) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1));
  const steps = own.map(({ text }) => {
    const [h1, h2] = murmurHash128(encoder.encode(text), seed);
    return { next: Number(h1 % BigInt(size)), skip: Number(h2 % BigInt(size - 1)) + 1 };
  });
  const weightSum = own.reduce((sum, { weight }) => sum + weight, 0);
  const isWeighted = Math.floor(weightSum / own.length) > 1;
  const turns = own.map(({ weight }) => weight / own.length);
  const isFilled = new Uint8Array(size);
  for (let n = 0; n < size; n++) {
    let i = n % own.length;
    if (isWeighted) {
      // A backend's turn comes as often as its weight says.
      while ((n + 1) * own[i]!.weight < Math.floor(turns[i]!)) i = (i + 1) % own.length;
      turns[i]! += weightSum;
    }
    const step = steps[i]!;
    while (isFilled[step.next]) step.next = (step.next + step.skip) % size;
    isFilled[step.next] = 1;
    table[step.next] = own[i]!.id;
    step.next = (step.next + step.skip) % size;
  }
  return table;
}
