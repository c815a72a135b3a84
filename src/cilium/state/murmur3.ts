const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint): bigint => u64((value << bits) | (value >> (64n - bits)));

function finalMix(value: bigint): bigint {
  let k = value;
  k = u64((k ^ (k >> 33n)) * 0xff51afd7ed558ccdn);
  k = u64((k ^ (k >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return k ^ (k >> 33n);
}

const mix1 = (k: bigint): bigint => u64(rotate(u64(k * C1), 31n) * C2);
const mix2 = (k: bigint): bigint => u64(rotate(u64(k * C2), 33n) * C1);

/** Little-endian number of up to 8 bytes. */
function word(data: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let i = Math.min(end, data.length) - 1; i >= start; i--) value = (value << 8n) | BigInt(data[i]!);
  return value;
}

/** MurmurHash3_x64_128 (Austin Appleby, public domain) of bytes with a 32-bit seed, as two 64-bit halves. */
export function murmurHash128(data: Uint8Array, seed: number): [bigint, bigint] {
  let h1 = BigInt(seed >>> 0);
  let h2 = h1;
  const whole = data.length - (data.length % 16);
  for (let at = 0; at < whole; at += 16) {
    h1 ^= mix1(word(data, at, at + 8));
    h1 = u64((rotate(h1, 27n) + h2) * 5n + 0x52dce729n);
    h2 ^= mix2(word(data, at + 8, at + 16));
    h2 = u64((rotate(h2, 31n) + h1) * 5n + 0x38495ab5n);
  }
  if (data.length > whole + 8) h2 ^= mix2(word(data, whole + 8, data.length));
  if (data.length > whole) h1 ^= mix1(word(data, whole, whole + 8));
  const length = BigInt(data.length);
  h1 ^= length;
  h2 ^= length;
  h1 = u64(h1 + h2);
  h2 = u64(h2 + h1);
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h1 = u64(h1 + h2);
  h2 = u64(h2 + h1);
  return [h1, h2];
}
