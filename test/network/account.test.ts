import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { toJson } from '../../src/cli/format.js';
import { capturePcaps, captureTexts } from '../../src/network/account/captures.js';
import { packetChanges } from '../../src/network/account/changes.js';
import { explainPlace, findPlace } from '../../src/network/account/explain.js';
import { journeysOf } from '../../src/network/account/journeys.js';
import { accountJson } from '../../src/network/account/json.js';
import { accountSvg, escapeXml } from '../../src/network/account/svg.js';
import { accountText } from '../../src/network/account/text.js';
import { ProgramHook } from '../../src/network/program-hook.js';
import { readPcap } from '../../src/packet/pcap.js';
import { buildPacket } from '../../src/packet/words.js';
import { panorama } from './account-panorama.js';
import { type AccountWalk, type WalkOptions, walkToService } from './account-walk.js';
import { CURL } from './two-nodes.js';

const has = (tool: string): boolean => spawnSync(tool, ['--version']).error === undefined;
const TOOLS = { tcpdump: has('tcpdump'), xmllint: has('xmllint') };
for (const [tool, isThere] of Object.entries(TOOLS))
  if (!isThere) console.warn(`not checked with ${tool}: not installed`);

const textOf = (walk: AccountWalk, verbose = false): string[] => accountText(walk.record, { verbose });
/** The lines from the heading of a packet to the next empty one. */
function linesOf(lines: readonly string[], heading: string): string[] {
  const start = lines.findIndex((line) => line.startsWith(heading));
  return lines.slice(start, lines.indexOf('', start));
}
const squeezed = (line: string): string => line.trim().replace(/ {2,}/g, ' | ');

function inFile<T>(name: string, content: Uint8Array | string, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'account-'));
  try {
    writeFileSync(join(folder, name), content);
    return use(join(folder, name));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('a request to a Service, translated packet by packet', () => {
  const walk = walkToService();
  const lines = textOf(walk);

  test('every packet has a heading as tcpdump prints it', () => {
    const headings = lines.filter((line) => /^\d/.test(line));
    expect(headings).toHaveLength(CURL.length);
    expect(headings[0]).toBe(
      '1  IP 10.0.0.250.40418 > 172.16.16.87.80: Flags [S], seq 3978619682, win 64860, options [mss 1410,sackOK,TS val 2911480627 ecr 0,nop,wscale 7], length 0',
    );
  });

  test('hooks and the steps between them, one line each', () => {
    expect(linesOf(lines, '2  IP').slice(1).map(squeezed)).toEqual([
      'node2/nginx | send | by tcp socket of nginx',
      'node2/nginx | route | 10.0.0.250 (network): default via 10.0.1.172 dev eth0, table main',
      'node2/nginx | eth0 | neighbour | 10.0.1.172 is at fa:fb:bb:ab:82:72',
      'node2 | lxc493a9120593a | route | 10.0.0.250 (network): 10.0.0.0/24 via 192.168.1.15 dev eth0, table main',
      'node2 | lxc493a9120593a | forward | to eth0, ttl 64 -> 63',
      'node2 | eth0 | neighbour | 192.168.1.15 is at 02:00:00:00:00:01',
      'node2 | eth0 | wire | vpc to node1 eth0 in 100 µs',
      'node1 | eth0 | route | 10.0.0.250 (network): 10.0.0.250/32 dev lxc7d69da958e9b, table main',
      'node1 | eth0 | forward | to lxc7d69da958e9b, ttl 63 -> 62',
      'node1 | lxc7d69da958e9b | neighbour | 10.0.0.250 is at b6:48:79:16:47:7a',
      'node1 | lxc7d69da958e9b | tc egress | TC_ACT_OK | cil_to_container: src 10.0.1.60:80 -> 172.16.16.87:80',
      'node1/network | eth0 | route | 10.0.0.250 (network): local 10.0.0.250/32 dev eth0, table local',
      'node1/network | eth0 | deliver | to tcp socket of curl',
    ]);
  });

  test('columns stand below each other', () => {
    const rows = lines.filter((line) => line.startsWith('    node'));
    expect(new Set(rows.map((row) => row.search(/send|route|neighbour|tc |forward|wire|deliver/))).size).toBe(1);
  });

  test('verbose: notes in words, maps and events', () => {
    const verbose = textOf(walk, true);
    const first = linesOf(verbose, '1  IP').map((line) => line.trim());
    expect(first).toContain('Service 172.16.16.87:80 (nginx Service) -> backend 10.0.1.60:80 (nginx), new connection');
    expect(first).toContain('conntrack: new entry, outgoing');
    expect(first).toContain(
      'ipcache: 10.0.1.60 (nginx) has identity 1002 (nginx), behind the tunnel endpoint 192.168.1.13',
    );
    expect(first).toContain('policy verdict: allowed (L3+L4), egress to identity 1002 (nginx), TCP port 80');
    expect(first).toContain('identity 1001 (network) -> 1002 (nginx)');
    expect(first.filter((line) => line.startsWith('read '))).toHaveLength(6);
    expect(first.find((line) => line.startsWith('made cilium_ct4_global'))).toContain('.rev_nat_index = 7');
    expect(first.find((line) => line.startsWith('event trace TO_STACK'))).toBeDefined();
    expect(linesOf(verbose, '2  IP').join('\n')).toContain(
      'reverse translation: 10.0.1.60:80 (nginx) -> 172.16.16.87:80 (nginx Service)',
    );
    expect(linesOf(verbose, '3  IP').join('\n')).toContain('backend 10.0.1.60:80 (nginx), known connection');
    expect(verbose.filter((line) => line.startsWith('-  ARP')).length).toBeGreaterThan(0);
  });

  test('the end of the flow, and styles around pieces of text', () => {
    expect(lines.at(-1)).toBe('curl: complete, 10 of 10 packets arrived');
    const styled = accountText(walk.record, { style: (tone, text) => (tone === 'good' ? `<${text}>` : text) });
    expect(styled.at(-1)).toBe('curl: <complete>, 10 of 10 packets arrived');
    expect(styled.filter((line) => line.includes('<to tcp socket of nginx>'))).toHaveLength(6);
  });

  test('JSON: packets, steps, maps and events', () => {
    const json = JSON.parse(toJson(accountJson(walk.record)));
    expect(Object.keys(json)).toEqual(['title', 'description', 'calls', 'packets', 'flows']);
    const [first] = json.packets;
    expect(first).toMatchObject({ number: 1, packet: 1, end: 'delivered', resolution: false });
    const hook = first.steps.find((step: { kind: string }) => step.kind === 'hook');
    expect(hook).toMatchObject({
      ...{ host: 'node1', device: 'lxc7d69da958e9b', hook: 'tc ingress', direction: 'ingress' },
      ...{ program: 'cil_from_container', tailCalls: ['tail_handle_ipv4'], verdict: 'TC_ACT_OK' },
      changes: ['dst 172.16.16.87:80 -> 10.0.1.60:80'],
    });
    expect(hook.accesses).toContainEqual({
      ...{ map: 'cilium_ipcache', operation: 'lookup', key: '10.0.1.60', error: null },
      value: { sec_label: 1002, tunnel_endpoint: '192.168.1.13' },
    });
    expect(hook.maps.map(({ map }: { map: string }) => map)).toEqual(
      expect.arrayContaining(['cilium_ct4_global', 'cilium_policy']),
    );
    expect(hook.events.map(({ type }: { type: string }) => type)).toEqual(['policy-verdict', 'trace']);
    expect(hook.before.bytes).toMatch(/^[0-9a-f]+$/);
    expect(hook.time).toMatch(/^\d+$/);
    expect(json.flows).toEqual([
      { name: 'curl', completed: true, sent: 10, arrived: 10, error: null, expected: null, asExpected: null },
    ]);
  });

  test('a pcap file for each device', () => {
    const pcaps = capturePcaps(walk.network);
    expect([...pcaps.keys()]).toEqual([
      'node1-eth0.pcap',
      'node1-lxc7d69da958e9b.pcap',
      'node1-network-eth0.pcap',
      'node2-eth0.pcap',
      'node2-lxc493a9120593a.pcap',
      'node2-nginx-eth0.pcap',
    ]);
    for (const [name, bytes] of pcaps) {
      const { packets, linkType } = readPcap(bytes);
      expect(linkType, name).toBe(1);
      expect(packets, name).toHaveLength(12);
    }
  });

  test.skipIf(!TOOLS.tcpdump)('tcpdump prints what captureTexts says', () => {
    const texts = captureTexts(walk.network);
    for (const [name, bytes] of capturePcaps(walk.network)) {
      const printed = inFile(name, bytes, (path) =>
        execFileSync('tcpdump', ['-n', '-t', '-r', path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
      );
      expect(printed.trimEnd().split('\n'), name).toEqual(texts.get(name.replace('.pcap', '')));
    }
  });

  test('explain: filters, tail calls, rules, routes, neighbours, maps', () => {
    const text = explainPlace(findPlace(walk.network, 'node1/lxc7d69da958e9b')).join('\n');
    expect(text).toContain('# tc filter show dev lxc7d69da958e9b ingress\n');
    expect(text).toContain('program cil_from_container, section tc, sched_cls');
    expect(text).toContain('    7 -> tail_handle_ipv4');
    expect(text).toContain('# ip rule\n0:\tfrom all lookup local');
    expect(text).toContain('10.0.1.0/24 via 192.168.1.13 dev eth0');
    expect(text).toContain('192.168.1.13 dev eth0 lladdr 02:00:00:00:00:02 REACHABLE');
    expect(text).toContain(
      'map cilium_lb4_reverse_nat, 1 of 64 elements\n  7 = { .address = 172.16.16.87, .port = 80 }',
    );
    const pod = explainPlace(findPlace(walk.network, 'node2/nginx')).join('\n');
    expect(pod).toContain('default via 10.0.1.172 dev eth0');
    expect(pod).not.toContain('map ');
    const short = explainPlace(findPlace(walk.network, 'node1'), { elements: 1 });
    expect(short).toContain('  and 1 more');
  });

  test.each([
    ['node3', /no host is named 'node3' \(did you mean node1\?\)/],
    ['node1/eth9', /no device of node1 is named 'eth9'.*there are: lo, eth0, lxc7d69da958e9b/],
    ['node1/pod/eth0', /no namespace of node1 is named 'pod'/],
    ['node1/network/eth0/x', /HOST\/NAMESPACE\/DEVICE/],
  ])('no place is named %s', (text, message) => {
    expect(() => findPlace(walk.network, text)).toThrow(message);
  });
});

test('a Service translated at connect()', () => {
  const lines = textOf(walkToService({ socketLB: true }), true);
  expect(linesOf(lines, '-  connect4(172.16.16.87:80, nginx Service)').map(squeezed).slice(0, 3)).toEqual([
    '- | connect4(172.16.16.87:80, nginx Service)',
    'node1/network | connect4 | ALLOW | cil_sock4_connect: 172.16.16.87:80 -> 10.0.1.60:80',
    'Service 172.16.16.87:80 (nginx Service) -> backend 10.0.1.60:80 (nginx)',
  ]);
  expect(lines.find((line) => line.startsWith('1  IP'))).toContain('10.0.0.250.40418 > 10.0.1.60.80');
});

describe('what ends a packet', () => {
  const dropped: [name: string, options: WalkOptions, first: RegExp, cause: string, help: RegExp][] = [
    [
      'no policy entry',
      { prepare: ({ object }) => object.map('cilium_policy').clear() },
      /^POLICY \(133\) by cil_from_container > tail_handle_ipv4, bpf_lxc\.c:\d+$/,
      'cilium_policy has no entry for { .sec_label = 1002, .dport = 80, .protocol = 6, .egress = 1 }',
      /No policy entry allows/,
    ],
    [
      'a policy entry that denies',
      {
        prepare: ({ object }) =>
          object.map('cilium_policy').set({ sec_label: 1002, dport: 80, protocol: 6, egress: 1 }, { deny: 1 }),
      },
      /^POLICY \(133\)/,
      'denied by cilium_policy[{ .sec_label = 1002, .dport = 80, .protocol = 6, .egress = 1 }] = { .proxy_port = 0, .deny = 1, .packets = 0, .bytes = 0 }',
      /cilium_policy/,
    ],
    [
      'a Service without backend',
      { prepare: ({ object }) => object.map('cilium_lb4_backends_v2').clear() },
      /^NO_SERVICE \(158\)/,
      'cilium_lb4_backends_v2 has no entry for 5',
      /backend/,
    ],
    [
      'an empty tail-call slot',
      { prepare: ({ object }) => object.map('cilium_calls').delete(7) },
      /^MISSED_TAIL_CALL \(140\) by cil_from_container, bpf_lxc\.c:\d+$/,
      'slot 7 of cilium_calls is empty',
      /The slot is 7/,
    ],
    [
      'a full connection tracking map',
      {
        prepare: ({ object }) => {
          for (let port = 1; port <= 4; port++)
            object
              .map('cilium_ct4_global')
              .set({ daddr: 0, saddr: 0, dport: port, sport: 0, nexthdr: 6, flags: 0 }, {});
        },
      },
      /^CT_CREATE_FAILED \(155\)/,
      'update of cilium_ct4_global[{ .daddr = 10.0.1.60, .saddr = 10.0.0.250, .dport = 80, .sport = 40418, .nexthdr = 6, .flags = 0 }] was refused: E2BIG',
      /cilium_ct map is full/,
    ],
    [
      'a program that faults',
      {
        prepare: ({ node1, object }) => node1.eth0.attach('xdp', new ProgramHook(object.program('broken'))),
      },
      /^program fault by broken, \.\/account-hooks\.c:\d+$/,
      'broken: out-of-bounds read of 1 byte at packet',
      /source line/,
    ],
    [
      'no route',
      { prepare: ({ node1 }) => void node1.host.root.routing.removeRule(4, 32766) },
      /^no route$/,
      'no route to 10.0.1.60',
      /ip rule/,
    ],
  ];

  test.each(dropped)('%s', (_, options, first, cause, help) => {
    const walk = walkToService(options);
    const lines = textOf(walk);
    // Where ARP is dropped as well, the packet that waits for it comes first.
    const at = lines.findIndex((line) => / drop {2,}/.test(line) && first.test(squeezed(line).split(' | ').at(-1)!));
    expect(at).toBeGreaterThan(0);
    const below = lines.slice(at + 1, lines.indexOf('', at));
    expect(below.join('\n')).toContain(cause);
    expect(below.join('\n')).toMatch(help);
    expect(lines.at(-1)).toMatch(/^curl: not complete/);
    const json = accountJson(walk.record) as { packets: { steps: Record<string, unknown>[] }[] };
    const drops = json.packets.flatMap(({ steps }) => steps).filter(({ kind }) => kind === 'drop');
    expect(drops.map(({ explanation }) => explanation)).toContainEqual(expect.stringMatching(help));
  });
});

describe('panorama', () => {
  const pictures: [name: string, svg: () => string][] = [
    ['two nodes, programs', () => accountSvg(walkToService().record)],
    ['two nodes of one Pod, VXLAN', () => accountSvg(panorama(2, 1))],
    ['two Pods of one node', () => accountSvg(panorama(2, 2, { localPeer: true }))],
    ['three nodes of three Pods', () => accountSvg(panorama(3, 3))],
    ['a packet that ends', () => accountSvg(panorama(2, 1, { tunnelTo: '192.168.1.99' }))],
    ['chosen packets', () => accountSvg(walkToService().record, { packets: [1, 4, 6] })],
  ];

  test.skipIf(!TOOLS.xmllint).each(pictures)('%s is well-formed XML', (_, svg) => {
    inFile('picture.svg', svg(), (path) => execFileSync('xmllint', ['--noout', path]));
  });

  test('shows nodes, Pods, devices, hooks, the ways and what happened', () => {
    const svg = accountSvg(panorama(2, 1));
    for (const part of [
      'node1',
      'node2',
      'Pod pod11',
      'cilium_vxlan',
      'cil_from_overlay',
      'wire underlay',
      'Request',
      'Reply',
    ])
      expect(svg).toContain(`>${part}</text>`);
    expect(svg.match(/marker-end="url\(#arrow0\)"/g)).toHaveLength(11);
    expect(svg.match(/marker-end="url\(#arrow1\)"/g)).toHaveLength(11);
    expect(svg).not.toContain('<script');
  });

  test('no two boxes overlap, and no two arrows share a stretch', () => {
    const svg = accountSvg(panorama(3, 3));
    const boxes = [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="236" height="([\d.]+)"/g)].map((match) =>
      match.slice(1).map(Number),
    );
    expect(boxes.length).toBe(30);
    for (const [i, [x, y, height]] of boxes.entries())
      for (const [otherX, otherY, otherHeight] of boxes.slice(i + 1))
        expect(Math.abs(x! - otherX!) >= 236 || y! + height! <= otherY! || otherY! + otherHeight! <= y!).toBe(true);
    const stretches = [...svg.matchAll(/<path d="(M[^"]+)" fill="none"/g)].flatMap(([, path]) => {
      const points = path!
        .split(/[ML]/)
        .slice(1)
        .map((point) => point.split(' ').map(Number));
      return points.slice(1).map((point, i) => [...points[i]!, ...point] as [number, number, number, number]);
    });
    const isWithin = (a: number, b: number, c: number, d: number): boolean =>
      Math.min(Math.max(a, b), Math.max(c, d)) - Math.max(Math.min(a, b), Math.min(c, d)) > 1;
    for (const [i, [x1, y1, x2, y2]] of stretches.entries())
      for (const [ox1, oy1, ox2, oy2] of stretches.slice(i + 1)) {
        if (x1 === x2 && ox1 === ox2 && x1 === ox1) expect(isWithin(y1, y2, oy1, oy2)).toBe(false);
        if (y1 === y2 && oy1 === oy2 && y1 === oy1) expect(isWithin(x1, x2, ox1, ox2)).toBe(false);
      }
  });

  test('a cross where a packet ended, and the reason in words', () => {
    const svg = accountSvg(walkToService({ prepare: ({ object }) => object.map('cilium_policy').clear() }).record);
    expect(svg.match(/stroke="#c81e1e" stroke-width="5"/g)).toHaveLength(1);
    expect(svg).toContain('POLICY (133)');
    expect(svg).not.toContain('>Reply</text>');
  });

  test('whatever text comes in, XML comes out', () => {
    expect(escapeXml('a<b>&"c"\u0000\ud800')).toBe('a&lt;b&gt;&amp;&quot;c&quot;\ufffd\ufffd');
    const { record } = walkToService();
    const svg = accountSvg({ ...record, title: '<script>&\u0001' });
    expect(svg).toContain('&lt;script&gt;&amp;\ufffd');
    if (TOOLS.xmllint) inFile('picture.svg', svg, (path) => execFileSync('xmllint', ['--noout', path]));
  });
});

describe('changes in few words', () => {
  const before = buildPacket('tcp 10.0.0.1:1000 > 10.0.0.2:80 syn ttl=64');
  test.each([
    ['nothing', 'tcp 10.0.0.1:1000 > 10.0.0.2:80 syn ttl=64', []],
    [
      'both ends and the TTL',
      'tcp 10.0.0.9:2000 > 10.0.0.8:81 syn ttl=63',
      ['src 10.0.0.1:1000 -> 10.0.0.9:2000', 'dst 10.0.0.2:80 -> 10.0.0.8:81', 'ttl 64 -> 63'],
    ],
    ['another flag', 'tcp 10.0.0.1:1000 > 10.0.0.2:80 ack ttl=64', [expect.stringMatching(/^tcp\.flags /)]],
  ])('%s', (_, after, expected) => {
    expect(packetChanges(before, buildPacket(after))).toEqual(expected);
  });

  test('a checksum that was not brought up to date', () => {
    const after = before.slice();
    after[22] = 63;
    expect(packetChanges(before, after)).toEqual(['ttl 64 -> 63', 'ipv4 checksum wrong']);
  });
});

test('journeys number the packets of flows alone', () => {
  const items = journeysOf(walkToService().network.journal);
  const packets = items.filter((item) => item.kind === 'packet');
  expect(packets.filter(({ number }) => number > 0).map(({ number }) => number)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
  ]);
  expect(packets.filter(({ isResolution }) => isResolution).every(({ line }) => line.startsWith('ARP'))).toBe(true);
});
