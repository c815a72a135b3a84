import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/packet/addresses.js';
import {
  address6,
  CLIENT,
  CLOCK_S,
  dropOf,
  ENCAP_IFINDEX,
  events,
  HOST_IFINDEX,
  line,
  NODE1,
  NODE2,
  Node,
  ROUTER1,
  ROUTER2,
  SERVER,
  wrong,
} from './node.js';

const VIP = '172.16.16.87';
const VIP6 = 'fd10::87';

/** The document's cluster: VXLAN, the client on node 1, the server on node 2, dual stack. */
function cluster(config: Record<string, unknown> = {}): { node1: Node; node2: Node } {
  const nodes = [
    { router: ROUTER1, pod: CLIENT },
    { router: ROUTER2, pod: SERVER },
  ].map(({ router, pod }) => {
    const node = new Node({
      encap_ifindex: ENCAP_IFINDEX,
      cilium_host_ifindex: HOST_IFINDEX,
      router_ipv4: { addr: parseAddress(router) },
      router_ipv6: address6('fd00::1'),
      enable_ipv6: true,
      ...config,
    });
    node.pod(pod);
    for (const known of [CLIENT, SERVER]) {
      const remote = known === pod ? undefined : known === CLIENT ? NODE1 : NODE2;
      node.identity(known.address, known.identity, remote);
      node.identity(known.address6!, known.identity, remote);
    }
    return node;
  });
  for (const [address, backend, index] of [
    [VIP, SERVER.address, 7],
    [VIP6, SERVER.address6!, 8],
  ] as const)
    nodes[0]!.service({ address, port: 80, index, backends: [{ id: index, address: backend, port: 80 }] });
  return { node1: nodes[0]!, node2: nodes[1]! };
}

const FAMILIES = [
  { name: 'IPv4', client: CLIENT.address, server: SERVER.address, vip: VIP, suffix: 'ipv4', index: 7 },
  { name: 'IPv6', client: CLIENT.address6!, server: SERVER.address6!, vip: VIP6, suffix: 'ipv6', index: 8 },
];

const ctMap = (suffix: string): string => (suffix === 'ipv4' ? 'cilium_ct4_global' : 'cilium_ct6_global');
const shown = (address: string, port: number): string => `${address}.${port}`;

describe.each(FAMILIES)('Pod to Service over VXLAN, $name', ({ client, server, vip, suffix, index }) => {
  const bracket = (address: string): string => (address.includes(':') ? `[${address}]` : address);
  const request = (to: string, flags: string): string => `tcp ${bracket(client)}:40418 > ${bracket(to)}:80 ${flags}`;

  test('request and reply with per-packet load balancing', () => {
    const { node1, node2 } = cluster({ enable_per_packet_lb: true });
    const [pod1, pod2] = [node1.pods.get('network')!, node2.pods.get('nginx')!];
    const overlay1 = node1.load('overlay');
    const overlay2 = node2.load('overlay');

    const sent = node1.run(pod1, 'cil_from_container', request(vip, 'syn'));
    expect(sent.tailCalls).toEqual([`tail_handle_${suffix}`, `tail_${suffix}_ct_egress`, `tail_handle_${suffix}_cont`]);
    expect(sent.verdict).toBe('TC_ACT_REDIRECT');
    expect(sent.redirect).toMatchObject({ kind: 'redirect', ifindex: ENCAP_IFINDEX });
    expect(node1.tunnel).toEqual({ id: CLIENT.identity, remote: NODE2, ttl: 64 });
    expect(line(sent.packet)).toContain(`${shown(client, 40418)} > ${shown(server, 80)}: Flags [S]`);
    expect(wrong(sent.packet)).toEqual([]);
    // Trace from the Pod, policy verdict (new), trace to the overlay.
    expect(events(sent).map(({ type, subtype }) => [type, subtype])).toEqual([
      [4, 5],
      [5, 0],
      [4, 4],
    ]);
    // Backwards addresses, ports in order; the service's own entry in the order of the wire.
    const entries = [...node1.map(ctMap(suffix)).entries()] as { key: { flags: number }; value: object }[];
    expect(entries.map(({ key }) => key.flags).sort()).toEqual([0, 4]);
    expect(entries.find(({ key }) => key.flags === 0)!.value).toMatchObject({
      rev_nat_index: index,
      tx_packets: 1n,
      rx_packets: 0n,
      lifetime: CLOCK_S + 60,
      src_sec_id: CLIENT.identity,
      tx_flags_seen: 2,
    });

    node2.received = { id: CLIENT.identity, remote: NODE1 };
    const arrived = node2.run(overlay2, 'cil_from_overlay', sent.packet!);
    expect(arrived.tailCalls).toEqual([
      `tail_handle_${suffix}`,
      'cil_lxc_policy',
      `tail_${suffix}_ct_ingress_policy_only`,
      `tail_${suffix}_policy`,
    ]);
    expect(arrived.redirect).toMatchObject({ kind: 'redirect', ifindex: SERVER.ifindex });
    expect(line(arrived.packet)).toContain(`${shown(client, 40418)} > ${shown(server, 80)}: Flags [S]`);
    expect(wrong(arrived.packet)).toEqual([]);

    const answer = node2.run(
      pod2,
      'cil_from_container',
      `tcp ${bracket(server)}:80 > ${bracket(client)}:40418 syn ack`,
    );
    expect(answer.redirect).toMatchObject({ ifindex: ENCAP_IFINDEX });
    expect(node2.tunnel).toEqual({ id: SERVER.identity, remote: NODE1, ttl: 64 });

    node1.received = { id: SERVER.identity, remote: NODE2 };
    const returned = node1.run(overlay1, 'cil_from_overlay', answer.packet!);
    expect(returned.redirect).toMatchObject({ kind: 'redirect', ifindex: CLIENT.ifindex });
    expect(line(returned.packet)).toContain(`${shown(vip, 80)} > ${shown(client, 40418)}: Flags [S.]`);
    expect(wrong(returned.packet)).toEqual([]);
    const last = events(returned).at(-1)!;
    // Trace to the Pod, reason reply, with the backend as original source.
    expect([last.type, last.subtype, last.data.getUint8(26)]).toEqual([4, 0, 2]);
    expect(new Uint8Array(last.data.buffer, last.data.byteOffset + 32, suffix === 'ipv4' ? 4 : 16)).toEqual(
      parseAddress(server),
    );
  });

  test('without per-packet load balancing the service address is like any other', () => {
    const { node1 } = cluster();
    const pod = node1.pods.get('network')!;
    const direct = node1.run(pod, 'cil_from_container', request(server, 'syn'));
    expect(direct.redirect).toMatchObject({ ifindex: ENCAP_IFINDEX });
    expect(line(direct.packet)).toContain(`${shown(client, 40418)} > ${shown(server, 80)}`);
    const untranslated = node1.run(pod, 'cil_from_container', request(vip, 'syn'));
    expect(untranslated.verdict).toBe('TC_ACT_OK');
    expect(line(untranslated.packet)).toContain(`> ${shown(vip, 80)}`);
  });

  test('a forged source address is dropped', () => {
    const { node1 } = cluster();
    const from = suffix === 'ipv4' ? '10.0.0.251' : '[fd00::251]';
    const outcome = node1.run(
      node1.pods.get('network')!,
      'cil_from_container',
      `tcp ${from}:1 > ${bracket(server)}:80 syn`,
    );
    expect(outcome.verdict).toBe('TC_ACT_SHOT');
    expect(dropOf(outcome)).toMatchObject({ reason: 132, source: CLIENT.identity, file: 2 });
    expect(node1.metric(132, 'egress')).toEqual({ count: 1n, bytes: BigInt(outcome.packet!.length) });
  });

  test('a service without backends', () => {
    const { node1 } = cluster({ enable_per_packet_lb: true });
    node1.service({ address: vip, port: 81, index: 9, backends: [] });
    const outcome = node1.run(
      node1.pods.get('network')!,
      'cil_from_container',
      `tcp ${bracket(client)}:1 > ${bracket(vip)}:81 syn`,
    );
    expect(dropOf(outcome)).toMatchObject({ reason: 158 });
  });
});
