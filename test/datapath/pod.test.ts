import { describe, expect, test } from 'vitest';
import type { LoadedObject, Outcome } from '../../src/machine/machine.js';
import { parseAddress, parseMac } from '../../src/packet/addresses.js';
import {
  address6,
  CLIENT,
  CLOCK_S,
  dropOf,
  ENCAP_IFINDEX,
  events,
  line,
  NODE2,
  Node,
  type Pod,
  type PolicyRule,
  ROUTER1,
  SERVER,
  wrong,
} from './node.js';

/** A second Pod on the client's node. */
const LOCAL: Pod = {
  name: 'local',
  address: '10.0.0.9',
  address6: 'fd00::9',
  id: 901,
  identity: 7003,
  ifindex: 22,
  mac: '02:00:00:00:00:09',
  hostMac: '02:00:00:00:09:09',
};

function podNode(
  config: Record<string, unknown> = {},
  policy?: { client?: PolicyRule[]; local?: PolicyRule[] },
): { node: Node; client: LoadedObject; local: LoadedObject } {
  const node = new Node({
    encap_ifindex: ENCAP_IFINDEX,
    router_ipv4: { addr: parseAddress(ROUTER1) },
    router_ipv6: address6('fd00::1'),
    enable_ipv6: true,
    ...config,
  });
  const client = node.pod(CLIENT, { policy: policy?.client });
  const local = node.pod(LOCAL, { policy: policy?.local });
  for (const pod of [CLIENT, LOCAL]) {
    node.identity(pod.address, pod.identity);
    node.identity(pod.address6!, pod.identity);
  }
  node.identity(SERVER.address, SERVER.identity, NODE2);
  node.identity(SERVER.address6!, SERVER.identity, NODE2);
  return { node, client, local };
}

const device = { ifindex: CLIENT.ifindex };
const send = (node: Node, object: LoadedObject, packet: string | Uint8Array): Outcome =>
  node.run(object, 'cil_from_container', packet, device);
const TO_SERVER = `tcp ${CLIENT.address}:1000 > ${SERVER.address}:80`;

describe.each([
  { name: 'IPv4', from: CLIENT.address, to: LOCAL.address },
  { name: 'IPv6', from: `[${CLIENT.address6}]`, to: `[${LOCAL.address6}]` },
])('Pod to Pod on one node, $name', ({ from, to }) => {
  const request = `tcp ${from}:1000 > ${to}:80 syn`;

  test('is delivered with one hop less and the MAC addresses of the device', () => {
    const { node, client } = podNode();
    const outcome = send(node, client, request);
    expect(outcome.redirect).toMatchObject({ kind: 'redirect', ifindex: LOCAL.ifindex });
    expect(outcome.packet!.subarray(0, 12)).toEqual(
      Uint8Array.from([...parseMac(LOCAL.mac), ...parseMac(LOCAL.hostMac)]),
    );
    expect(wrong(outcome.packet)).toEqual([]);
    const [egress, ingress] = events(outcome).filter((event) => event.type === 5);
    // Both policies were asked: destination's, then source's identity; direction 2, then 1.
    expect([egress!.data.getUint32(16, true), egress!.data.getUint8(27) & 3]).toEqual([LOCAL.identity, 2]);
    expect([ingress!.data.getUint32(16, true), ingress!.data.getUint8(27) & 3]).toEqual([CLIENT.identity, 1]);
  });

  test('host routing delivers past the device queue', () => {
    const { node, client } = podNode({ enable_host_routing: true });
    expect(send(node, client, request).redirect).toMatchObject({ kind: 'redirect_peer', ifindex: LOCAL.ifindex });
  });

  test('the receiver can deny; the answer to an allowed request needs no rule', () => {
    const { node, client, local } = podNode({}, { local: [] });
    expect(dropOf(send(node, client, request))).toEqual({
      reason: 133,
      source: CLIENT.identity,
      destination: LOCAL.identity,
      endpoint: LOCAL.id,
      file: 2,
    });
    node.policy(local, { direction: 'ingress', identity: CLIENT.identity, port: 80, protocol: 6 });
    expect(send(node, client, request).verdict).toBe('TC_ACT_REDIRECT');
    const answer = node.run(local, 'cil_from_container', `tcp ${to}:80 > ${from}:1000 syn ack`, {
      ifindex: LOCAL.ifindex,
    });
    expect(answer.redirect).toMatchObject({ ifindex: CLIENT.ifindex });
    expect(dropOf(node.run(local, 'cil_from_container', `tcp ${to}:2000 > ${from}:81 syn`))).toMatchObject({
      reason: 133,
    });
  });

  test('with endpoint routes the stack delivers, and the device has the policy', () => {
    const { node, client, local } = podNode({ enable_endpoint_routes: true, encap_ifindex: 0 });
    const outcome = send(node, client, request);
    expect(outcome.verdict).toBe('TC_ACT_OK');
    const mark = client.program('cil_from_container').decodeContext(outcome).mark;
    const arrived = node.run(local, 'cil_to_container', outcome.packet!, { mark });
    expect(arrived.verdict).toBe('TC_ACT_OK');
    expect(arrived.tailCalls).toHaveLength(2);
    const verdict = events(arrived).find((event) => event.type === 5)!;
    expect(verdict.data.getUint32(16, true)).toBe(CLIENT.identity);
  });
});

describe('policy look-up order', () => {
  // Match types: 1 L3, 2 L3 and L4, 3 L4, 4 all.
  test.each<[string, PolicyRule[], number, number]>([
    ['identity, protocol and port', [{ direction: 'egress', identity: SERVER.identity, port: 80, protocol: 6 }], 0, 2],
    ['protocol and port', [{ direction: 'egress', port: 80, protocol: 6 }], 0, 3],
    ['protocol', [{ direction: 'egress', protocol: 6 }], 0, 3],
    ['identity', [{ direction: 'egress', identity: SERVER.identity }], 0, 1],
    ['everything', [{ direction: 'egress' }], 0, 4],
    [
      'a denied port before an allowed identity',
      [
        { direction: 'egress', port: 80, protocol: 6, deny: true },
        { direction: 'egress', identity: SERVER.identity },
      ],
      -181,
      3,
    ],
    ['nothing', [{ direction: 'ingress' }], -133, 0],
  ])('%s', (_, rules, verdict, match) => {
    const { node, client } = podNode({}, { client: rules });
    const outcome = send(node, client, `${TO_SERVER} syn`);
    const event = events(outcome).find(({ type }) => type === 5)!;
    expect([event.data.getInt32(20, true), (event.data.getUint8(27) >> 3) & 7]).toEqual([verdict, match]);
    expect(event.data.getUint16(24, true)).toBe(80);
    expect(dropOf(outcome)?.reason).toBe(verdict < 0 ? -verdict : undefined);
    if (verdict === 0) {
      const [entry] = [...client.map('cilium_policy').entries()] as { value: { packets: bigint; bytes: bigint } }[];
      expect([entry!.value.packets, entry!.value.bytes]).toEqual([1n, BigInt(outcome.packet!.length)]);
    }
  });

  test('a rule with a proxy port sends the packet to the proxy', () => {
    const { node, client } = podNode({}, { client: [{ direction: 'egress', proxyPort: 15001 }] });
    // Only rules for a port can have a proxy.
    expect(send(node, client, `${TO_SERVER} syn`).redirect).toBeDefined();
    node.policy(client, { direction: 'egress', port: 80, protocol: 6, proxyPort: 15001 });
    const outcome = send(node, client, `tcp ${CLIENT.address}:1001 > ${SERVER.address}:80 syn`);
    expect(outcome.verdict).toBe('TC_ACT_OK');
    // 15001 is 0x3a99; the mark has it as it lies in memory.
    expect(client.program('cil_from_container').decodeContext(outcome).mark).toBe(0x993a0200);
  });

  test('rules for ICMP types', () => {
    const { node, client } = podNode(
      { enable_icmp_rule: true },
      { client: [{ direction: 'egress', port: 8, protocol: 1 }] },
    );
    expect(send(node, client, `icmp ${CLIENT.address} > ${SERVER.address} echo id=1`).redirect).toBeDefined();
    expect(dropOf(send(node, client, `icmp ${CLIENT.address} > ${SERVER.address} type=13`))).toMatchObject({
      reason: 133,
    });
  });

  test('Pods cannot send packets of the tunnel', () => {
    const { node, client } = podNode();
    expect(dropOf(send(node, client, `udp ${CLIENT.address}:1 > ${SERVER.address}:8472`))).toMatchObject({
      reason: 170,
    });
  });
});

describe('conntrack', () => {
  const entryOf = (node: Node, map = 'cilium_ct4_global'): Record<string, unknown> =>
    ([...node.map(map).entries()][0] as { value: Record<string, unknown> }).value;

  test('lifetimes, counters and flags of a connection', () => {
    const { node, client } = podNode();
    const syn = send(node, client, `${TO_SERVER} syn`);
    expect(entryOf(node)).toMatchObject({ lifetime: CLOCK_S + 60, seen_non_syn: 0, tx_flags_seen: 2, tx_packets: 1n });
    const ack = send(node, client, `${TO_SERVER} ack`);
    expect(entryOf(node)).toMatchObject({
      lifetime: CLOCK_S + 21600,
      seen_non_syn: 1,
      tx_flags_seen: 0x12,
      tx_packets: 2n,
      tx_bytes: BigInt(syn.packet!.length + ack.packet!.length),
    });
    send(node, client, `${TO_SERVER} fin ack`);
    expect(entryOf(node)).toMatchObject({ tx_closing: 1, rx_closing: 0, tx_flags_seen: 0x13 });
    // A reset after both sides' SYN closes one direction; here only one was seen, so both.
    send(node, client, `${TO_SERVER} rst`);
    expect(entryOf(node)).toMatchObject({ tx_closing: 1, rx_closing: 1, lifetime: CLOCK_S + 10 });
    const again = send(node, client, `${TO_SERVER} syn`);
    expect(entryOf(node)).toMatchObject({ tx_closing: 0, rx_closing: 0 });
    // Reopened: the policy verdict is reported again.
    expect(events(again).some(({ type }) => type === 5)).toBe(true);
    expect(node.map('cilium_ct_any4_global').count).toBe(1);
  });

  test('echo, its reply, and errors about a connection', () => {
    const { node, client, local } = podNode({}, { local: [{ direction: 'ingress' }] });
    send(node, client, `icmp ${CLIENT.address} > ${LOCAL.address} echo id=9 seq=1`);
    const reply = node.run(
      local,
      'cil_from_container',
      `icmp ${LOCAL.address} > ${CLIENT.address} echo-reply id=9 seq=1`,
    );
    // The Pod may not send by itself, but answer.
    expect(reply.redirect).toMatchObject({ ifindex: CLIENT.ifindex });
    expect(
      dropOf(node.run(local, 'cil_from_container', `icmp ${LOCAL.address} > ${CLIENT.address} echo-reply id=10`)),
    ).toMatchObject({ reason: 133 });
    send(node, client, `udp ${CLIENT.address}:5 > ${LOCAL.address}:53`);
    const error = node.run(
      local,
      'cil_from_container',
      `icmp ${LOCAL.address} > ${CLIENT.address} unreachable : udp ${CLIENT.address}:5 > ${LOCAL.address}:53`,
    );
    expect(error.redirect).toMatchObject({ ifindex: CLIENT.ifindex });
    const trace = events(error).at(-1)!;
    expect([trace.type, trace.subtype, trace.data.getUint8(26)]).toEqual([4, 0, 3]);
  });

  test('unknown protocols', () => {
    const { node, client } = podNode();
    expect(dropOf(send(node, client, `ip ${CLIENT.address} > ${SERVER.address} proto=99 "x"`))).toMatchObject({
      reason: 137,
    });
  });

  test('a full map drops', () => {
    const { node, client } = podNode();
    node.machine.setHelper('map_update_elem', () => -7);
    const outcome = send(node, client, `${TO_SERVER} syn`);
    // Also the buffer of the tail call is a map, but an array's element is written in place.
    expect(dropOf(outcome)).toMatchObject({ reason: 155, destination: SERVER.identity });
    expect(outcome.events.some((event) => event.kind === 'perf' && event.map === 'cilium_signals')).toBe(true);
  });

  test('aggregation shows new flows only', () => {
    const { node, client } = podNode({ monitor_aggregation: 3 });
    const types = (outcome: Outcome): number[] => events(outcome).map(({ type }) => type);
    expect(types(send(node, client, `${TO_SERVER} syn`))).toEqual([5, 4]);
    expect(types(send(node, client, `${TO_SERVER} ack`))).toEqual([4]);
    expect(types(send(node, client, `${TO_SERVER} ack`))).toEqual([]);
  });
});

/** jhash_3words (include/linux/jhash.h) of source address, both ports as they lie in memory, and protocol. */
function jhash3(source: string, sourcePort: number, port: number, protocol: number, seed: number): number {
  const swap = (value: number): number => ((value & 0xff) << 8) | (value >> 8);
  const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));
  const bytes = parseAddress(source);
  const start = (0xdeadbeef + 12 + seed) | 0;
  let a = (new DataView(bytes.slice().buffer).getUint32(0, true) + start) | 0;
  let b = (((swap(sourcePort) << 16) | swap(port)) + start) | 0;
  let c = (protocol + start) | 0;
  c = (c ^ b) - rotate(b, 14);
  a = (a ^ c) - rotate(c, 11);
  b = (b ^ a) - rotate(a, 25);
  c = (c ^ b) - rotate(b, 16);
  a = (a ^ c) - rotate(c, 4);
  b = (b ^ a) - rotate(a, 14);
  c = (c ^ b) - rotate(b, 24);
  return c >>> 0;
}

describe('services', () => {
  const VIP = '172.16.16.87';
  const backends = [1, 2, 3].map((n) => ({ id: n, address: `10.0.1.${n}`, port: 8080 }));
  const toService = (port: number, flags = 'syn'): string => `tcp ${CLIENT.address}:${port} > ${VIP}:80 ${flags}`;
  const backendOf = (outcome: Outcome): string => / > (10\.0\.1\.\d)\.8080/.exec(line(outcome.packet))![1]!;

  test('random choice, kept for a connection', () => {
    const { node, client } = podNode({ enable_per_packet_lb: true });
    node.service({ address: VIP, port: 80, index: 5, backends });
    node.machine.setHelper('get_prandom_u32', () => 4);
    expect(backendOf(send(node, client, toService(1)))).toBe('10.0.1.2');
    node.machine.setHelper('get_prandom_u32', () => 2);
    expect(backendOf(send(node, client, toService(1, 'ack')))).toBe('10.0.1.2');
    expect(backendOf(send(node, client, toService(2)))).toBe('10.0.1.3');
  });

  test('a backend that drains keeps its connections only', () => {
    const { node, client } = podNode({ enable_per_packet_lb: true });
    node.service({ address: VIP, port: 80, index: 5, backends });
    node.machine.setHelper('get_prandom_u32', () => 0);
    expect(backendOf(send(node, client, toService(1)))).toBe('10.0.1.1');
    node.set('cilium_lb4_backends_v2', 1, { address: '10.0.1.1', port: 8080, flags: 1 });
    node.machine.setHelper('get_prandom_u32', () => 1);
    expect(backendOf(send(node, client, toService(1, 'ack')))).toBe('10.0.1.1');
    expect(backendOf(send(node, client, toService(1, 'syn')))).toBe('10.0.1.2');
  });

  test('Maglev: the slot of the flow in the table of the service', () => {
    const { node, client } = podNode({ enable_per_packet_lb: true, hash_init4_seed: 0xcafe });
    node.service({ address: VIP, port: 80, index: 5, backends });
    const outer = node.map('cilium_lb4_maglev');
    const inner = node.map('cilium_lb4_maglev.inner');
    // Slots 0, 3, 6 ... have backend 1 and so on: the backend says the hash modulo 3.
    const table = new Uint8Array(inner.valueSize);
    const view = new DataView(table.buffer);
    for (let slot = 0; slot < table.length / 4; slot++) view.setUint32(slot * 4, (slot % 3) + 1, true);
    inner.setBytes(new Uint8Array(4), table);
    outer.set(5, 'cilium_lb4_maglev.inner');
    for (const port of [1, 2, 3, 4, 5, 40418]) {
      const slot = jhash3(CLIENT.address, port, 80, 6, 0xcafe) % (table.length / 4);
      expect(backendOf(send(node, client, toService(port)))).toBe(`10.0.1.${(slot % 3) + 1}`);
    }
  });

  test('session affinity, until it times out or the backend goes', () => {
    const { node, client } = podNode({ enable_per_packet_lb: true });
    node.service({ address: VIP, port: 80, index: 5, flags: 0x10, affinity: 100, backends });
    for (const { id } of backends) node.set('cilium_lb_affinity_match', { backend_id: id, rev_nat_id: 5 }, 1);
    node.machine.setHelper('get_prandom_u32', () => 0);
    expect(backendOf(send(node, client, toService(1)))).toBe('10.0.1.1');
    node.machine.setHelper('get_prandom_u32', () => 1);
    expect(backendOf(send(node, client, toService(2)))).toBe('10.0.1.1');
    node.map('cilium_lb_affinity_match').delete({ backend_id: 1, rev_nat_id: 5 });
    expect(backendOf(send(node, client, toService(3)))).toBe('10.0.1.2');
  });

  test('a Pod that is its own backend sees the loopback address, and the service in the answer', () => {
    const { node, client } = podNode({ enable_per_packet_lb: true }, { client: [] });
    node.service({ address: VIP, port: 80, index: 5, backends: [{ id: 1, address: CLIENT.address, port: 8080 }] });
    const request = send(node, client, toService(1000));
    expect(request.redirect).toMatchObject({ ifindex: CLIENT.ifindex });
    expect(line(request.packet)).toContain(`169.254.42.1.1000 > ${CLIENT.address}.8080: Flags [S]`);
    expect(wrong(request.packet)).toEqual([]);
    const answer = send(node, client, `tcp ${CLIENT.address}:8080 > 169.254.42.1:1000 syn ack`);
    expect(answer.redirect).toMatchObject({ ifindex: CLIENT.ifindex });
    expect(line(answer.packet)).toContain(`${VIP}.80 > ${CLIENT.address}.1000: Flags [S.]`);
    expect(wrong(answer.packet)).toEqual([]);
  });

  test('SCTP ports cannot be translated', () => {
    const { node, client } = podNode({ enable_per_packet_lb: true });
    node.service({ address: VIP, port: 80, index: 5, backends: [{ id: 1, address: '10.0.1.1', port: 8080 }] });
    expect(dropOf(send(node, client, `sctp ${CLIENT.address}:1 > ${VIP}:80`))).toMatchObject({ reason: 154 });
    node.set('cilium_lb4_backends_v2', 1, { address: '10.0.1.1', port: 80 });
    const outcome = send(node, client, `sctp ${CLIENT.address}:1 > ${VIP}:80`);
    expect(line(outcome.packet)).toContain('> 10.0.1.1.80');
    expect(wrong(outcome.packet)).toEqual([]);
  });
});

describe('fragments', () => {
  test('later fragments have the ports of the first, and are lost without it', () => {
    const { node, client } = podNode();
    const first = `udp ${CLIENT.address}:7 > ${SERVER.address}:53 id=77 frag=0+ "aaaaaaaaaaaaaaaa"`;
    const later = `ip ${CLIENT.address} > ${SERVER.address} proto=17 id=77 frag=24 "bbbb"`;
    expect(dropOf(send(node, client, later))).toMatchObject({ reason: 175 });
    expect(send(node, client, first).redirect).toBeDefined();
    expect(send(node, client, later).redirect).toMatchObject({ ifindex: ENCAP_IFINDEX });
    expect(node.map('cilium_ct_any4_global').count).toBe(2);
    expect(node.metric(9, 'egress').count).toBeGreaterThan(0n);
  });
});

describe('answers of the router', () => {
  test('ARP', () => {
    const { node, client } = podNode();
    const outcome = send(
      node,
      client,
      `arp who-has ${ROUTER1} tell ${CLIENT.address} eth=${CLIENT.mac}>${CLIENT.hostMac}`,
    );
    expect(outcome.tailCalls).toEqual(['tail_handle_arp']);
    expect(outcome.redirect).toMatchObject({ kind: 'redirect', ifindex: CLIENT.ifindex });
    expect(line(outcome.packet)).toContain(`Reply ${ROUTER1} is-at ${CLIENT.hostMac}`);
    expect(outcome.packet!.subarray(0, 6)).toEqual(parseMac(CLIENT.mac));
  });

  test('TTL 1: a time exceeded message to the sender, and a drop event', () => {
    const { node, client } = podNode();
    const outcome = send(
      node,
      client,
      `tcp ${CLIENT.address}:1 > ${LOCAL.address}:2 syn ttl=1 eth=${CLIENT.mac}>${CLIENT.hostMac}`,
    );
    expect(dropOf(outcome)).toMatchObject({ reason: 134, file: 122 });
    expect(outcome.redirect).toMatchObject({ ifindex: CLIENT.ifindex });
    expect(line(outcome.packet)).toContain(`${ROUTER1} > ${CLIENT.address}: ICMP time exceeded in-transit`);
    expect(wrong(outcome.packet)).toEqual([]);
    expect(outcome.packet!.length).toBe(14 + 20 + 8 + 28);
  });

  test('hop limit 1', () => {
    const { node, client } = podNode();
    const outcome = send(node, client, `tcp [${CLIENT.address6}]:1 > [${LOCAL.address6}]:2 syn ttl=1`);
    expect(dropOf(outcome)).toMatchObject({ reason: 134 });
    expect(line(outcome.packet)).toContain(`fd00::1 > ${CLIENT.address6}: ICMP6, time exceeded in-transit`);
    expect(wrong(outcome.packet)).toEqual([]);
  });

  test('neighbour solicitation for the router', () => {
    const { node, client } = podNode();
    const outcome = send(node, client, `icmp6 [${CLIENT.address6}] > [ff02::1:ff00:1] ns target=fd00::1`);
    expect(outcome.tailCalls.at(-1)).toBe('tail_icmp6_handle_ns');
    expect(outcome.redirect).toMatchObject({ ifindex: CLIENT.ifindex });
    expect(line(outcome.packet)).toContain('neighbor advertisement, tgt is fd00::1');
    expect(wrong(outcome.packet)).toEqual([]);
    expect(outcome.packet!.subarray(6, 12)).toEqual(parseMac(CLIENT.hostMac));
    const other = send(node, client, `icmp6 [${CLIENT.address6}] > [ff02::1:ff00:2] ns target=fd00::2`);
    expect(dropOf(other)).toMatchObject({ reason: 150 });
  });

  test('echo request to the router', () => {
    const { node, client } = podNode();
    const outcome = send(node, client, `icmp6 [${CLIENT.address6}] > [fd00::1] echo id=3 seq=4 "abc"`);
    expect(outcome.redirect).toMatchObject({ ifindex: CLIENT.ifindex });
    expect(line(outcome.packet)).toContain(`fd00::1 > ${CLIENT.address6}: ICMP6, echo reply, id 3, seq 4`);
    expect(wrong(outcome.packet)).toEqual([]);
  });

  test('other protocols and missing programs', () => {
    const { node, client } = podNode();
    expect(dropOf(send(node, client, 'eth type=0x88cc "lldp"'))).toMatchObject({ reason: 139 });
    const key = new Uint8Array([25, 0, 0, 0]);
    client.map('cilium_calls').deleteBytes(key);
    const outcome = send(node, client, `${TO_SERVER} syn`);
    expect(dropOf(outcome)).toMatchObject({ reason: 140, source: CLIENT.identity });
    expect(node.metric(140, 'egress').count).toBe(1n);
  });
});
