/** Hash functions of keys. */

/** 64-bit multiply-fold over the key's words: quick, and good in its upper bits. */
// @ts-ignore: decorator
@inline
function step(h: u64, word: u64): u64 {
  h = (h ^ word) * 0x9e3779b97f4a7c15;
  return h ^ (h >> 32);
}

export function foldHash(key: u32, length: u32): u32 {
  let h: u64 = length;
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) h = step(h, load<u64>(key + i));
  if (length & 4) {
    h = step(h, <u64>load<u32>(key + i));
    i += 4;
  }
  if (length & 3) {
    let word: u64 = 0;
    for (let shift: u64 = 0; i < length; i++, shift += 8) word |= (<u64>load<u8>(key + i)) << shift;
    h = step(h, word);
  }
  return <u32>(h >> 16);
}

/**
 * Jenkins' lookup3 with initial value 0 over `length` bytes, as kernel maps with BPF_F_ZERO_SEED hash their keys. Lengths that
 * are multiples of four give the same result by words and by bytes on little-endian machines.
 */
export function jenkinsHash(key: u32, length: u32): u32 {
  return jenkinsSeeded(key, length, 0);
}

/** As {@link jenkinsHash} with an initial value. */
export function jenkinsSeeded(key: u32, length: u32, seed: u32): u32 {
  let a: u32 = 0xdeadbeef + length + seed;
  let b = a;
  let c = a;
  let left = length;
  while (left > 12) {
    a += load<u32>(key);
    b += load<u32>(key, 4);
    c += load<u32>(key, 8);
    a -= c; a ^= rotl<u32>(c, 4); c += b;
    b -= a; b ^= rotl<u32>(a, 6); a += c;
    c -= b; c ^= rotl<u32>(b, 8); b += a;
    a -= c; a ^= rotl<u32>(c, 16); c += b;
    b -= a; b ^= rotl<u32>(a, 19); a += c;
    c -= b; c ^= rotl<u32>(b, 4); b += a;
    key += 12;
    left -= 12;
  }
  if (left == 0) return c;
  a += tail(key, left, 0);
  b += tail(key, left, 4);
  c += tail(key, left, 8);
  c ^= b; c -= rotl<u32>(b, 14);
  a ^= c; a -= rotl<u32>(c, 11);
  b ^= a; b -= rotl<u32>(a, 25);
  c ^= b; c -= rotl<u32>(b, 16);
  a ^= c; a -= rotl<u32>(c, 4);
  b ^= a; b -= rotl<u32>(a, 14);
  c ^= b; c -= rotl<u32>(b, 24);
  return c;
}

/** The word at `from` of the last `left` bytes, missing bytes zero. */
function tail(key: u32, left: u32, from: u32): u32 {
  let word: u32 = 0;
  for (let i: u32 = 0; i < 4 && from + i < left; i++) word |= (<u32>load<u8>(key + from + i)) << (i * 8);
  return word;
}
