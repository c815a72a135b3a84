import { describe, expect, it } from 'vitest';
import { LoadError } from '../../src/errors.js';
import { loadObject } from '../../src/object/load.js';
import type { ObjectSpec } from '../../src/object/spec.js';
import { BtfImage } from '../support/btf-image.js';
import { call, code, copy, exit, helper, load32, load64, move } from '../support/code.js';
import { cString, type ElfImage, EXECUTABLE, WRITABLE, writeElf } from '../support/elf-writer.js';

const PASS = code(move(0, 2), exit());

function load(image: ElfImage, options: { name?: string; programType?: string } = {}): ObjectSpec {
  return loadObject(writeElf(image), { name: 'test.o', ...options });
}

function failure(image: ElfImage): LoadError {
  try {
    load(image);
  } catch (error) {
    if (error instanceof LoadError) return error;
    throw error;
  }
  throw new Error('loaded without an error');
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value, true);
  return bytes;
}

/** Sections `.BTF` and `.BTF.ext`. */
function btfSections(image: BtfImage): ElfImage['sections'] {
  const ext = image.ext();
  return [
    { name: '.BTF', flags: 0, data: image.btf() },
    { name: '.BTF.ext', flags: 0, data: ext },
  ];
}

describe('functions and programs', () => {
  it('splits a section by symbols, local entries included', () => {
    const spec = load({
      sections: [
        { name: 'tc', flags: EXECUTABLE, data: code(move(0, 0), exit(), move(0, 1), exit()) },
        { name: 'license', data: cString('Dual BSD/GPL') },
      ],
      symbols: [
        { name: 'second', section: 'tc', value: 16, size: 16, type: 'func', binding: 'local' },
        { name: 'first', section: 'tc', value: 0, size: 16, type: 'func' },
      ],
    });
    expect(spec.license).toBe('Dual BSD/GPL');
    expect(spec.functions.map(({ name, section, offset, isLocal }) => ({ name, section, offset, isLocal }))).toEqual([
      { name: 'first', section: 'tc', offset: 0, isLocal: false },
      { name: 'second', section: 'tc', offset: 16, isLocal: true },
    ]);
    expect([...spec.functions[1]!.instructions]).toEqual([...code(move(0, 1), exit())]);
    expect(spec.programs.map(({ name, type, function: index }) => [name, type, index])).toEqual([
      ['first', 'sched_cls', 0],
      ['second', 'sched_cls', 1],
    ]);
  });

  it('splits sections of old LLVM versions at NOTYPE symbols, but not at labels', () => {
    const spec = load({
      sections: [{ name: 'xdp', flags: EXECUTABLE, data: code(move(0, 0), exit(), move(0, 1), exit()) }],
      symbols: [
        { name: 'one', section: 'xdp' },
        { name: 'LBB0_1', section: 'xdp', value: 8, binding: 'local' },
        { name: 'two', section: 'xdp', value: 16 },
      ],
    });
    expect(spec.functions.map(({ name, instructions }) => [name, instructions.length])).toEqual([
      ['one', 16],
      ['two', 16],
    ]);
  });

  it('makes one function of a section without symbols', () => {
    const spec = load({ sections: [{ name: 'xdp', flags: EXECUTABLE, data: PASS }] });
    expect(spec.programs).toMatchObject([{ name: 'xdp', section: 'xdp', type: 'xdp' }]);
  });

  it('takes .text functions as programs only if asked with a type', () => {
    const image: ElfImage = {
      sections: [{ name: '.text', flags: EXECUTABLE, data: code(move(0, 0), exit(), move(0, 1), exit()) }],
      symbols: [
        { name: 'entry', section: '.text', size: 16, type: 'func' },
        { name: 'inner', section: '.text', value: 16, size: 16, type: 'func', binding: 'local' },
      ],
    };
    expect(load(image).programs).toEqual([]);
    expect(load(image, { programType: 'xdp' }).programs).toMatchObject([{ name: 'entry', type: 'xdp' }]);
  });

  it('resolves calls within a section and into .text in all their forms', () => {
    const spec = load({
      sections: [
        { name: '.text', flags: EXECUTABLE, data: code(move(0, 1), exit(), move(0, 2), exit()) },
        {
          name: 'xdp',
          flags: EXECUTABLE,
          data: code(call(), call(1), call(-1), call(4), load64(2, 16), helper(164), exit(), move(0, 0), exit()),
        },
      ],
      symbols: [
        { name: '', section: '.text', type: 'section', binding: 'local' },
        { name: 'f', section: '.text', size: 16, type: 'func', binding: 'local' },
        { name: 'g', section: '.text', value: 16, size: 16, type: 'func' },
        { name: 'main', section: 'xdp', size: 64, type: 'func' },
        { name: 'near', section: 'xdp', value: 64, size: 16, type: 'func' },
      ],
      relocations: [
        { section: 'xdp', offset: 0, type: 10, symbol: 'g' },
        { section: 'xdp', offset: 8, type: 10, symbol: 0 },
        { section: 'xdp', offset: 16, type: 10, symbol: 0 },
        { section: 'xdp', offset: 32, type: 1, symbol: 0 },
      ],
    });
    expect(spec.functions.map((fn) => fn.name)).toEqual(['f', 'g', 'main', 'near']);
    expect(spec.functions[2]!.relocations).toEqual([
      { instruction: 0, kind: 'call', function: 1 },
      { instruction: 1, kind: 'call', function: 1 },
      { instruction: 2, kind: 'call', function: 0 },
      { instruction: 3, kind: 'call', function: 3 },
      { instruction: 4, kind: 'callback', function: 1 },
    ]);
    expect(spec.programs.map((program) => program.name)).toEqual(['main', 'near']);
  });

  it.each([
    [
      'code that is no whole instructions',
      { name: 'xdp', flags: EXECUTABLE, data: new Uint8Array(12) },
      [],
      /12 bytes of code/,
    ],
    [
      'functions that leave their section',
      { name: 'xdp', flags: EXECUTABLE, data: PASS },
      [{ name: 'f', section: 'xdp', size: 24, type: 'func' }],
      /ends at byte 24, its section has 16/,
    ],
    [
      'overlapping functions',
      { name: 'xdp', flags: EXECUTABLE, data: PASS },
      [
        { name: 'f', section: 'xdp', size: 16, type: 'func' },
        { name: 'g', section: 'xdp', value: 8, size: 8, type: 'func' },
      ],
      /overlaps g/,
    ],
    [
      'a call into the middle of a function',
      { name: 'xdp', flags: EXECUTABLE, data: code(call(0), move(0, 0), exit()) },
      [],
      /byte 8 of section xdp, where no function starts/,
    ],
  ] as [string, ElfImage['sections'][number], ElfImage['symbols'], RegExp][])(
    'refuses %s',
    (_, section, symbols, reason) => {
      const error = failure({ sections: [section], symbols });
      expect(error.reason).toMatch(reason);
      expect(error.place).toMatchObject({ file: 'test.o', section: 'xdp' });
    },
  );

  it('takes kernel functions and variables from undefined symbols', () => {
    const btf = new BtfImage();
    const ksyms = [btf.func('bpf_cast'), btf.variable('bpf_prog_active', btf.int('int', 4))];
    btf.datasec('.ksyms', ksyms);
    btf.datasec('.kconfig', [btf.variable('CONFIG_HZ', btf.int('int', 4))]);
    const image: ElfImage = {
      sections: [
        { name: 'tc', flags: EXECUTABLE, data: code(load64(1), load64(2), call(), exit()) },
        ...btfSections(btf),
      ],
      symbols: [
        { name: 'main', section: 'tc', size: 48, type: 'func' },
        { name: 'CONFIG_HZ', binding: 'weak' },
        { name: 'bpf_prog_active' },
        { name: 'bpf_cast' },
      ],
      relocations: [
        { section: 'tc', offset: 0, type: 1, symbol: 'CONFIG_HZ' },
        { section: 'tc', offset: 16, type: 1, symbol: 'bpf_prog_active' },
        { section: 'tc', offset: 32, type: 10, symbol: 'bpf_cast' },
      ],
    };
    const spec = load(image);
    expect(spec.externs.map(({ name, kind, weak }) => [name, kind, weak])).toEqual([
      ['CONFIG_HZ', 'kconfig', true],
      ['bpf_prog_active', 'ksym', false],
      ['bpf_cast', 'kfunc', false],
    ]);
    expect(spec.functions[0]!.relocations).toEqual([
      { instruction: 0, kind: 'kconfig', name: 'CONFIG_HZ' },
      { instruction: 2, kind: 'ksym', name: 'bpf_prog_active' },
      { instruction: 4, kind: 'kfunc', name: 'bpf_cast' },
    ]);
    const { sections, ...rest } = image;
    const withoutBtf = load({ sections: sections.slice(0, 1), ...rest });
    expect(withoutBtf.externs.map((extern) => extern.kind)).toEqual(['kconfig', 'ksym', 'kfunc']);
  });

  it('reads line info and function ids from BTF.ext', () => {
    const btf = new BtfImage();
    const first = btf.func('first');
    const second = btf.func('second');
    btf.functionAt('tc', 0, first);
    btf.functionAt('tc', 16, second);
    btf.lineAt('tc', 0, 'a.c', 10, 3, 'return 0;');
    btf.lineAt('tc', 16, 'a.c', 20, 5, 'int x = 1;');
    btf.lineAt('tc', 24, 'b.h', 7, 1, '}');
    const spec = load({
      sections: [
        { name: 'tc', flags: EXECUTABLE, data: code(move(0, 0), exit(), move(0, 1), exit()) },
        ...btfSections(btf),
      ],
      symbols: [
        { name: 'first', section: 'tc', size: 16, type: 'func' },
        { name: 'second', section: 'tc', value: 16, size: 16, type: 'func' },
      ],
    });
    expect(spec.functions.map((fn) => fn.btfId)).toEqual([first, second]);
    expect(spec.functions[1]!.lines).toEqual([
      { instruction: 0, file: 'a.c', line: 20, column: 5, text: 'int x = 1;' },
      { instruction: 1, file: 'b.h', line: 7, column: 1, text: '}' },
    ]);
  });
});

describe('program types', () => {
  const typeOf = (section: string, data = PASS, name = 'test.o'): string =>
    load({ sections: [{ name: section, flags: EXECUTABLE, data }] }, { name }).programs[0]!.type;

  it.each([
    ['xdp', 'xdp', undefined],
    ['xdp.frags', 'xdp', undefined],
    ['xdp/entry', 'xdp', undefined],
    ['xdp_prog1', 'xdp', undefined],
    ['xdp/cpumap', 'xdp', 'xdp_cpumap'],
    ['tc', 'sched_cls', undefined],
    ['tc/tail', 'sched_cls', undefined],
    ['tc/test/name/check', 'sched_cls', undefined],
    ['tc/ingress', 'sched_cls', 'tcx_ingress'],
    ['classifier', 'sched_cls', undefined],
    ['action', 'sched_act', undefined],
    ['to-overlay', 'sched_cls', undefined],
    ['socket/1', 'socket_filter', undefined],
    ['cgroup/connect4', 'cgroup_sock_addr', 'cgroup_inet4_connect'],
    ['cgroup/recvmsg6', 'cgroup_sock_addr', 'cgroup_udp6_recvmsg'],
    ['cgroup/post_bind4', 'cgroup_sock', 'cgroup_inet4_post_bind'],
    ['cgroup/sock_release', 'cgroup_sock', 'cgroup_inet_sock_release'],
    ['cgroup/sysctl', 'cgroup_sysctl', 'cgroup_sysctl'],
    ['cgroup/dev', 'cgroup_device', 'cgroup_device'],
    ['cgroup_skb/egress', 'cgroup_skb', 'cgroup_inet_egress'],
    ['sockops', 'sock_ops', 'cgroup_sock_ops'],
    ['sk_skb/stream_verdict', 'sk_skb', 'sk_skb_stream_verdict'],
    ['sk_msg', 'sk_msg', 'sk_msg_verdict'],
    ['sk_lookup', 'sk_lookup', 'sk_lookup'],
    ['kprobe/do_unlinkat', 'kprobe', undefined],
    ['uretprobe/x', 'kprobe', undefined],
    ['tp/sched/sched_switch', 'tracepoint', undefined],
    ['raw_tp/x', 'raw_tracepoint', undefined],
    ['fentry/tcp_connect', 'tracing', 'trace_fentry'],
    ['iter/tcp', 'tracing', 'trace_iter'],
    ['tp_btf/x', 'tracing', 'trace_raw_tp'],
    ['lsm/file_open', 'lsm', 'lsm_mac'],
    ['freplace/f', 'ext', undefined],
    ['lwt_xmit', 'lwt_xmit', undefined],
    ['perf_event', 'perf_event', undefined],
    ['flow_dissector', 'flow_dissector', 'flow_dissector'],
    ['syscall', 'syscall', undefined],
    ['netfilter', 'netfilter', 'netfilter'],
    ['struct_ops/x', 'struct_ops', undefined],
    ['?tc', 'sched_cls', undefined],
    ['from-sock4', 'cgroup_sock_addr', 'cgroup_inet4_connect'],
    ['post_bind6', 'cgroup_sock', 'cgroup_inet6_post_bind'],
    ['something', 'unspec', undefined],
    ['tcp', 'unspec', undefined],
  ])('%s is %s', (section, type, attachType) => {
    const spec = load({ sections: [{ name: section, flags: EXECUTABLE, data: PASS }] });
    expect(spec.programs[0]).toMatchObject({ type, frags: section === 'xdp.frags' });
    expect(spec.programs[0]!.attachType).toBe(attachType);
  });

  it('tells tc and XDP apart in from-netdev by helpers and context fields', () => {
    expect(typeOf('from-netdev', code(copy(6, 1), helper(44), exit()))).toBe('xdp');
    expect(typeOf('from-netdev', code(copy(6, 1), helper(39), exit()))).toBe('sched_cls');
    expect(typeOf('from-netdev', code(copy(6, 1), helper(5), load32(1, 6, 0), load32(2, 6, 4), exit()))).toBe('xdp');
    expect(
      typeOf('from-netdev', code(copy(6, 1), helper(5), load32(1, 6, 76), load32(2, 6, 80), load32(3, 6, 0), exit())),
    ).toBe('sched_cls');
    expect(typeOf('from-netdev')).toBe('sched_cls');
    expect(typeOf('from-netdev', PASS, 'bpf_xdp.o')).toBe('xdp');
  });

  it('gives numbered sections the type of the other programs', () => {
    const spec = load({
      sections: [
        { name: '2/1', flags: EXECUTABLE, data: PASS },
        { name: 'xdp', flags: EXECUTABLE, data: PASS },
      ],
    });
    expect(spec.programs.map((program) => program.type)).toEqual(['xdp', 'xdp']);
  });

  it('gives an unknown section the type that all other programs share', () => {
    const types = (...names: string[]): string[] =>
      load({ sections: names.map((name) => ({ name, flags: EXECUTABLE, data: PASS })) }).programs.map(
        (program) => program.type,
      );
    expect(types('mock', 'tc/entry', 'tc/tail')).toEqual(['sched_cls', 'sched_cls', 'sched_cls']);
    expect(types('mock', 'tc', 'xdp')).toEqual(['unspec', 'sched_cls', 'xdp']);
  });

  it('applies the wanted type where the section says none', () => {
    const spec = load(
      {
        sections: [
          { name: 'mine', flags: EXECUTABLE, data: PASS },
          { name: 'tc', flags: EXECUTABLE, data: PASS },
        ],
      },
      { programType: 'xdp' },
    );
    expect(spec.programs.map((program) => program.type)).toEqual(['xdp', 'sched_cls']);
  });
});

describe('legacy maps', () => {
  const PROGRAM = { name: 'tc', flags: EXECUTABLE, data: code(load64(1), load64(2), exit()) };

  function legacy(names: readonly string[], stride: number, data: Uint8Array, more: Partial<ElfImage> = {}): ElfImage {
    return {
      ...more,
      sections: [PROGRAM, { name: 'maps', flags: WRITABLE, data }, ...(more.sections ?? [])],
      symbols: [
        ...names.map((name, index) => ({ name, section: 'maps', value: index * stride })),
        ...(more.symbols ?? []),
      ],
    };
  }

  it('reads 36-byte definitions with inner maps by id and numbered tail calls', () => {
    const data = words(3, 4, 4, 8, 0, 2, 2, 0, 0, 13, 2, 4, 100, 1, 0, 2, 3, 0, 2, 4, 8, 1, 0, 3, 2, 0, 0xffff_ffff);
    const image = legacy(['calls', 'outer', 'inner'], 36, data, {
      sections: [
        { name: '2/7', flags: EXECUTABLE, data: PASS },
        { name: '2/0x0a', flags: EXECUTABLE, data: PASS },
        { name: '9/1', flags: EXECUTABLE, data: PASS },
      ],
      relocations: [
        { section: 'tc', offset: 0, type: 1, symbol: 'calls' },
        { section: 'tc', offset: 16, type: 1, symbol: 'outer' },
      ],
    });
    const spec = load(image);
    expect(spec.maps).toMatchObject([
      {
        name: 'calls',
        type: 3,
        keySize: 4,
        valueSize: 4,
        maxEntries: 8,
        legacyId: 2,
        pinning: 2,
        origin: 'legacy',
        template: false,
      },
      { name: 'outer', type: 13, keySize: 2, flags: 1, inner: { name: 'inner', valueSize: 8 }, template: false },
      { name: 'inner', type: 2, legacyId: 3, template: true },
    ]);
    expect(spec.functions[0]!.relocations).toEqual([
      { instruction: 0, kind: 'map', map: 'calls' },
      { instruction: 2, kind: 'map', map: 'outer' },
    ]);
    expect(spec.programs.map(({ section, slots }) => [section, slots])).toEqual([
      ['tc', []],
      ['2/7', [{ map: 'calls', slot: 7 }]],
      ['2/0x0a', [{ map: 'calls', slot: 10 }]],
      ['9/1', []],
    ]);
  });

  it('reads 28-byte definitions of iproute2 with ids and of the kernel samples with inner map indices', () => {
    const old = load(legacy(['calls', 'hash'], 28, words(3, 4, 4, 8, 0, 1, 2, 1, 8, 16, 100, 1, 0, 2)));
    expect(old.maps).toMatchObject([
      { legacyId: 1, pinning: 2, inner: undefined },
      { keySize: 8, valueSize: 16, flags: 1, legacyId: 0, pinning: 2 },
    ]);
    const samples = load(legacy(['lru', 'array'], 28, words(9, 4, 8, 100, 4, 0, 1, 12, 4, 0, 1024, 0, 0, 0)));
    expect(samples.maps).toMatchObject([
      { name: 'lru', pinning: 0 },
      { name: 'array', valueSize: 4, inner: { name: 'lru', flags: 4 } },
    ]);
  });

  it('reads the short definition of libbpf', () => {
    expect(load(legacy(['a', 'b'], 20, words(1, 4, 8, 16, 1, 2, 4, 8, 32, 0))).maps).toMatchObject([
      { maxEntries: 16, flags: 1 },
      { name: 'b', type: 2, maxEntries: 32, flags: 0 },
    ]);
  });

  it.each([
    [
      'an uneven section',
      legacy(['a', 'b', 'c'], 16, words(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)),
      /40 bytes hold 3 map symbols/,
    ],
    [
      'definitions at odd places',
      legacy(['a', 'b'], 24, new Uint8Array(72).fill(1), { symbols: [{ name: 'c', section: 'maps', value: 25 }] }),
      /lies at 25, expected 48/,
    ],
    ['a missing inner map', legacy(['a'], 36, words(13, 4, 4, 1, 0, 0, 0, 7, 0)), /inner map has id 7/],
    ['a missing inner index', legacy(['a'], 28, words(12, 4, 4, 1, 0, 5, 0)), /definition 5 of 1/],
  ] as [string, ElfImage, RegExp][])('refuses %s', (_, image, reason) => {
    expect(failure(image).reason).toMatch(reason);
  });

  it('refuses a reference between definitions', () => {
    const error = failure({
      sections: [
        { name: 'tc', flags: EXECUTABLE, data: code(load64(2, 8), exit()) },
        { name: 'maps', flags: WRITABLE, data: words(1, 4, 4, 1, 0) },
      ],
      symbols: [
        { name: '', section: 'maps', type: 'section' },
        { name: 'a', section: 'maps' },
      ],
      relocations: [{ section: 'tc', offset: 0, type: 1, symbol: 0 }],
    });
    expect(error.reason).toBe('no map is defined at byte 8 of section maps');
  });
});

describe('BTF maps', () => {
  it('reads attributes, defaults and inner definitions', () => {
    const btf = new BtfImage();
    const u32 = btf.int('unsigned int', 4);
    const key = btf.typedef('key_t', btf.struct('key', { a: u32, b: u32 }));
    const inner = btf.struct('', {
      type: btf.number(1),
      key: btf.pointer(u32),
      value: btf.pointer(key),
      max_entries: btf.number(9),
    });
    btf.datasec('.maps', [
      btf.map('hash', {
        type: btf.number(1),
        key: btf.pointer(key),
        value: btf.pointer(u32),
        max_entries: btf.number(100),
        map_flags: btf.number(129),
        pinning: btf.number(16),
        map_extra: btf.number(3),
      }),
      btf.map('calls', { type: btf.number(3), key_size: btf.number(4), max_entries: btf.number(49) }),
      btf.map('events', { type: btf.number(4), key_size: btf.number(4), value_size: btf.number(4) }),
      btf.map('outer', { type: btf.number(12), key: btf.pointer(u32), values: btf.array(btf.pointer(inner), 0) }),
    ]);
    const spec = load({
      sections: [{ name: '.maps', flags: WRITABLE, data: new Uint8Array(128) }, ...btfSections(btf)],
      symbols: ['hash', 'calls', 'events', 'outer'].map((name, index) => ({
        name,
        section: '.maps',
        value: index * 32,
        size: 32,
        type: 'object',
      })),
    });
    expect(spec.maps).toMatchObject([
      {
        name: 'hash',
        type: 1,
        keySize: 16,
        valueSize: 4,
        maxEntries: 100,
        flags: 129,
        pinning: 16,
        extra: 3n,
        keyTypeId: key,
        valueTypeId: u32,
        origin: 'btf',
      },
      { name: 'calls', type: 3, keySize: 4, valueSize: 4, maxEntries: 49 },
      { name: 'events', type: 4, maxEntries: 0 },
      {
        name: 'outer',
        type: 12,
        keySize: 4,
        valueSize: 4,
        inner: { name: 'outer.inner', type: 1, keySize: 4, valueSize: 16, maxEntries: 9 },
      },
      { name: 'outer.inner', template: true },
    ]);
  });

  it('reads static contents and decl tags', () => {
    const btf = new BtfImage();
    const u32 = btf.int('unsigned int', 4);
    const any = btf.array(btf.pointer(0), 0);
    const tail = btf.func('tail');
    btf.tag('tail:calls/26', tail);
    btf.tag('tail:missing/3', tail);
    btf.tag('other', tail);
    btf.functionAt('tc', 16, tail);
    btf.datasec('.maps', [
      btf.map('one', {
        type: btf.number(2),
        key: btf.pointer(u32),
        value: btf.pointer(u32),
        max_entries: btf.number(1),
      }),
      btf.map('calls', { type: btf.number(3), key_size: btf.number(4), max_entries: btf.number(30), values: any }),
      btf.map('outer', { type: btf.number(12), key_size: btf.number(4), max_entries: btf.number(4), values: any }),
    ]);
    const spec = load({
      sections: [
        { name: 'tc', flags: EXECUTABLE, data: code(move(0, 0), exit(), move(0, 1), exit()) },
        { name: '.maps', flags: WRITABLE, data: new Uint8Array(32 + 48 + 48) },
        ...btfSections(btf),
      ],
      symbols: [
        { name: 'entry', section: 'tc', size: 16, type: 'func' },
        { name: 'tail', section: 'tc', value: 16, size: 16, type: 'func', binding: 'local' },
        { name: 'one', section: '.maps', size: 32, type: 'object' },
        { name: 'calls', section: '.maps', value: 32, size: 48, type: 'object' },
        { name: 'outer', section: '.maps', value: 80, size: 48, type: 'object' },
      ],
      relocations: [
        { section: '.maps', offset: 32 + 24 + 16, type: 2, symbol: 'entry' },
        { section: '.maps', offset: 80 + 24 + 8, type: 2, symbol: 'one' },
      ],
    });
    expect(spec.programs.map(({ name, slots }) => [name, slots])).toEqual([
      ['entry', [{ map: 'calls', slot: 2 }]],
      ['tail', [{ map: 'calls', slot: 26 }]],
    ]);
    const [, calls, outer] = spec.maps;
    expect(calls!.values).toEqual([{ slot: 2, program: 'entry' }]);
    expect(outer!.values).toEqual([{ slot: 1, map: 'one' }]);
    expect(outer!.inner?.name).toBe('one');
  });

  it.each([
    ['an unknown attribute', { type: 1, colour: 1 }, /unknown attribute colour/],
    ['a map without type', { max_entries: 1 }, /has no type/],
  ] as [string, Record<string, number>, RegExp][])('refuses %s', (_, numbers, reason) => {
    const btf = new BtfImage();
    btf.datasec('.maps', [
      btf.map('m', Object.fromEntries(Object.entries(numbers).map(([name, count]) => [name, btf.number(count)]))),
    ]);
    const error = failure({
      sections: [{ name: '.maps', flags: WRITABLE, data: new Uint8Array(16) }, ...btfSections(btf)],
      symbols: [{ name: 'm', section: '.maps', size: 16, type: 'object' }],
    });
    expect(error.reason).toMatch(reason);
    expect(error.place).toMatchObject({ file: 'test.o', section: '.maps', map: 'm' });
  });

  it('asks for BTF where there is none', () => {
    const error = failure({
      sections: [{ name: '.maps', data: new Uint8Array(16) }],
      symbols: [{ name: 'm', section: '.maps', size: 16, type: 'object' }],
    });
    expect(error.message).toBe(
      'test.o, section .maps: the maps are defined by BTF types, but the object has none: compile with -g',
    );
  });
});

describe('data and configuration', () => {
  const users = (count: number, ...addends: number[]): Uint8Array =>
    code(...Array.from({ length: count }, (_, index) => load64(1, addends[index] ?? 0)), exit());

  it('makes maps of data sections and finds variables', () => {
    const spec = load({
      sections: [
        { name: 'tc', flags: EXECUTABLE, data: users(3, 0, 4, 0) },
        { name: '.data', flags: WRITABLE, data: Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0) },
        { name: '.bss', flags: WRITABLE, type: 8, size: 16 },
        { name: '.rodata', data: cString('text') },
        { name: 'custom', flags: WRITABLE, data: new Uint8Array(4) },
        { name: 'unused', flags: WRITABLE, data: new Uint8Array(4) },
      ],
      symbols: [
        { name: '', section: '.data', type: 'section', binding: 'local' },
        { name: 'first', section: '.data', size: 4, type: 'object' },
        { name: 'second', section: '.data', value: 4, size: 4, type: 'object', binding: 'local' },
        { name: 'zero', section: '.bss', value: 8, size: 8, type: 'object' },
        { name: 'mine', section: 'custom', size: 4, type: 'object' },
      ],
      relocations: [
        { section: 'tc', offset: 0, type: 1, symbol: 'first' },
        { section: 'tc', offset: 16, type: 1, symbol: 0 },
        { section: 'tc', offset: 32, type: 1, symbol: 'mine' },
      ],
    });
    expect(
      spec.maps.map(({ name, type, valueSize, maxEntries, readOnly, flags }) => [
        name,
        type,
        valueSize,
        maxEntries,
        readOnly,
        flags,
      ]),
    ).toEqual([
      ['.data', 2, 8, 1, false, 0],
      ['.bss', 2, 16, 1, false, 0],
      ['.rodata', 2, 5, 1, true, 0x80],
      ['custom', 2, 4, 1, false, 0],
    ]);
    expect([...spec.maps[1]!.data!]).toEqual(new Array(16).fill(0));
    expect(
      spec.variables.map(({ name, section, offset, size, isConfig }) => [name, section, offset, size, isConfig]),
    ).toEqual([
      ['first', '.data', 0, 4, false],
      ['second', '.data', 4, 4, false],
      ['zero', '.bss', 8, 8, false],
      ['mine', 'custom', 0, 4, false],
    ]);
    expect([...spec.variables[1]!.initial]).toEqual([2, 0, 0, 0]);
    expect(spec.functions[0]!.relocations).toEqual([
      { instruction: 0, kind: 'data', map: '.data', offset: 0 },
      { instruction: 2, kind: 'data', map: '.data', offset: 4 },
      { instruction: 4, kind: 'data', map: 'custom', offset: 0 },
    ]);
  });

  it('takes template constants of Cilium up to 1.14 as values, other globals beside them as pointers', () => {
    const spec = load({
      sections: [
        {
          name: 'tc',
          flags: EXECUTABLE,
          data: code(load64(1), load64(1), load64(1), load64(1), load32(2, 1, 0), exit()),
        },
        { name: '.data', flags: WRITABLE, data: words(0x10203040, 7) },
        { name: '.bss', flags: WRITABLE, type: 8, size: 4 },
      ],
      symbols: [
        { name: 'LXC_IPV4', section: '.data', size: 4, type: 'object' },
        { name: 'counter', section: '.data', value: 4, size: 4, type: 'object' },
        { name: 'HOST_IP_1', section: '.bss', size: 4, type: 'object' },
      ],
      relocations: [
        { section: 'tc', offset: 0, type: 1, symbol: 'LXC_IPV4' },
        { section: 'tc', offset: 16, type: 1, symbol: 'counter' },
        { section: 'tc', offset: 32, type: 1, symbol: 'HOST_IP_1' },
        // This one is loaded from: not the value of the constant, whatever its name.
        { section: 'tc', offset: 48, type: 1, symbol: 'LXC_IPV4' },
      ],
    });
    expect(spec.functions[0]!.relocations).toEqual([
      { instruction: 0, kind: 'constant', section: '.data', offset: 0, size: 4, variable: 'LXC_IPV4' },
      { instruction: 2, kind: 'data', map: '.data', offset: 4 },
      { instruction: 4, kind: 'constant', section: '.bss', offset: 0, size: 4, variable: 'HOST_IP_1' },
      { instruction: 6, kind: 'data', map: '.data', offset: 0 },
    ]);
    expect(spec.variables.map(({ name, isConfig }) => [name, isConfig])).toEqual([
      ['LXC_IPV4', true],
      ['counter', false],
      ['HOST_IP_1', true],
    ]);
  });

  it('takes local variables of .rodata.config (1.15, 1.16) as values, by offset from the section', () => {
    const spec = load({
      sections: [
        { name: 'tc', flags: EXECUTABLE, data: users(2, 0, 8) },
        { name: '.rodata.config', data: words(1, 2, 3, 4) },
      ],
      symbols: [
        { name: '', section: '.rodata.config', type: 'section', binding: 'local' },
        { name: '__config_LXC_ID', section: '.rodata.config', size: 2, type: 'object', binding: 'local' },
        { name: '__config_LXC_IP_1', section: '.rodata.config', value: 8, size: 8, type: 'object', binding: 'local' },
      ],
      relocations: [0, 16].map((offset) => ({ section: 'tc', offset, type: 1, symbol: 0 })),
    });
    expect(spec.functions[0]!.relocations).toEqual([
      { instruction: 0, kind: 'constant', section: '.rodata.config', offset: 0, size: 2, variable: '__config_LXC_ID' },
      {
        instruction: 2,
        kind: 'constant',
        section: '.rodata.config',
        offset: 8,
        size: 8,
        variable: '__config_LXC_IP_1',
      },
    ]);
  });

  it('takes global variables of .rodata.config (1.17 and later) as pointers, with types and tags', () => {
    const btf = new BtfImage();
    const u16 = btf.typedef('__u16', btf.int('unsigned short', 2));
    const variable = btf.variable('__config_endpoint_id', u16);
    btf.tag('kind:object', variable);
    btf.datasec('.rodata.config', [variable]);
    const spec = load({
      sections: [
        { name: 'tc', flags: EXECUTABLE, data: users(1) },
        { name: '.rodata.config', data: words(42) },
        ...btfSections(btf),
      ],
      symbols: [{ name: '__config_endpoint_id', section: '.rodata.config', size: 2, type: 'object' }],
      relocations: [{ section: 'tc', offset: 0, type: 1, symbol: '__config_endpoint_id' }],
    });
    expect(spec.functions[0]!.relocations).toEqual([
      { instruction: 0, kind: 'data', map: '.rodata.config', offset: 0 },
    ]);
    expect(spec.variables).toMatchObject([
      { label: 'endpoint_id', size: 2, typeId: u16, isConfig: true, tags: ['kind:object'] },
    ]);
    expect([...spec.variables[0]!.initial]).toEqual([42, 0]);
  });

  it.each([
    [
      'variables outside',
      [{ name: '.data', flags: WRITABLE, data: new Uint8Array(4) }],
      [{ name: 'v', section: '.data', value: 2, size: 4, type: 'object' }],
      /variable v ends at byte 6, its section has 4/,
    ],
    ['huge zero sections', [{ name: '.bss', flags: WRITABLE, type: 8, size: 2 ** 40 }], [], /take 1099511627776 bytes/],
  ] as [string, ElfImage['sections'], ElfImage['symbols'], RegExp][])('refuses %s', (_, sections, symbols, reason) => {
    expect(failure({ sections, symbols }).reason).toMatch(reason);
  });

  it('refuses relocations of instructions without a 64-bit immediate', () => {
    const error = failure({
      sections: [
        { name: 'tc', flags: EXECUTABLE, data: PASS },
        { name: '.data', flags: WRITABLE, data: new Uint8Array(4) },
      ],
      symbols: [{ name: 'v', section: '.data', size: 4, type: 'object' }],
      relocations: [{ section: 'tc', offset: 0, type: 1, symbol: 'v' }],
    });
    expect(error.reason).toMatch(/against v at opcode 0xb7/);
    expect(error.place).toMatchObject({ section: 'tc', program: 'tc', instruction: 0 });
  });
});

describe('malformed objects', () => {
  const btf = new BtfImage();
  const u32 = btf.int('unsigned int', 4);
  const main = btf.func('main');
  btf.functionAt('tc', 0, main);
  btf.lineAt('tc', 0, 'a.c', 1, 1, 'x');
  btf.datasec('.maps', [
    btf.map('m', { type: btf.number(2), key: btf.pointer(u32), value: btf.pointer(u32), max_entries: btf.number(1) }),
  ]);
  btf.datasec('.data', [btf.variable('v', u32)]);
  const bytes = writeElf({
    sections: [
      { name: 'tc', flags: EXECUTABLE, data: code(load64(1), load64(2), exit()) },
      { name: '.maps', flags: WRITABLE, data: new Uint8Array(32) },
      { name: '.data', flags: WRITABLE, data: words(1) },
      { name: 'license', data: cString('GPL') },
      ...btfSections(btf),
    ],
    symbols: [
      { name: 'main', section: 'tc', size: 40, type: 'func' },
      { name: 'm', section: '.maps', size: 32, type: 'object' },
      { name: 'v', section: '.data', size: 4, type: 'object' },
    ],
    relocations: [
      { section: 'tc', offset: 0, type: 1, symbol: 'm' },
      { section: 'tc', offset: 16, type: 1, symbol: 'v' },
    ],
  });

  /** Loads; anything but success and LoadError is a failure of the test. */
  function tryLoad(candidate: Uint8Array): boolean {
    try {
      loadObject(candidate, { name: 'bad.o' });
      return true;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      return false;
    }
  }

  it('loads untouched', () => {
    expect(tryLoad(bytes)).toBe(true);
  });

  it('gives LoadError for every truncation', () => {
    const loaded = Array.from({ length: bytes.length }, (_, length) => tryLoad(bytes.subarray(0, length)));
    expect(loaded.filter((success) => success)).toEqual([]);
  });

  it('survives every byte set to every extreme', () => {
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const copied = bytes.slice();
        copied[at] = value;
        if (!tryLoad(copied)) refused++;
      }
    }
    expect(refused).toBeGreaterThan(500);
  });
});
