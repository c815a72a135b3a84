import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEvent, decodeSignal } from '../../src/cilium/events/decode.js';
import type { CiliumEvent, DropEvent } from '../../src/cilium/events/event.js';
import { explainDrop, formatEvent, sourceText } from '../../src/cilium/events/format.js';
import { decodeRunEvent } from '../../src/cilium/events/run-event.js';
import { buildPacket } from '../../src/packet/words.js';

/** A field of a hand-made event: offset, size in bytes, value (little-endian). */
type Field = readonly [offset: number, size: number, value: number | bigint];

function eventBytes(size: number, ...fields: Field[]): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const [offset, width, value] of fields) {
    for (let i = 0; i < width; i++) bytes[offset + i] = Number((BigInt(value) >> BigInt(8 * i)) & 0xffn);
  }
  return bytes;
}

const packet = buildPacket('tcp 10.0.0.1:1000 > 10.0.0.2:80 syn');
const SYN = 'IP 10.0.0.1.1000 > 10.0.0.2.80: Flags [S], seq 0, win 64240, length 0';

/** Common and capture header: type, subtype, endpoint 42, hash, lengths, version. */
function captureHeader(type: number, subtype: number, version: number): Field[] {
  return [
    [0, 1, type],
    [1, 1, subtype],
    [2, 2, 42],
    [4, 4, 0xcafe],
    [8, 4, 54],
    [12, 2, 54],
    [14, 1, version],
  ];
}

function dropBytes(size: number, version: number, reason = 133, extended = 0): Uint8Array {
  const identities: Field[] = [
    [16, 4, 1234],
    [20, 4, 5678],
    [24, 4, 43],
  ];
  const source: Field[] = [
    [28, 2, 1263],
    [30, 1, 2],
    [31, 1, extended],
    [32, 4, 20],
  ];
  const classifiers: Field[] = [[36, 1, 0b0100]];
  const traceId: Field[] = [[40, 8, 0x1_0000_0001n]];
  return eventBytes(
    size,
    ...captureHeader(1, reason, version),
    ...identities,
    ...(size >= 36 ? source : []),
    ...(size >= 40 ? classifiers : []),
    ...(size >= 48 ? traceId : []),
  );
}

function drop(bytes: Uint8Array, era?: number): DropEvent {
  const event = decodeEvent(bytes, packet, era);
  if (event.type !== 'drop') throw new Error(`decoded as ${formatEvent(event)}`);
  return event;
}

describe('drop', () => {
  const identities = { sourceIdentity: 1234, destinationIdentity: 5678, destinationEndpoint: 43 };
  const header = {
    endpoint: 42,
    hash: 0xcafe,
    originalLength: 54,
    capturedLength: 54,
    extensionVersion: 0,
    packet,
  };
  const source = { line: 1263, fileId: 2, files: ['bpf_lxc.c'], extendedError: 0, ifindex: 20 };
  const classifiers = { ipv6: false, l3Device: false, vxlan: true, geneve: false };
  const name = { type: 'drop', reason: 133, reasonName: 'POLICY' };

  test.each([
    ['1.12', 32, 1, {}],
    ['1.13 to 1.17', 36, 1, source],
    ['1.18', 40, 2, { ...source, classifiers }],
    ['1.19 and 1.20', 48, 3, { ...source, classifiers, ipTraceId: 0x1_0000_0001n }],
  ])('of %s', (_, size, version, more) => {
    expect(drop(dropBytes(size, version))).toEqual({ ...name, ...header, version, ...identities, ...more });
  });

  test('in words', () => {
    expect(formatEvent(drop(dropBytes(36, 1)))).toBe(
      `drop POLICY (133) identity 1234 -> 5678, endpoint 42, to endpoint 43, bpf_lxc.c:1263, ifindex 20: ${SYN}`,
    );
    expect(formatEvent(drop(dropBytes(48, 3)))).toContain('IP trace id 4294967297');
    expect(formatEvent(drop(dropBytes(36, 1, 131)))).toContain('drop 131 identity');
  });

  test('bytes behind the newest layout do not disturb', () => {
    const longer = new Uint8Array(64);
    longer.set(dropBytes(48, 3));
    expect(drop(longer)).toEqual(drop(dropBytes(48, 3)));
  });

  test('of a header names every file that the layout allows, one if the version is known', () => {
    const bytes = dropBytes(36, 1);
    bytes[30] = 103;
    expect(sourceText(drop(bytes))).toBe('egress_policies.h or srv6.h:1263');
    expect(sourceText(drop(bytes, 13))).toBe('egress_policies.h:1263');
    const recent = dropBytes(48, 3);
    recent[30] = 103;
    expect(sourceText(drop(recent))).toBe('icmp6.h:1263');
    recent[30] = 0;
    expect(sourceText(drop(recent))).toBe('file 0:1263');
    recent.fill(0, 28, 30);
    expect(sourceText(drop(recent))).toBeUndefined();
  });

  test('explains the extended error', () => {
    expect(explainDrop(drop(dropBytes(36, 1, 140, 29)), 13)).toMatch(
      /slot of the tail call is empty.*29 \(IPV4_CT_EGRESS\)/,
    );
    expect(explainDrop(drop(dropBytes(48, 3, 140, 30)), 20)).toContain('30 (IPV4_CT_EGRESS)');
    expect(explainDrop(drop(dropBytes(36, 1, 169, 7)))).toContain('returned 7 (no neighbour)');
    expect(explainDrop(drop(dropBytes(36, 1, 155, 256 - 28)))).toContain('extended error is -28');
    expect(explainDrop(drop(dropBytes(36, 1, 131)))).toContain('reason 131, which is not known');
  });

  test('on a device without Ethernet shows the IP packet', () => {
    const bytes = dropBytes(40, 2);
    bytes[36] = 0b0010;
    expect(formatEvent(decodeEvent(bytes, packet.subarray(14)))).toContain(SYN);
  });
});

describe('trace', () => {
  function traceBytes(size: number, version: number, point = 3, reason = 0x81): Uint8Array {
    const origin: Field[] = [[32, 4, 0x0100000a]];
    const traceId: Field[] = [[48, 8, 7]];
    return eventBytes(
      size,
      ...captureHeader(4, point, version),
      [16, 4, 1234],
      [20, 4, 2],
      [24, 2, 43],
      [26, 1, reason],
      [28, 4, 20],
      ...(size >= 48 ? origin : []),
      ...(size >= 56 ? traceId : []),
    );
  }

  test.each([
    ['version 0', 32, 0, undefined, undefined],
    ['1.12 to 1.18', 48, 1, '10.0.0.1', undefined],
    ['1.19 and 1.20', 56, 2, '10.0.0.1', 7n],
  ])('of %s', (_, size, version, originalSource, ipTraceId) => {
    const event = decodeEvent(traceBytes(size, version), packet);
    expect(event).toMatchObject({
      type: 'trace',
      pointName: 'TO_STACK',
      reason: 1,
      reasonName: 'established',
      encrypted: true,
      sourceIdentity: 1234,
      destinationIdentity: 2,
      destinationEndpoint: 43,
      ifindex: 20,
      version,
    });
    if (originalSource) expect(event).toMatchObject({ originalSource });
    if (ipTraceId) expect(event).toMatchObject({ ipTraceId });
    expect('originalSource' in event).toBe(size >= 48);
    expect('ipTraceId' in event).toBe(size >= 56);
  });

  test('of IPv6', () => {
    const bytes = traceBytes(48, 1);
    bytes[27] = 1;
    bytes.fill(0, 32, 48);
    bytes[32] = 0xfd;
    bytes[47] = 1;
    expect(decodeEvent(bytes)).toMatchObject({ originalSource: 'fd00::1', classifiers: { ipv6: true } });
  });

  test('in words', () => {
    expect(formatEvent(decodeEvent(traceBytes(48, 1), packet))).toBe(
      `trace TO_STACK (established, encrypted) identity 1234 -> world, endpoint 42, to endpoint 43, ifindex 20, original source 10.0.0.1: ${SYN}`,
    );
    expect(formatEvent(decodeEvent(traceBytes(48, 1, 1, 0)))).toContain('trace TO_PROXY (new)');
    expect(formatEvent(decodeEvent(traceBytes(48, 1, 1, 0)))).toContain('to proxy port 43');
    expect(formatEvent(decodeEvent(traceBytes(48, 1, 99, 0x55)))).toContain('trace 99 (85)');
  });
});

describe('policy verdict', () => {
  function verdictBytes(size: number, verdict: number, flags: number, cookie = 9): Uint8Array {
    return eventBytes(
      size,
      ...captureHeader(5, 0, 1),
      [16, 4, 5678],
      [20, 4, verdict],
      [24, 2, 80],
      [26, 1, 6],
      [27, 1, flags],
      [28, 1, 1],
      ...(size >= 40 ? ([[32, 4, cookie]] as Field[]) : []),
    );
  }

  const ingressL3L4 = 1 | (2 << 3);

  test('of 1.12 to 1.18 has no cookie, that of 1.19 has', () => {
    const old = decodeEvent(verdictBytes(32, 0, ingressL3L4), packet);
    expect(old).toMatchObject({
      type: 'policy-verdict',
      remoteIdentity: 5678,
      action: 'allowed',
      direction: 'ingress',
      destinationPort: 80,
      protocol: 6,
      match: 'L3+L4',
      audited: false,
      authType: 1,
    });
    expect(old).not.toHaveProperty('cookie');
    expect(decodeEvent(verdictBytes(40, 0, ingressL3L4), packet)).toMatchObject({ cookie: 9 });
  });

  test('in words', () => {
    const text = (verdict: number, flags: number): string =>
      formatEvent(decodeEvent(verdictBytes(40, verdict, flags), packet));
    expect(text(0, ingressL3L4)).toBe(
      `policy verdict allowed, ingress from identity 5678, endpoint 42, TCP port 80, match L3+L4, authentication type 1, cookie 9: ${SYN}`,
    );
    expect(text(-133, 2)).toContain('policy verdict denied, POLICY (133), egress to identity 5678');
    expect(text(0x1027, 2 | 0x40)).toContain('redirected to proxy port 10000');
    expect(text(0, 2 | 0x40)).toContain('audited');
  });

  test('of a device without Ethernet shows the IP packet', () => {
    expect(formatEvent(decodeEvent(verdictBytes(40, 0, 0x81), packet.subarray(14)))).toContain(SYN);
  });
});

describe('debug message', () => {
  function message(id: number, ...args: [number, number, number]): CiliumEvent {
    return decodeEvent(
      eventBytes(20, [0, 1, 2], [1, 1, id], [2, 2, 42], [8, 4, args[0]], [12, 4, args[1]], [16, 4, args[2]]),
    );
  }

  test.each([
    [2, [42, 1234, 0], 'delivering to local endpoint 42, from identity 1234'],
    [8, [60, 0x0500, 0], 'found connection, lifetime 60, reverse NAT index 5'],
    [15, [1, 0x0500, 0], 'connection look-up: ESTABLISHED, reverse NAT index 5'],
    [15, [-155, 0, 0], 'connection look-up: drop CT_CREATE_FAILED (155), reverse NAT index 0'],
    [30, [0x5710_10ac, 0x5000, 0], 'looking up service 172.16.16.87:80'],
    [33, [0x3c01_000a, 0x901f, 0], 'found backend 10.0.1.60:8080'],
    [37, [0x5710_10ac, 0x5000, 0], 'reverse NAT to 172.16.16.87:80'],
    [48, [0x0100_000a, 0x0200_000a, (80 << 16) | 1000], 'looking up connection 10.0.0.1:1000 -> 10.0.0.2:80'],
    [49, [(6 << 8) | 1, 1, 0], 'looking up connection: TCP, tuple flags in, ingress, scope 0'],
    [55, [1234, 5678, (0x5000 << 16) | 6], 'policy allows identity 1234 -> 5678, port 80, TCP; creating connection'],
    [57, [0x0100_0000, 0, 0], 'no identity is known for [...:0:1]'],
    [64, [2, 0, 0], 'packet not given to the socket: errno 2'],
    [200, [1, 2, 255], 'numbers 0x1 0x2 0xff'],
  ] as const)('%i of %j', (id, args, text) => {
    expect(message(id, ...(args as [number, number, number]))).toMatchObject({ type: 'debug', endpoint: 42, text });
  });

  test('in words', () => {
    expect(formatEvent(message(5, 1234, 2, 0))).toBe(
      'debug POLICY_DENIED, endpoint 42: policy denies identity 1234 -> world',
    );
  });
});

test('debug capture', () => {
  const bytes = eventBytes(24, ...captureHeader(3, 4, 1), [16, 4, 20], [20, 4, 5]);
  expect(decodeEvent(bytes, packet)).toMatchObject({ type: 'debug-capture', captureName: 'DELIVERY', args: [20, 5] });
  expect(formatEvent(decodeEvent(bytes, packet))).toBe(`capture DELIVERY, endpoint 42, delivery to ifindex 20: ${SYN}`);
  bytes[1] = 8;
  bytes.set([0x27, 0x10], 16);
  expect(formatEvent(decodeEvent(bytes))).toContain('before redirection to proxy port 10000');
});

test('recorder', () => {
  const bytes = eventBytes(24, [0, 1, 6], [1, 1, 1], [2, 2, 3], [8, 8, 0x1_0000_0000n], [16, 4, 54], [20, 4, 1500]);
  const event = decodeEvent(bytes, packet);
  expect(event).toEqual({
    type: 'recorder',
    rule: 3,
    timestamp: 0x1_0000_0000n,
    capturedLength: 54,
    originalLength: 1500,
    packet,
  });
  expect(formatEvent(event)).toBe(`recorder rule 3, 1500 bytes: ${SYN}`);
});

describe('socket trace', () => {
  const address = 0x5710_10ac;
  const old = eventBytes(
    38,
    [0, 1, 7],
    [1, 1, 1],
    [2, 4, address],
    [18, 2, 80],
    [20, 8, 5],
    [28, 8, 1n << 40n],
    [36, 1, 1],
  );
  const recent = eventBytes(
    40,
    [0, 1, 7],
    [1, 1, 1],
    [2, 1, 1],
    [4, 2, 80],
    [8, 8, 5],
    [16, 8, 1n << 40n],
    [24, 4, address],
  );

  test('of both layouts', () => {
    const event = {
      type: 'trace-sock',
      point: 1,
      pointName: 'PRE_FORWARD',
      address: '172.16.16.87',
      port: 80,
      protocol: 'TCP',
      cookie: 5n,
      cgroupId: 1n << 40n,
    };
    expect(decodeEvent(old)).toEqual(event);
    expect(decodeEvent(recent)).toEqual(event);
  });

  test('of IPv6, in words', () => {
    const bytes = recent.slice();
    bytes.set([4, 2, 3], 1);
    bytes.fill(0, 24);
    bytes.set([0xfd], 24);
    bytes.set([1], 39);
    bytes[3] = 1;
    expect(formatEvent(decodeEvent(bytes))).toBe(
      'socket POST_REVERSE [fd00::1]:80 UDP, cookie 5, cgroup 1099511627776',
    );
  });
});

describe('signal', () => {
  test('of a map that fills up', () => {
    expect(formatEvent(decodeSignal(eventBytes(8, [0, 4, 0])))).toBe('signal NAT_FILL_UP IPv4');
    expect(formatEvent(decodeSignal(eventBytes(8, [0, 4, 1], [4, 4, 1])))).toBe('signal CT_FILL_UP IPv6');
  });

  test('of a required authentication', () => {
    const bytes = eventBytes(16, [0, 4, 2], [4, 4, 1234], [8, 4, 5678], [12, 2, 3], [14, 1, 1]);
    expect(formatEvent(decodeSignal(bytes))).toBe(
      'signal AUTH_REQUIRED identity 1234 with 5678, node 3, authentication type 1',
    );
    expect(decodeSignal(bytes.subarray(0, 12))).toMatchObject({ type: 'unknown' });
  });

  test('that is unknown', () => {
    expect(formatEvent(decodeSignal(eventBytes(8, [0, 4, 9])))).toBe(
      'undecoded event, signal 9 is not known: 0900000000000000',
    );
  });
});

describe('bytes that are no event', () => {
  test.each([
    [new Uint8Array(0), 'no bytes'],
    [Uint8Array.of(77, 1), 'message type 77 is not known'],
    [eventBytes(130, [0, 1, 130]), 'comes from the agent, never from a program'],
    [dropBytes(36, 1).subarray(0, 10), '10 bytes instead of at least 16'],
    [dropBytes(36, 1).subarray(0, 31), '31 bytes instead of at least 32'],
    [dropBytes(36, 3), '36 bytes instead of at least 48'],
    [dropBytes(36, 9), 'version 9 of the event is not known'],
    [eventBytes(19, [0, 1, 2]), '19 bytes instead of at least 20'],
  ])('%#', (bytes, problem) => {
    expect(decodeEvent(bytes)).toMatchObject({ type: 'unknown', problem, bytes });
  });

  test('never throw, and have a text in one line', () => {
    const types = fc.constantFrom(...Array.from({ length: 12 }, (_, type) => type), 129, 130, 255);
    fc.assert(
      fc.property(
        types,
        fc.uint8Array({ maxLength: 72 }),
        fc.uint8Array({ maxLength: 128 }),
        (type, bytes, captured) => {
          const event = bytes.slice();
          if (event.length) event[0] = type;
          for (const decoded of [decodeEvent(event, captured), decodeEvent(event, captured, 13), decodeSignal(bytes)]) {
            expect(formatEvent(decoded)).not.toContain('\n');
            if (decoded.type === 'drop') expect(explainDrop(decoded, 20)).toMatch(/\.$/);
          }
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe('events of a run', () => {
  const perf = (map: string, data: Uint8Array) => ({ kind: 'perf' as const, map, cpu: 0, data, packet });

  test.each(['cilium_events', 'test_cilium_events', 'test_cilium_events_65535', 'test_events_map'])(
    'of map %s',
    (map) => {
      expect(decodeRunEvent(perf(map, dropBytes(36, 1)))).toMatchObject({ type: 'drop', reason: 133, packet });
    },
  );

  test('of the map of signals', () => {
    expect(decodeRunEvent(perf('test_cilium_signals', eventBytes(8)))).toMatchObject({ type: 'signal' });
  });

  test('of others are left alone', () => {
    expect(decodeRunEvent(perf('perf_output', dropBytes(36, 1)))).toBeUndefined();
    expect(decodeRunEvent({ kind: 'print', text: 'cilium_events' })).toBeUndefined();
  });
});
