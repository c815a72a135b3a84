import { describe, expect, test } from 'vitest';
import type { LoadedObject } from '../../src/machine/machine.js';
import { parseAddress, parseMac } from '../../src/packet/addresses.js';
import {
  address6,
  CLIENT,
  dropOf,
  ENCAP_IFINDEX,
  events,
  line,
  NODE1,
  NODE2,
  Node,
  ROUTER1,
  SERVER,
  wrong,
} from './node.js';

const NETDEV = 2;
const GATEWAY_MAC = 'ee:ee:ee:00:00:01';
const NODE_MAC = 'fa:28:00:14:3f:01';
const WORLD = '203.0.113.9';
const WORLD6 = '2001:db8::9';
const NODE1_6 = 'fd99::15';
const ROUTABLE = 0x40;
const NODEPORT = 0x02;

/** Node 1 with its native device eth0, where all the world is behind one gateway. */
function hostNode(config: Record<string, unknown> = {}): { node: Node; netdev: LoadedObject } {
  const node = new Node({
    enable_ipv6: true,
    router_ipv4: { addr: parseAddress(ROUTER1) },
    router_ipv6: address6('fd00::1'),
    direct_routing_dev_ifindex: NETDEV,
    direct_routing_ipv4: { addr: parseAddress(NODE1) },
    direct_routing_ipv6: address6(NODE1_6),
    nat_ipv4_masquerade: { addr: parseAddress(NODE1) },
    nat_ipv6_masquerade: address6(NODE1_6),
    ...config,
  });
  Object.assign(node.machine.environment, {
    devices: [
      { ifindex: 1, name: 'lo', mac: new Uint8Array(6), mtu: 65536, up: true, forwarding: true },
      { ifindex: NETDEV, name: 'eth0', mac: parseMac(NODE_MAC), mtu: 1500, up: true, forwarding: true },
      { ifindex: CLIENT.ifindex, name: 'lxc', mac: parseMac(CLIENT.hostMac), mtu: 1500, up: true, forwarding: true },
    ],
    routes: [
      { prefix: new Uint8Array(4), length: 0, gateway: parseAddress('192.168.1.1'), ifindex: NETDEV },
      { prefix: new Uint8Array(16), length: 0, gateway: parseAddress('fd99::1'), ifindex: NETDEV },
    ],
    neighbours: ['192.168.1.1', 'fd99::1'].map((address) => ({
      ifindex: NETDEV,
      address: parseAddress(address),
      mac: parseMac(GATEWAY_MAC),
    })),
  });
  node.machine.syncDevices();
  const netdev = node.load('host', {
    interface_ifindex: NETDEV,
    interface_mac: { addr: parseMac(NODE_MAC) },
    host_ep_id: 1000,
  });
  node.slot('cilium_call_policy', 1000, netdev, 'cil_host_policy');
  node.identity('0.0.0.0', 2, undefined, 0);
  node.identity('::', 2, undefined, 0);
  node.identity(NODE1, 1);
  node.identity(NODE1_6, 1);
  return { node, netdev };
}

const FAMILIES = [
  { name: 'IPv4', world: WORLD, own: NODE1, pod: CLIENT.address, remote: SERVER.address, suffix: 'ipv4', v: 4 },
  { name: 'IPv6', world: WORLD6, own: NODE1_6, pod: CLIENT.address6!, remote: SERVER.address6!, suffix: 'ipv6', v: 6 },
];
const bracket = (address: string): string => (address.includes(':') ? `[${address}]` : address);
const at = (address: string, port: number): string => `${address}.${port}`;
const on = { ifindex: NETDEV };

describe.each(FAMILIES)('native device, $name', ({ world, own, pod, remote, suffix, v }) => {
  const tcp = (from: string, fromPort: number, to: string, toPort: number, rest = 'syn'): string =>
    `tcp ${bracket(from)}:${fromPort} > ${bracket(to)}:${toPort} ${rest}`;

  test('delivers to a local Pod through its policy program', () => {
    const { node, netdev } = hostNode();
    node.pod(CLIENT);
    node.identity(remote, SERVER.identity);
    const outcome = node.run(netdev, 'cil_from_netdev', tcp(remote, 1234, pod, 80), on);
    expect(outcome.tailCalls).toEqual([
      `tail_handle_${suffix}_from_netdev`,
      'cil_lxc_policy',
      `tail_${suffix}_ct_ingress_policy_only`,
      `tail_${suffix}_policy`,
    ]);
    expect(outcome.redirect).toMatchObject({ kind: 'redirect', ifindex: CLIENT.ifindex });
    const verdict = events(outcome).find((event) => event.type === 5)!;
    expect(verdict.data.getUint32(16, true)).toBe(SERVER.identity);
    expect(line(outcome.packet)).toContain(`${at(remote, 1234)} > ${at(pod, 80)}`);
    expect(wrong(outcome.packet)).toEqual([]);
  });

  test('what is for the node goes to its stack', () => {
    const { node, netdev } = hostNode({ enable_nodeport: true });
    const outcome = node.run(netdev, 'cil_from_netdev', tcp(world, 4000, own, 22), on);
    expect(outcome.verdict).toBe('TC_ACT_OK');
    expect(outcome.tailCalls).toEqual([
      `tail_handle_${suffix}_from_netdev`,
      `tail_nodeport_nat_ingress_${suffix}`,
      `tail_handle_${suffix}_from_netdev`,
    ]);
  });

  test('NodePort: SNAT to a backend on another node, and back', () => {
    const { node, netdev } = hostNode({ enable_nodeport: true });
    node.service({
      address: own,
      port: 31000,
      index: 21,
      flags: ROUTABLE | NODEPORT,
      backends: [{ id: 5, address: remote, port: 8080 }],
    });
    node.identity(remote, SERVER.identity);
    const request = node.run(netdev, 'cil_from_netdev', tcp(world, 40000, own, 31000), on);
    expect(request.tailCalls).toEqual([`tail_handle_${suffix}_from_netdev`, `tail_nodeport_nat_egress_${suffix}`]);
    expect(request.redirect).toMatchObject({ kind: 'redirect', ifindex: NETDEV });
    // The client's port is in the range of SNAT and kept.
    expect(line(request.packet)).toContain(`${at(own, 40000)} > ${at(remote, 8080)}: Flags [S]`);
    expect(wrong(request.packet)).toEqual([]);

    const reply = node.run(netdev, 'cil_from_netdev', tcp(remote, 8080, own, 40000, 'syn ack'), on);
    expect(reply.tailCalls).toEqual([
      `tail_handle_${suffix}_from_netdev`,
      `tail_nodeport_nat_ingress_${suffix}`,
      `tail_rev_nodeport_lb${v}`,
    ]);
    expect(reply.redirect).toMatchObject({ kind: 'redirect', ifindex: NETDEV });
    expect(line(reply.packet)).toContain(`${at(own, 31000)} > ${at(world, 40000)}: Flags [S.]`);
    expect(wrong(reply.packet)).toEqual([]);
    expect(reply.packet!.subarray(0, 12)).toEqual(Uint8Array.from([...parseMac(GATEWAY_MAC), ...parseMac(NODE_MAC)]));
  });

  test('NodePort: a backend on this node keeps the client address; its reply leaves as the service', () => {
    const { node, netdev } = hostNode({ enable_nodeport: true });
    const local = node.pod(CLIENT);
    node.service({
      address: own,
      port: 31000,
      index: 21,
      flags: ROUTABLE | NODEPORT,
      backends: [{ id: 5, address: pod, port: 8080 }],
    });
    const request = node.run(netdev, 'cil_from_netdev', tcp(world, 40000, own, 31000), on);
    expect(request.redirect).toMatchObject({ ifindex: CLIENT.ifindex });
    expect(line(request.packet)).toContain(`${at(world, 40000)} > ${at(pod, 8080)}: Flags [S]`);
    expect(wrong(request.packet)).toEqual([]);
    const reply = node.run(local, 'cil_from_container', tcp(pod, 8080, world, 40000, 'syn ack'), {
      ifindex: CLIENT.ifindex,
    });
    expect(reply.tailCalls.at(-1)).toBe(`tail_rev_nodeport_lb${v}`);
    expect(reply.redirect).toMatchObject({ kind: 'redirect', ifindex: NETDEV });
    expect(line(reply.packet)).toContain(`${at(own, 31000)} > ${at(world, 40000)}: Flags [S.]`);
    expect(wrong(reply.packet)).toEqual([]);
  });

  test('NodePort over the tunnel: as world, from the router', () => {
    const { node, netdev } = hostNode({ enable_nodeport: true, encap_ifindex: ENCAP_IFINDEX });
    node.service({
      address: own,
      port: 31000,
      index: 21,
      flags: ROUTABLE | NODEPORT,
      backends: [{ id: 5, address: remote, port: 8080 }],
    });
    node.identity(remote, SERVER.identity, NODE2);
    const request = node.run(netdev, 'cil_from_netdev', tcp(world, 40000, own, 31000), on);
    expect(node.tunnel).toEqual({ id: 2, remote: NODE2, ttl: 64 });
    expect(request.redirect).toMatchObject({ ifindex: ENCAP_IFINDEX });
    expect(line(request.packet)).toContain(`${at(v === 4 ? ROUTER1 : 'fd00::1', 40000)} > ${at(remote, 8080)}`);
  });

  test('a ClusterIP is not for clients outside, and source ranges are kept', () => {
    const { node, netdev } = hostNode({ enable_nodeport: true });
    const backends = [{ id: 5, address: remote, port: 8080 }];
    node.service({ address: own, port: 80, index: 22, backends });
    expect(dropOf(node.run(netdev, 'cil_from_netdev', tcp(world, 40000, own, 80), on))).toMatchObject({ reason: 174 });
    node.service({ address: own, port: 81, index: 23, flags: ROUTABLE | 0x80, backends });
    expect(dropOf(node.run(netdev, 'cil_from_netdev', tcp(world, 40000, own, 81), on))).toMatchObject({
      reason: 177,
      source: 2,
      file: 1,
    });
    node.set(
      `cilium_lb${v}_source_range`,
      { lpm_key: { prefixlen: 32 + 24 }, rev_nat_id: 23, addr: v === 4 ? '203.0.113.0' : address6('2001:db8::') },
      1,
    );
    const allowed = node.run(netdev, 'cil_from_netdev', tcp(world, 40000, own, 81), on);
    expect(allowed.verdict).toBe('TC_ACT_REDIRECT');
  });

  test('masquerades what a Pod sends to the world, and restores the answer', () => {
    const { node, netdev } = hostNode({
      enable_masquerade_ipv4: true,
      enable_masquerade_ipv6: true,
    });
    const local = node.pod(CLIENT);
    const left = node.run(local, 'cil_from_container', tcp(pod, 1025, world, 443), { ifindex: CLIENT.ifindex });
    const sent = node.run(netdev, 'cil_to_netdev', left.packet!, on);
    expect(sent.tailCalls).toEqual([`tail_handle_nat_fwd_${suffix}`]);
    expect(sent.verdict).toBe('TC_ACT_OK');
    const text = line(sent.packet);
    const port = Number(/\.(\d+) > /.exec(text)![1]);
    expect(text).toContain(`${at(own, port)} > ${at(world, 443)}`);
    expect(port).toBeGreaterThan(32767);
    expect(wrong(sent.packet)).toEqual([]);

    const answer = node.run(netdev, 'cil_from_netdev', tcp(world, 443, own, port, 'syn ack'), on);
    expect(line(answer.packet)).toContain(`${at(world, 443)} > ${at(pod, 1025)}`);
    expect(wrong(answer.packet)).toEqual([]);
    const again = node.run(netdev, 'cil_to_netdev', tcp(pod, 1025, world, 443, 'ack'), on);
    expect(line(again.packet)).toContain(`${at(own, port)} > ${at(world, 443)}`);
    expect(node.map(`cilium_snat_v${v}_external`).count).toBe(2);
  });

  test('masquerades an echo request by its identifier', () => {
    const { node, netdev } = hostNode({
      enable_nodeport: true,
      enable_masquerade_ipv4: true,
      enable_masquerade_ipv6: true,
    });
    node.pod(CLIENT);
    const icmp = v === 4 ? 'icmp' : 'icmp6';
    const sent = node.run(netdev, 'cil_to_netdev', `${icmp} ${bracket(pod)} > ${bracket(world)} echo id=7 seq=1`, on);
    const id = Number(/id (\d+)/.exec(line(sent.packet))![1]);
    expect(line(sent.packet)).toContain(`${own} > ${world}`);
    expect(wrong(sent.packet)).toEqual([]);
    const answer = node.run(
      netdev,
      'cil_from_netdev',
      `${icmp} ${bracket(world)} > ${bracket(own)} echo-reply id=${id} seq=1`,
      on,
    );
    expect(line(answer.packet)).toContain(`${world} > ${pod}`);
    expect(line(answer.packet)).toContain('id 7');
    expect(wrong(answer.packet)).toEqual([]);
  });

  test('does not masquerade inside the native CIDR', () => {
    const { node, netdev } = hostNode({
      enable_nodeport: true,
      enable_masquerade_ipv4: true,
      enable_masquerade_ipv6: true,
      native_cidr_ipv4: { addr: parseAddress('10.0.0.0') },
      native_cidr_ipv4_mask: { addr: parseAddress('255.0.0.0') },
      native_cidr_ipv6: address6('fd00::'),
      native_cidr_ipv6_prefix: 15,
    });
    node.pod(CLIENT);
    const sent = node.run(netdev, 'cil_to_netdev', tcp(pod, 1025, remote, 443), on);
    expect(line(sent.packet)).toContain(`${at(pod, 1025)} > ${at(remote, 443)}`);
  });

  test('host firewall: ingress and egress', () => {
    const { node, netdev } = hostNode({ enable_host_firewall: true });
    const denied = node.run(netdev, 'cil_from_netdev', tcp(world, 4000, own, 22), on);
    expect(dropOf(denied)).toMatchObject({ reason: 133, source: 2, file: 1 });
    node.policy(netdev, { direction: 'ingress', identity: 2, port: 22, protocol: 6 });
    expect(node.run(netdev, 'cil_from_netdev', tcp(world, 4000, own, 22), on).verdict).toBe('TC_ACT_OK');
    // The answer needs no rule, a new connection does.
    const host = { ...on, mark: 0x0c00 };
    expect(node.run(netdev, 'cil_to_netdev', tcp(own, 22, world, 4000, 'syn ack'), host).verdict).toBe('TC_ACT_OK');
    expect(dropOf(node.run(netdev, 'cil_to_netdev', tcp(own, 5000, world, 25), host))).toMatchObject({ reason: 133 });
  });

  test('the stack sends to a local Pod through cilium_host', () => {
    const { node } = hostNode();
    const cilium = node.load('host', { cilium_net_mac: { addr: parseMac('02:00:00:00:00:77') } });
    node.pod(CLIENT);
    const outcome = node.run(cilium, 'cil_from_host', tcp(own, 5000, pod, 80), { mark: 0x0c00 });
    expect(outcome.redirect).toMatchObject({ kind: 'redirect', ifindex: CLIENT.ifindex });
    const verdict = events(outcome).find((event) => event.type === 5)!;
    expect(verdict.data.getUint32(16, true)).toBe(1);
    expect(dropOf(node.run(cilium, 'cil_from_host', tcp(own, 5000, world, 80), { mark: 0x0c00 }))).toMatchObject({
      reason: 151,
    });
  });

  test('the host sends to a remote Pod through the tunnel, as remote node', () => {
    const { node } = hostNode({ encap_ifindex: ENCAP_IFINDEX });
    const cilium = node.load('host');
    node.identity(remote, SERVER.identity, NODE2);
    const outcome = node.run(cilium, 'cil_from_host', tcp(own, 5000, remote, 80), { mark: 0x0c00 });
    expect(outcome.redirect).toMatchObject({ ifindex: ENCAP_IFINDEX });
    expect(node.tunnel).toEqual({ id: 6, remote: NODE2, ttl: 64 });
  });

  test('native routing: the Pod sends through the stack with its identity in the mark', () => {
    const { node } = hostNode();
    const local = node.pod(CLIENT);
    node.identity(remote, SERVER.identity);
    const outcome = node.run(local, 'cil_from_container', tcp(pod, 5000, remote, 80), { ifindex: CLIENT.ifindex });
    expect(outcome.verdict).toBe('TC_ACT_OK');
    expect(local.program('cil_from_container').decodeContext(outcome).mark).toBe((CLIENT.identity << 16) | 0x0f00);
    expect(outcome.packet!.subarray(0, 6)).toEqual(parseMac(CLIENT.hostMac));
  });

  test('host routing: straight to the next hop', () => {
    const { node } = hostNode({ enable_host_routing: true });
    const local = node.pod(CLIENT);
    node.identity(remote, SERVER.identity);
    const send = (): ReturnType<Node['run']> =>
      node.run(local, 'cil_from_container', tcp(pod, 5000, remote, 80), { ifindex: CLIENT.ifindex });
    const outcome = send();
    expect(outcome.redirect).toMatchObject({ kind: 'redirect', ifindex: NETDEV });
    expect(outcome.packet!.subarray(0, 12)).toEqual(Uint8Array.from([...parseMac(GATEWAY_MAC), ...parseMac(NODE_MAC)]));
    // Without a neighbour entry the kernel resolves it.
    node.machine.environment.neighbours.length = 0;
    expect(send().redirect).toMatchObject({ kind: 'redirect_neigh', ifindex: NETDEV });
    node.machine.environment.routes.length = 0;
    expect(dropOf(send())).toMatchObject({ reason: 169 });
  });
});

describe('VLAN filter', () => {
  test('listed tags pass, others are dropped', () => {
    const { node, netdev } = hostNode({ enable_vlan_filter: true, vlan_allowed: [10, 20] });
    // As the kernel has it: beside the packet.
    const tagged = (id: number): ReturnType<Node['run']> =>
      node.run(netdev, 'cil_from_netdev', `tcp ${WORLD}:1 > ${NODE1}:2 syn`, { ...on, vlan_present: 1, vlan_tci: id });
    expect(tagged(20).verdict).toBe('TC_ACT_OK');
    expect(tagged(20).tailCalls).toEqual([]);
    expect(dropOf(tagged(30))).toMatchObject({ reason: 182, file: 1 });
  });
});

describe('bandwidth manager', () => {
  test('spaces the packets of a Pod, and drops beyond the horizon', () => {
    const { node, netdev } = hostNode({ enable_bandwidth_manager: true });
    const now = 1_000_000_000_000n;
    // 1000 bytes per second; the packet has 54 bytes: 54 ms each.
    node.set('cilium_throttle', { id: CLIENT.id }, { bps: 1000n, t_last: now, t_horizon_drop: 100_000_000n });
    const send = (): ReturnType<Node['run']> =>
      node.run(netdev, 'cil_to_netdev', `tcp ${CLIENT.address}:1 > ${WORLD}:2 syn`, {
        ...on,
        queue_mapping: CLIENT.id,
        wire_len: 54,
      });
    const first = send();
    expect(netdev.program('cil_to_netdev').decodeContext(first).tstamp).toBe(now + 54_000_000n);
    expect(send().verdict).toBe('TC_ACT_SHOT');
    expect(node.metric(162, 'egress').count).toBe(1n);
  });
});
