/**
 * Longest prefix match: a path-compressed binary trie. A node holds the bits of a prefix; nodes without a value only branch.
 *
 * Node: children u32 x 2, prefix length u32, value flag u32, then the key's data bytes (rounded up to 8), then the value.
 */
import { Errno, MapField } from "../abi";
import { allocate } from "../heap";
import { mapField, setMapField } from "./descriptor";
import { copyBytes } from "../bytes";
import { permitValue } from "./values";

const ROOT: u32 = MapField.PRIVATE;
const VALUE: u32 = MapField.PRIVATE + 4;
const NODE: u32 = MapField.PRIVATE + 8;
const SLAB: u32 = MapField.PRIVATE + 12;
const SLAB_END: u32 = MapField.PRIVATE + 16;

const CHILD: u32 = 0;
const LENGTH: u32 = 8;
const HAS_VALUE: u32 = 12;
const DATA: u32 = 16;

const SLAB_BYTES: u32 = 0x4000;

export function lpmInit(map: u32): bool {
  const data = (mapField(map, MapField.KEY_SIZE) - 4 + 7) & ~7;
  const node = <u64>(DATA + data) + <u64>mapField(map, MapField.STRIDE) + 8;
  if (node > 0x1fffffff) return false;
  store<u32>(map, DATA + data, VALUE);
  store<u32>(map, <u32>node, NODE);
  return true;
}

function maxPrefix(map: u32): u32 {
  return (mapField(map, MapField.KEY_SIZE) - 4) * 8;
}

/** Nodes of deleted prefixes are reused for branching only while no value pointer can see them: never within a run. */
function newNode(map: u32): u32 {
  const size = load<u32>(map, NODE);
  let at = load<u32>(map, SLAB);
  if (at + size > load<u32>(map, SLAB_END)) {
    const bytes = max(size, min(SLAB_BYTES, size * max<u32>(4, mapField(map, MapField.COUNT))));
    at = allocate(bytes);
    if (!at) return 0;
    store<u32>(map, at + bytes, SLAB_END);
  }
  store<u32>(map, at + size, SLAB);
  return at;
}

// @ts-ignore: decorator
@inline
function bit(data: u32, index: u32): u32 {
  return (<u32>load<u8>(data + (index >>> 3)) >>> (7 - (index & 7))) & 1;
}

/** Number of leading bits, at most `limit`, that two byte strings share, counting from bit `from` (a multiple of 8). */
// @ts-ignore: decorator
@inline
function sharedBits(a: u32, b: u32, limit: u32): u32 {
  let i: u32 = 0;
  while (i + 64 <= limit) {
    const difference = load<u64>(a + (i >>> 3)) ^ load<u64>(b + (i >>> 3));
    if (difference) return min(limit, i + <u32>clz(bswap<u64>(difference)));
    i += 64;
  }
  while (i + 32 <= limit) {
    const difference = load<u32>(a + (i >>> 3)) ^ load<u32>(b + (i >>> 3));
    if (difference) return min(limit, i + clz(bswap<u32>(difference)));
    i += 32;
  }
  while (i < limit) {
    const difference = <u32>load<u8>(a + (i >>> 3)) ^ <u32>load<u8>(b + (i >>> 3));
    if (difference) return min(limit, i + clz(difference) - 24);
    i += 8;
  }
  return limit;
}

export function nodeValue(map: u32, node: u32): u32 {
  return node + load<u32>(map, VALUE);
}

/** Value of the longest stored prefix that covers the key and is no longer than it; 0 if none. */
export function lpmLookup(map: u32, key: u32): u32 {
  const length = load<u32>(key);
  if (length > maxPrefix(map)) return 0;
  const data = key + 4;
  let best: u32 = 0;
  let node = load<u32>(map, ROOT);
  while (node) {
    const own = load<u32>(node, LENGTH);
    if (own > length || sharedBits(node + DATA, data, own) < own) break;
    if (load<u32>(node, HAS_VALUE)) best = node;
    if (own == length) break;
    node = load<u32>(node + CHILD + (bit(data, own) << 2));
  }
  return best ? nodeValue(map, best) : 0;
}

/** Address of the link to the node where the key's prefix is, or would be inserted. */
function findLink(map: u32, data: u32, length: u32): u32 {
  let link = map + ROOT;
  let node = load<u32>(link);
  while (node) {
    const own = load<u32>(node, LENGTH);
    if (own >= length || sharedBits(node + DATA, data, own) < own) break;
    link = node + CHILD + (bit(data, own) << 2);
    node = load<u32>(link);
  }
  return link;
}

function isSamePrefix(node: u32, data: u32, length: u32): bool {
  return node != 0 && load<u32>(node, LENGTH) == length && sharedBits(node + DATA, data, length) == length;
}

function setNode(map: u32, node: u32, data: u32, length: u32, value: u32): void {
  copyBytes(node + DATA, data, mapField(map, MapField.KEY_SIZE) - 4);
  store<u32>(node, length, LENGTH);
  store<u32>(node, value ? 1 : 0, HAS_VALUE);
  if (!value) return;
  copyBytes(nodeValue(map, node), value, mapField(map, MapField.VALUE_SIZE));
  permitValue(map, nodeValue(map, node));
}

export function lpmUpdate(map: u32, key: u32, value: u32, flags: u64): i32 {
  const length = load<u32>(key);
  if (flags > 2 || length > maxPrefix(map)) return -Errno.EINVAL;
  const data = key + 4;
  const link = findLink(map, data, length);
  const found = load<u32>(link);
  const exists = isSamePrefix(found, data, length) && load<u32>(found, HAS_VALUE) != 0;
  if (exists && flags == 1) return -Errno.EEXIST;
  if (!exists && flags == 2) return -Errno.ENOENT;
  if (!exists && mapField(map, MapField.COUNT) >= mapField(map, MapField.MAX_ENTRIES)) return -Errno.ENOSPC;
  const node = newNode(map);
  if (!node) return -Errno.ENOMEM;
  if (isSamePrefix(found, data, length)) {
    // A fresh node takes the place, so that an old value pointer keeps the old value.
    setNode(map, node, data, length, value);
    store<u64>(node, load<u64>(found, CHILD), CHILD);
    store<u32>(link, node);
  } else if (!insert(map, link, found, node, data, length, value)) return -Errno.ENOMEM;
  if (!exists) setMapField(map, MapField.COUNT, mapField(map, MapField.COUNT) + 1);
  return 0;
}

/** Inserts a new prefix at a link whose node (if any) is another one. */
function insert(map: u32, link: u32, found: u32, node: u32, data: u32, length: u32, value: u32): bool {
  setNode(map, node, data, length, value);
  if (!found) {
    store<u32>(link, node);
    return true;
  }
  const shared = sharedBits(found + DATA, data, min(length, load<u32>(found, LENGTH)));
  if (shared == length) {
    store<u32>(node + CHILD + (bit(found + DATA, length) << 2), found);
    store<u32>(link, node);
    return true;
  }
  const branch = newNode(map);
  if (!branch) return false;
  setNode(map, branch, data, shared, 0);
  store<u32>(branch + CHILD + (bit(data, shared) << 2), node);
  store<u32>(branch + CHILD + (bit(found + DATA, shared) << 2), found);
  store<u32>(link, branch);
  return true;
}

export function lpmDelete(map: u32, key: u32): i32 {
  const length = load<u32>(key);
  if (length > maxPrefix(map)) return -Errno.EINVAL;
  const data = key + 4;
  // The link to the node, and the link to its parent, which may have become superfluous.
  let parentLink: u32 = 0;
  let link = map + ROOT;
  let node = load<u32>(link);
  while (node) {
    const own = load<u32>(node, LENGTH);
    if (own >= length || sharedBits(node + DATA, data, own) < own) break;
    parentLink = link;
    link = node + CHILD + (bit(data, own) << 2);
    node = load<u32>(link);
  }
  if (!isSamePrefix(node, data, length) || !load<u32>(node, HAS_VALUE)) return -Errno.ENOENT;
  setMapField(map, MapField.COUNT, mapField(map, MapField.COUNT) - 1);
  const left = load<u32>(node, CHILD);
  const right = load<u32>(node, CHILD + 4);
  if (left && right) {
    store<u32>(node, 0, HAS_VALUE);
    return 0;
  }
  store<u32>(link, left ? left : right);
  if (!left && !right && parentLink) {
    const parent = load<u32>(parentLink);
    if (!load<u32>(parent, HAS_VALUE)) {
      const other = load<u32>(parent, CHILD) ? load<u32>(parent, CHILD) : load<u32>(parent, CHILD + 4);
      store<u32>(parentLink, other);
    }
  }
  return 0;
}

/** Deepest first node of a subtree: where a post-order walk starts. */
function firstOf(node: u32): u32 {
  while (true) {
    const left = load<u32>(node, CHILD);
    const right = load<u32>(node, CHILD + 4);
    if (left) node = left;
    else if (right) node = right;
    else return node;
  }
}

/** Depth of the deepest possible path: one node per prefix length. */
const DEEPEST: u32 = 8 * 256 + 1;

/**
 * The node after `key` in post-order, deeper prefixes before those that cover them; the first one for key 0 or an absent
 * key. 0 at the end.
 */
export function lpmNext(map: u32, key: u32): u32 {
  const root = load<u32>(map, ROOT);
  if (!root) return 0;
  if (!key || load<u32>(key) > maxPrefix(map)) return withValue(map, firstOf(root));
  const length = load<u32>(key);
  const data = key + 4;
  const link = findLink(map, data, length);
  const node = load<u32>(link);
  if (!isSamePrefix(node, data, length) || !load<u32>(node, HAS_VALUE)) return withValue(map, firstOf(root));
  return withValue(map, after(map, node));
}

/** The node behind `node` in post-order: the other branch of its parent, or the parent. 0 behind the root. */
function after(map: u32, node: u32): u32 {
  let parent: u32 = 0;
  let at = load<u32>(map, ROOT);
  const data = node + DATA;
  for (let i: u32 = 0; at != node && at != 0 && i < DEEPEST; i++) {
    parent = at;
    at = load<u32>(at + CHILD + (bit(data, load<u32>(at, LENGTH)) << 2));
  }
  if (!parent) return 0;
  const right = load<u32>(parent, CHILD + 4);
  return right && right != node && load<u32>(parent, CHILD) == node ? firstOf(right) : parent;
}

/** This node or the next one in post-order that holds a value. */
function withValue(map: u32, node: u32): u32 {
  while (node && !load<u32>(node, HAS_VALUE)) node = after(map, node);
  return node;
}

/** Writes a node's key: prefix length and data as stored. */
export function lpmKey(map: u32, node: u32, to: u32): void {
  store<u32>(to, load<u32>(node, LENGTH));
  copyBytes(to + 4, node + DATA, mapField(map, MapField.KEY_SIZE) - 4);
}

/** True if the address lies in the value of a stored prefix. */
export function lpmOwns(map: u32, address: u32): bool {
  const root = load<u32>(map, ROOT);
  if (!root) return false;
  for (let node = withValue(map, firstOf(root)); node; node = withValue(map, after(map, node))) {
    const value = nodeValue(map, node);
    if (address >= value && address < value + mapField(map, MapField.VALUE_SIZE)) return true;
  }
  return false;
}
