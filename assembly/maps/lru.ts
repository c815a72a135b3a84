/**
 * Least recently used, as the kernel's bpf_lru_list.c decides it: an active and an inactive list that rotate, and per CPU
 * a number of free elements and a list of pending ones. With NO_COMMON_LRU every CPU has lists of its own.
 *
 * Links in an element: previous u32 at 8, next u32 at 12, list u32 at 16 (kind, CPU << 8), reference bit at REFERENCE.
 * A list is a ring through a sentinel of the same shape with a count at 20.
 */
import { MapField, MapFlag, RunState } from "../abi";
import { allocate } from "../heap";
import { run32 } from "../state";
import { cpuCount, mapField } from "./descriptor";
import { LRU, REFERENCE, freeElement, newElement, unlink } from "./hash";

const PREVIOUS: u32 = 8;
const NEXT: u32 = 12;
const LIST: u32 = 16;
const COUNT: u32 = 20;
const SENTINEL: u32 = 24;

enum Kind {
  ACTIVE = 1,
  INACTIVE = 2,
  PENDING = 3,
}

// A group of lists: active sentinel, inactive sentinel, rotation cursor u32, free count u32.
const ACTIVE: u32 = 0;
const INACTIVE: u32 = SENTINEL;
const CURSOR: u32 = 2 * SENTINEL;
const FREE_COUNT: u32 = 2 * SENTINEL + 4;
const GROUP: u32 = 2 * SENTINEL + 8;
// Per CPU: pending sentinel, local free count u32, next CPU to steal from u32.
const LOCAL_FREE: u32 = SENTINEL;
const STEAL: u32 = SENTINEL + 4;
const LOCAL: u32 = SENTINEL + 8;

// The state block: target u32, scans u32, then one local block per CPU, then the groups (one, or one per CPU).
const TARGET: u32 = 0;
const SCANS: u32 = 4;
const LOCALS: u32 = 8;

function isPrivate(map: u32): bool {
  return (mapField(map, MapField.FLAGS) & MapFlag.NO_COMMON_LRU) != 0;
}

function local(map: u32, cpu: u32): u32 {
  return load<u32>(map, LRU) + LOCALS + cpu * LOCAL;
}

function group(map: u32, cpu: u32): u32 {
  const first = load<u32>(map, LRU) + LOCALS + cpuCount() * LOCAL;
  return isPrivate(map) ? first + cpu * GROUP : first;
}

function initSentinel(sentinel: u32): void {
  store<u32>(sentinel, sentinel, PREVIOUS);
  store<u32>(sentinel, sentinel, NEXT);
}

export function lruInit(map: u32): bool {
  const cpus = cpuCount();
  const groups = isPrivate(map) ? cpus : 1;
  const state = allocate(LOCALS + cpus * LOCAL + groups * GROUP);
  if (!state) return false;
  store<u32>(map, state, LRU);
  const entries = mapField(map, MapField.MAX_ENTRIES);
  store<u32>(state, isPrivate(map) ? 4 : min<u32>(max<u32>(entries / cpus / 2, 1), 128), TARGET);
  store<u32>(state, isPrivate(map) ? 4 : 128, SCANS);
  for (let cpu: u32 = 0; cpu < cpus; cpu++) {
    initSentinel(local(map, cpu));
    store<u32>(local(map, cpu), cpu, STEAL);
  }
  for (let i: u32 = 0; i < groups; i++) {
    const lists = group(map, i);
    initSentinel(lists + ACTIVE);
    initSentinel(lists + INACTIVE);
    store<u32>(lists, lists + INACTIVE, CURSOR);
    // Private lists divide the entries, rounded up to a multiple of the CPUs.
    store<u32>(lists, isPrivate(map) ? (entries + cpus - 1) / cpus : entries, FREE_COUNT);
  }
  return true;
}

/** Takes a node out of its ring. The cursor steps back from a node that goes. */
function remove(lists: u32, node: u32): void {
  const previous = load<u32>(node, PREVIOUS);
  const next = load<u32>(node, NEXT);
  if (lists && load<u32>(lists, CURSOR) == node) store<u32>(lists, previous, CURSOR);
  store<u32>(previous, next, NEXT);
  store<u32>(next, previous, PREVIOUS);
}

function addHead(sentinel: u32, node: u32): void {
  const first = load<u32>(sentinel, NEXT);
  store<u32>(node, sentinel, PREVIOUS);
  store<u32>(node, first, NEXT);
  store<u32>(first, node, PREVIOUS);
  store<u32>(sentinel, node, NEXT);
  store<u32>(sentinel, load<u32>(sentinel, COUNT) + 1, COUNT);
}

function uncount(sentinel: u32): void {
  store<u32>(sentinel, load<u32>(sentinel, COUNT) - 1, COUNT);
}

function sentinelOf(lists: u32, kind: u32): u32 {
  return lists + (kind == Kind.ACTIVE ? ACTIVE : INACTIVE);
}

function setList(node: u32, kind: Kind, cpu: u32): void {
  store<u32>(node, (<u32>kind) | (cpu << 8), LIST);
}

/** Moves a node to the head of the active or inactive list and clears its reference bit. */
function moveTo(lists: u32, node: u32, kind: Kind, cpu: u32): void {
  const from = load<u32>(node, LIST) & 0xff;
  remove(lists, node);
  uncount(sentinelOf(lists, from));
  addHead(sentinelOf(lists, kind), node);
  setList(node, kind, cpu);
  store<u32>(node, 0, REFERENCE);
}

function isReferenced(node: u32): bool {
  return load<u32>(node, REFERENCE) != 0;
}

/** Active list from its tail: used ones go to its head again, others become inactive. */
function rotateActive(lists: u32, scans: u32, cpu: u32): void {
  const sentinel = lists + ACTIVE;
  const first = load<u32>(sentinel, NEXT);
  if (first == sentinel) return;
  let node = load<u32>(sentinel, PREVIOUS);
  for (let i: u32 = 1; node != sentinel; i++) {
    const previous = load<u32>(node, PREVIOUS);
    moveTo(lists, node, isReferenced(node) ? Kind.ACTIVE : Kind.INACTIVE, cpu);
    if (i == scans || node == first) break;
    node = previous;
  }
}

/** Inactive list from the cursor toward the head, at most one turn: used ones become active. */
function rotateInactive(lists: u32, scans: u32, cpu: u32): void {
  const sentinel = lists + INACTIVE;
  if (load<u32>(sentinel, NEXT) == sentinel) return;
  let last = load<u32>(load<u32>(lists, CURSOR), NEXT);
  if (last == sentinel) last = load<u32>(last, NEXT);
  let current = load<u32>(lists, CURSOR);
  let next = current;
  for (let i: u32 = 0; i < scans; ) {
    if (current == sentinel) {
      current = load<u32>(current, PREVIOUS);
      continue;
    }
    next = load<u32>(current, PREVIOUS);
    if (isReferenced(current)) moveTo(lists, current, Kind.ACTIVE, cpu);
    if (current == last) break;
    current = next;
    i++;
  }
  store<u32>(lists, next, CURSOR);
}

function rotate(lists: u32, scans: u32, cpu: u32): void {
  if (load<u32>(lists + INACTIVE, COUNT) < load<u32>(lists + ACTIVE, COUNT)) rotateActive(lists, scans, cpu);
  rotateInactive(lists, scans, cpu);
}

/** Takes a node off its list and its key out of the map; its memory is free. */
function evict(map: u32, lists: u32, node: u32): void {
  remove(lists, node);
  uncount(sentinelOf(lists, load<u32>(node, LIST) & 0xff));
  unlink(map, node);
  freeElement(map, node);
}

/** Evicts up to `wanted` inactive elements; if there is none to be had, one by force. Returns how many. */
function shrink(map: u32, lists: u32, wanted: u32, scans: u32, cpu: u32): u32 {
  const sentinel = lists + INACTIVE;
  let evicted: u32 = 0;
  let node = load<u32>(sentinel, PREVIOUS);
  for (let i: u32 = 1; node != sentinel; i++) {
    const previous = load<u32>(node, PREVIOUS);
    if (isReferenced(node)) moveTo(lists, node, Kind.ACTIVE, cpu);
    else {
      evict(map, lists, node);
      if (++evicted == wanted) break;
    }
    if (i == scans) break;
    node = previous;
  }
  if (evicted) return evicted;
  const inactive = load<u32>(sentinel, PREVIOUS);
  const victim = inactive != sentinel ? inactive : load<u32>(lists + ACTIVE, PREVIOUS);
  if (victim == lists + ACTIVE) return 0;
  evict(map, lists, victim);
  return 1;
}

/** Refills a CPU's free elements: pending ones join the lists, lists rotate, free or evicted ones are taken. */
function refill(map: u32, cpu: u32): void {
  const state = load<u32>(map, LRU);
  const lists = group(map, cpu);
  const own = local(map, cpu);
  const scans = load<u32>(state, SCANS);
  const target = load<u32>(state, TARGET);
  let node = load<u32>(own, PREVIOUS);
  while (node != own) {
    const previous = load<u32>(node, PREVIOUS);
    const kind = isReferenced(node) ? Kind.ACTIVE : Kind.INACTIVE;
    remove(0, node);
    uncount(own);
    addHead(sentinelOf(lists, kind), node);
    setList(node, kind, cpu);
    store<u32>(node, 0, REFERENCE);
    node = previous;
  }
  rotate(lists, scans, cpu);
  const free = load<u32>(lists, FREE_COUNT);
  const taken = min(free, target);
  store<u32>(lists, free - taken, FREE_COUNT);
  let got = taken;
  if (taken < target) got += shrink(map, lists, target - taken, scans, cpu);
  store<u32>(own, load<u32>(own, LOCAL_FREE) + got, LOCAL_FREE);
}

/** Evicts the oldest pending element of a CPU, one without reference if there is. */
function stealPending(map: u32, cpu: u32): bool {
  const own = local(map, cpu);
  for (let force = 0; force < 2; force++) {
    for (let node = load<u32>(own, PREVIOUS); node != own; node = load<u32>(node, PREVIOUS)) {
      if (isReferenced(node) && !force) continue;
      if (!unlink(map, node)) continue;
      remove(0, node);
      uncount(own);
      freeElement(map, node);
      return true;
    }
  }
  return false;
}

/** One free element from this or another CPU, evicting pending ones. */
function steal(map: u32, cpu: u32): bool {
  const own = local(map, cpu);
  const cpus = cpuCount();
  const first = load<u32>(own, STEAL);
  let from = first;
  do {
    const other = local(map, from);
    const free = load<u32>(other, LOCAL_FREE);
    const current = from;
    from = from + 1 < cpus ? from + 1 : 0;
    if (free) store<u32>(other, free - 1, LOCAL_FREE);
    if (free || stealPending(map, current)) {
      store<u32>(own, from, STEAL);
      return true;
    }
  } while (from != first);
  return false;
}

/** Memory for a new element, evicting others if need be; 0 if nothing can be had. */
export function lruTake(map: u32, hash: u32): u32 {
  const cpu = run32(RunState.CPU);
  return isPrivate(map) ? takePrivate(map, cpu) : takeCommon(map, cpu);
}

function takeCommon(map: u32, cpu: u32): u32 {
  const own = local(map, cpu);
  if (!load<u32>(own, LOCAL_FREE)) refill(map, cpu);
  const free = load<u32>(own, LOCAL_FREE);
  if (free) store<u32>(own, free - 1, LOCAL_FREE);
  else if (!steal(map, cpu)) return 0;
  const element = newElement(map);
  if (!element) return 0;
  store<u32>(element, 0, REFERENCE);
  addHead(own, element);
  setList(element, Kind.PENDING, cpu);
  return element;
}

function takePrivate(map: u32, cpu: u32): u32 {
  const state = load<u32>(map, LRU);
  const lists = group(map, cpu);
  rotate(lists, load<u32>(state, SCANS), cpu);
  if (!load<u32>(lists, FREE_COUNT)) {
    const evicted = shrink(map, lists, load<u32>(state, TARGET), load<u32>(state, SCANS), cpu);
    store<u32>(lists, evicted, FREE_COUNT);
  }
  const free = load<u32>(lists, FREE_COUNT);
  if (!free) return 0;
  const element = newElement(map);
  if (!element) return 0;
  store<u32>(lists, free - 1, FREE_COUNT);
  store<u32>(element, 0, REFERENCE);
  addHead(lists + INACTIVE, element);
  setList(element, Kind.INACTIVE, cpu);
  return element;
}

/** Gives an element back: to its CPU if it was pending, else to the common free ones. */
export function lruFree(map: u32, element: u32): void {
  const list = load<u32>(element, LIST);
  const kind = list & 0xff;
  const cpu = list >>> 8;
  if (kind == Kind.PENDING) {
    const own = local(map, cpu);
    remove(0, element);
    uncount(own);
    store<u32>(own, load<u32>(own, LOCAL_FREE) + 1, LOCAL_FREE);
  } else {
    const lists = group(map, cpu);
    remove(lists, element);
    uncount(sentinelOf(lists, kind));
    store<u32>(lists, load<u32>(lists, FREE_COUNT) + 1, FREE_COUNT);
  }
  freeElement(map, element);
}
