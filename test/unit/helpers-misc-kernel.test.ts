import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { Kernel } from '../../src/oracle/kernel.js';
import { FakeCall, socket } from '../support/fake-call.js';

const available = Kernel.available();
if (!available.ok) console.warn(`helpers against the kernel: skipped, ${available.reason}`);
const object = readFileSync(new URL('../../bpf-objects/helpers-misc.o', import.meta.url));
const kernel = available.ok ? Kernel.open(object, { name: 'helpers-misc.o' }) : undefined;
afterAll(() => kernel?.close());

/** The results of a program of helpers-misc.c, as many as asked for. */
function kernelResults(program: string, count: number): bigint[] {
  expect(kernel!.run({ program, packet: new Uint8Array(64) }).retval).toBe(0);
  const value = kernel!.dumpMap('results')[0]![1];
  const view = new DataView(value.buffer, value.byteOffset);
  return Array.from({ length: count }, (_, i) => view.getBigInt64(i * 8, true));
}

/** What the programs of helpers-misc.c do, with our helpers. */
const PROGRAMS: Record<string, (call: FakeCall) => bigint[]> = {
  timer(call) {
    const used = call.put(16);
    const idle = call.put(16);
    const long = 1000000000000000n;
    const callback = 0x4000;
    return [
      call.call('timer_start', idle, 1, 0),
      call.call('timer_cancel', idle),
      call.call('timer_set_callback', idle, callback),
      call.call('timer_init', used, 7, 2),
      call.call('timer_init', used, 7, 17),
      call.call('timer_init', used, 7, 1),
      call.call('timer_init', used, 7, 1),
      call.call('timer_start', used, long, 0),
      call.call('timer_cancel', used),
      call.call('timer_set_callback', used, callback),
      call.call('timer_start', used, long, 4),
      call.call('timer_start', used, long, 0),
      call.call('timer_start', used, long, 1),
      call.call('timer_cancel', used),
      call.call('timer_cancel', used),
      call.call('timer_start', used, long, 0),
    ];
  },

  dynptr(call) {
    const memory = call.put(64);
    const pointer = call.put(16);
    const none = call.put(16);
    const word = call.putWords(0x1122334455667788n);
    const results = [
      call.call('dynptr_from_mem', memory, 16, 0, pointer),
      call.call('dynptr_from_mem', memory, 16, 1, none),
      call.call('dynptr_write', pointer, 4, word, 8, 0),
      call.call('dynptr_write', pointer, 9, word, 8, 0),
      call.call('dynptr_write', pointer, 4, word, 8, 1),
      call.call('dynptr_write', pointer, 0xffffffff, word, 8, 0),
      call.call('dynptr_write', none, 0, word, 8, 0),
      call.word(memory),
      call.word(memory + 8n),
    ];
    const out = call.putWords(0);
    results.push(call.call('dynptr_read', out, 8, pointer, 5, 0), call.word(out));
    results.push(call.call('dynptr_read', out, 8, pointer, 9, 0));
    results.push(call.call('dynptr_read', out, 8, pointer, 0, 1));
    results.push(call.call('dynptr_read', out, 8, none, 0, 0));
    results.push(BigInt(call.call('dynptr_data', pointer, 8, 8) === memory + 8n));
    results.push(BigInt(call.call('dynptr_data', pointer, 9, 8) === 0n));
    results.push(BigInt(call.call('dynptr_data', none, 0, 8) === 0n));
    return results;
  },

  probe(call) {
    const text = call.put('abcdefg');
    const small = call.put('123');
    const word = call.putWords(7);
    const results: bigint[] = [];
    const step = (name: string, ...args: (bigint | number)[]): void => {
      results.push(call.call(name, word, ...args), call.word(word));
    };
    const set = (value: bigint): void => call.write(word, call.at(call.putWords(value), 8));
    step('probe_read_kernel', 8, 0);
    set(7n);
    step('probe_read_kernel', 0, 0);
    step('probe_read_kernel', 8, text);
    set(-1n);
    step('probe_read_kernel_str', 8, small);
    step('probe_read_kernel_str', 4, text);
    step('probe_read_kernel_str', 8, text);
    step('probe_read_kernel_str', 8, 0);
    call.env.task.comm = 'bpftool';
    step('get_current_comm', 8);
    step('get_current_comm', 4);
    return results;
  },

  ambient(call) {
    call.maps.set(1n, { name: 'counters', type: 4, keySize: 4, valueSize: 4, maxEntries: 2 });
    call.maps.set(2n, { name: 'cgroups', type: 8, keySize: 4, valueSize: 4, maxEntries: 2 });
    call.exposeSocket(socket());
    call.context.setBigUint64(168, call.exposeSocket(socket()), true);
    call.env.task.uid = 0;
    const value = call.putWords(1, 2, 3);
    return [
      call.call('perf_event_read', 1, 0),
      call.call('perf_event_read', 1, 2),
      call.call('perf_event_read', 1, 1n << 32n),
      call.call('perf_event_read_value', 1, 0, value, 24),
      call.word(value) | call.word(value + 16n),
      call.call('perf_event_read_value', 1, 0, value, 16),
      call.word(value),
      call.call('skb_under_cgroup', 0, 2, 2),
      call.call('skb_under_cgroup', 0, 2, 0),
      call.call('current_task_under_cgroup', 2, 2),
      call.call('current_task_under_cgroup', 2, 1),
      call.call('skb_cgroup_id', 0),
      call.call('skb_ancestor_cgroup_id', 0, 0),
      call.call('skb_ancestor_cgroup_id', 0, 1),
      call.call('skb_ancestor_cgroup_id', 0, -1),
      call.call('get_cgroup_classid', 0),
      call.call('skb_cgroup_classid', 0),
      call.call('get_route_realm', 0),
      call.call('get_socket_uid', 0),
      call.call('get_branch_snapshot', value, 24, 1),
    ];
  },

  socket(call) {
    const tuple = call.put(36);
    const ip = call.put(Uint8Array.of(0x45, ...new Uint8Array(19)));
    const tcp = call.put(Uint8Array.from({ length: 20 }, (_, i) => (i === 12 ? 0x50 : i === 13 ? 2 : 0)));
    const sk = call.exposeSocket(socket({ type: 0, protocol: 0, family: 0 }));
    return [
      call.call('sk_lookup_tcp', 0, tuple, 12, -1, 0),
      call.call('sk_lookup_udp', 0, tuple, 36, -1, 0),
      call.call('sk_lookup_udp', 0, tuple, 20, -1, 0),
      call.call('sk_assign', 0, sk, 1),
      call.call('sk_assign', 0, sk, 0),
      BigInt(call.call('tcp_sock', sk) === 0n),
      BigInt(call.call('get_listener_sock', sk) === 0n),
      call.call('tcp_check_syncookie', sk, ip, 20, tcp, 20),
      call.call('tcp_check_syncookie', sk, ip, 20, tcp, 8),
      call.call('tcp_gen_syncookie', sk, ip, 20, tcp, 20),
      call.call('tcp_gen_syncookie', sk, ip, 20, tcp, 8),
    ];
  },

  syncookie(call) {
    const tcp = (offset: number, flags: number): Uint8Array => {
      const bytes = new Uint8Array(28);
      bytes.set([0x34, 0x12, 0x00, 0x50, 0x44, 0x33, 0x22, 0x11]);
      bytes[12] = offset << 4;
      bytes[13] = flags;
      return bytes;
    };
    const ip = new Uint8Array(20);
    ip.set([0x45]);
    ip.set([10, 0, 0, 1, 10, 0, 0, 2], 12);
    const ip4 = call.put(ip);
    const syn = call.put(tcp(6, 2));
    const options = (kind: number, length: number, size: number): void => {
      call.write(syn + 20n, Uint8Array.of(kind, length, size >> 8, size & 255));
    };
    const generate = (kind: number, length: number, size: number): bigint => {
      options(kind, length, size);
      return call.call('tcp_raw_gen_syncookie_ipv4', ip4, syn, 24);
    };
    const results = [call.call('tcp_raw_gen_syncookie_ipv4', ip4, syn, 20)];
    const sizes = [
      [1, 1, 0x101],
      [2, 4, 100],
      [2, 4, 1299],
      [2, 4, 1300],
      [2, 4, 1460],
      [2, 4, 9000],
      [2, 4, 0],
      [3, 4, 1460],
    ] as const;
    results.push(...sizes.map(([kind, length, size]) => generate(kind, length, size) >> 32n));
    const ack = call.put(tcp(5, 0x10));
    const number = (at: bigint, value: number): void => {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, value, false);
      call.write(at, bytes);
    };
    const cookie = Number(BigInt.asUintN(32, generate(2, 4, 1450)));
    number(ack + 4n, 0x44332211 + 1);
    number(ack + 8n, cookie + 1);
    results.push(call.call('tcp_raw_check_syncookie_ipv4', ip4, ack));
    number(ack + 8n, cookie + 2000);
    results.push(call.call('tcp_raw_check_syncookie_ipv4', ip4, ack));
    const ip6 = call.put(Uint8Array.of(0x60, 0, 0, 0, 0, 0, 0, 0, 0xfd, 1, 2, 3, ...new Uint8Array(28)));
    const cookie6 = call.call('tcp_raw_gen_syncookie_ipv6', ip6, syn, 24);
    results.push(cookie6 >> 32n);
    number(ack + 8n, Number(BigInt.asUintN(32, cookie6)) + 1);
    results.push(call.call('tcp_raw_check_syncookie_ipv6', ip6, ack));
    call.write(ip6 + 11n, Uint8Array.of(4));
    results.push(call.call('tcp_raw_check_syncookie_ipv6', ip6, ack));
    return results;
  },
};

describe.skipIf(!kernel)('helpers answer as the kernel', () => {
  test.each(Object.keys(PROGRAMS))('%s', (program) => {
    const ours = PROGRAMS[program]!(new FakeCall());
    expect(ours).toEqual(kernelResults(program, ours.length));
  });
});

/** The same without a kernel, from one run of Linux 6.18. */
test.each([
  ['timer', [-22, -22, -22, -22, -22, 0, -16, -22, 0, 0, -22, 0, 0, 1, 0, -22]],
  ['socket', [0, 0, 0, -22, -95, 1, 1, -22, -22, -22, -22]],
] as const)('%s, recorded', (program, expected) => {
  expect(PROGRAMS[program]!(new FakeCall())).toEqual(expected.map(BigInt));
});

test('a started timer is reported', () => {
  const call = new FakeCall();
  PROGRAMS.timer!(call);
  expect(call.timers).toHaveLength(2);
  expect(call.timers[0]).toMatchObject({ map: 7n, callback: 0x4000n, nanoseconds: 1000000000000000n, flags: 0n });
  expect(call.timers[1]!.flags).toBe(1n);
});
