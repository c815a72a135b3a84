import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { contextFor } from '../../src/contexts/context.js';
import { Kernel } from '../../src/oracle/kernel.js';
import { code, exit, move } from '../support/code.js';
import { cString, EXECUTABLE, writeElf } from '../support/elf-writer.js';

const available = Kernel.available();
if (!available.ok) console.warn(`context accesses against the verifier: skipped, ${available.reason}`);

interface Access {
  offset: number;
  width: number;
  isWrite: boolean;
}

/** LDX and STX opcodes by width. */
const LOAD: Record<number, number> = { 1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79 };
const STORE: Record<number, number> = { 1: 0x73, 2: 0x6b, 4: 0x63, 8: 0x7b };

/** r2 = *(r1 + offset), or *(r1 + offset) = r3. */
function accessCode({ offset, width, isWrite }: Access): number[] {
  const registers = isWrite ? (3 << 4) | 1 : (1 << 4) | 2;
  return [(isWrite ? STORE : LOAD)[width]!, registers, offset & 255, offset >> 8, 0, 0, 0, 0];
}

/** An object whose one program makes the accesses and returns 1. */
function objectWith(section: string, accesses: readonly Access[]): Uint8Array {
  const instructions = code(move(3, 0), ...accesses.map(accessCode), move(0, 1), exit());
  return writeElf({
    sections: [
      { name: section, data: instructions, flags: EXECUTABLE },
      { name: 'license', data: cString('GPL') },
    ],
    symbols: [{ name: 'access', section, size: instructions.length, type: 'func' }],
  });
}

let runs = 0;

/** Which of the objects the kernel takes. */
function taken(objects: readonly Uint8Array[]): boolean[] {
  const folder = mkdtempSync(join(tmpdir(), 'offkernel-contexts-'));
  const pin = `/sys/fs/bpf/offkernel_contexts_${process.pid}_${runs++}`;
  try {
    mkdirSync(folder, { recursive: true });
    for (const [i, object] of objects.entries()) writeFileSync(join(folder, `${i}.o`), object);
    const loop = `i=0; while [ $i -lt ${objects.length} ]; do if bpftool prog load ${folder}/$i.o ${pin} >/dev/null 2>&1; then echo $i; rm ${pin}; fi; i=$((i + 1)); done`;
    const result = spawnSync('unshare', ['-n', 'sh', '-c', loop], { encoding: 'utf8', timeout: 120_000 });
    if (result.status !== 0) throw new Error(`${result.error ?? ''}${result.stderr}`);
    const good = new Set(result.stdout.split('\n').filter(Boolean).map(Number));
    return objects.map((_, i) => good.has(i));
  } finally {
    rmSync(pin, { force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The accesses that the kernel takes: all at once if it takes all, else halves of them. */
function accepted(section: string, accesses: readonly Access[]): Access[] {
  if (accesses.length === 0) return [];
  if (taken([objectWith(section, accesses)])[0]) return [...accesses];
  if (accesses.length === 1) return [];
  const middle = accesses.length >> 1;
  return [...accepted(section, accesses.slice(0, middle)), ...accepted(section, accesses.slice(middle))];
}

function allAccesses(size: number): Access[] {
  const all: Access[] = [];
  for (let offset = 0; offset < size; offset++) {
    for (const width of [1, 2, 4, 8]) for (const isWrite of [false, true]) all.push({ offset, width, isWrite });
  }
  return all;
}

const describeAccess = ({ offset, width, isWrite }: Access): string =>
  `${isWrite ? 'write' : 'read'} ${width} at ${offset}`;

describe.skipIf(!available.ok)('every context access is allowed or refused as by the verifier', () => {
  test.each([
    ['tc', 'sched_cls', undefined],
    ['cgroup_skb/egress', 'cgroup_skb', 'cgroup_inet_egress'],
    ['xdp', 'xdp', undefined],
    ['xdp/devmap', 'xdp', 'xdp_devmap'],
    ['cgroup/connect4', 'cgroup_sock_addr', 'cgroup_inet4_connect'],
    ['cgroup/sendmsg6', 'cgroup_sock_addr', 'cgroup_udp6_sendmsg'],
    ['cgroup/sock_create', 'cgroup_sock', 'cgroup_inet_sock_create'],
    ['cgroup/post_bind4', 'cgroup_sock', 'cgroup_inet4_post_bind'],
    ['socket', 'socket_filter', undefined],
    ['lwt_xmit', 'lwt_xmit', undefined],
    ['sk_skb/stream_verdict', 'sk_skb', 'sk_skb_stream_verdict'],
    ['sk_lookup', 'sk_lookup', undefined],
    ['sockops', 'sock_ops', undefined],
    ['cgroup/getsockopt', 'cgroup_sockopt', 'cgroup_getsockopt'],
    ['sk_reuseport', 'sk_reuseport', undefined],
  ] as const)('%s', { timeout: 120_000 }, (section, type, attachType) => {
    const context = contextFor(type, attachType);
    const table = context.accessTable();
    const isAllowed = ({ offset, width, isWrite }: Access): boolean =>
      (table[((isWrite ? 256 : 0) + offset) * 4 + Math.log2(width)]! & 1) === 1;
    const all = allAccesses(context.size + 8);
    const allowed = all.filter(isAllowed);
    expect(allowed.length).toBeGreaterThan(4);
    const good = new Set(accepted(section, allowed).map(describeAccess));
    expect(allowed.map(describeAccess).filter((text) => !good.has(text))).toEqual([]);
    const refused = all.filter((one) => !isAllowed(one));
    const wrong = taken(refused.map((one) => objectWith(section, [one])));
    expect(refused.filter((_, i) => wrong[i]).map(describeAccess)).toEqual([]);
  });
});
