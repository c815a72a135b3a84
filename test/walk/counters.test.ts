import { describe, expect, test } from 'vitest';
import type { BpfMap } from '../../src/machine/machine.js';
import { walkBundled } from './walks.js';

const played = walkBundled('pod-to-service');

function mapOf(node: string, name: string): BpfMap {
  const map = played.nodes.get(node)?.machine.maps.find((candidate) => candidate.name === name);
  if (!map) throw new Error(`${node} has no map ${name}`);
  return map;
}

/*
 * The client sends 6 frames (SYN 14 + 20 + 40 bytes, ACK 66, PSH 66 + 77, ACK, FIN, ACK 66 each), the server 4 (SYN-ACK 74,
 * ACK 66, PSH 66 + 238, FIN 66). VXLAN adds 50 bytes to each: outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8.
 */
const REQUEST = { packets: 6, bytes: 74 + 66 + 143 + 66 + 66 + 66 };
const REPLY = { packets: 4, bytes: 74 + 66 + 304 + 66 };
const outer = ({ packets, bytes }: typeof REQUEST): typeof REQUEST => ({ packets, bytes: bytes + packets * 50 });

/** The nodes' clock when the flow starts, s; the whole flow takes less than a second. */
const NOW = 1000;
/** Of bpf-objects/datapath/conntrack.h, s. */
const LIFETIME = { closed: 10, other: 60 };
/** TCP flags: FIN 1, SYN 2, PSH 8, ACK 16. */
const ALL_SEEN = 1 | 2 | 8 | 16;

const CLIENT = '10.0.0.250';
const SERVER = '10.0.1.60';
/** Keys have the addresses and ports as look-ups want them: daddr and dport are not of the same end. */
const CONNECTION = { daddr: CLIENT, saddr: SERVER, dport: 80, sport: 40418, nexthdr: 6 };
const OUT = 0;
const IN = 1;
const RELATED = 2;

/** Counters of a connection, seen from the client's side (egress) or from the server's (ingress). */
const COUNTED = {
  node1: { tx_packets: 6n, tx_bytes: 481n, rx_packets: 4n, rx_bytes: 510n },
  node2: { tx_packets: 4n, tx_bytes: 510n, rx_packets: 6n, rx_bytes: 481n },
};

describe('conntrack after the ten packets', () => {
  test.each([
    ['node1', OUT],
    ['node2', IN],
  ] as const)('%s: the connection, closed by both sides', (node, flags) => {
    const entries = [...mapOf(node, 'cilium_ct4_global').entries()];
    expect(entries).toHaveLength(1);
    expect(entries[0]!.key).toEqual({ ...CONNECTION, flags });
    expect(entries[0]!.value).toMatchObject({
      ...COUNTED[node],
      // The second FIN set the short lifetime; the last ACK came after it and changed nothing but the counters.
      ...{ lifetime: NOW + LIFETIME.closed, rx_closing: 1, tx_closing: 1, seen_non_syn: 1 },
      // SYN, ACK, PSH and FIN went in both directions.
      ...{ tx_flags_seen: ALL_SEEN, rx_flags_seen: ALL_SEEN, last_tx_report: NOW, last_rx_report: NOW },
      // The identity of the client; no Service took part, since the socket LB had translated before.
      ...{ src_sec_id: 1001, rev_nat_index: 0, lb_loopback: 0, node_port: 0, proxy_redirect: 0, dsr: 0 },
    });
  });

  test.each([
    ['node1', OUT, { tx_packets: 1n, tx_bytes: 74n, rx_packets: 0n, rx_bytes: 0n, tx_flags_seen: 2, rx_flags_seen: 0 }],
    ['node2', IN, { tx_packets: 0n, tx_bytes: 0n, rx_packets: 1n, rx_bytes: 74n, tx_flags_seen: 0, rx_flags_seen: 2 }],
  ] as const)('%s: an entry for ICMP errors, a copy of the first packet’s', (node, flags, counted) => {
    const entries = [...mapOf(node, 'cilium_ct_any4_global').entries()];
    const related = entries.find(({ key }) => (key as { nexthdr: number }).nexthdr === 1);
    expect(related?.key).toEqual({
      daddr: CLIENT,
      saddr: SERVER,
      dport: 0,
      sport: 0,
      nexthdr: 1,
      flags: flags | RELATED,
    });
    expect(related?.value).toMatchObject({ ...counted, lifetime: NOW + LIFETIME.other, rx_closing: 0, tx_closing: 0 });
  });

  test.each([
    ['node1', '192.168.1.15', '192.168.1.13', REQUEST],
    ['node2', '192.168.1.13', '192.168.1.15', REPLY],
  ] as const)('%s: the tunnel to the other node, as the masquerading saw it leave', (node, own, other, sent) => {
    const entries = [...mapOf(node, 'cilium_ct_any4_global').entries()];
    expect(entries).toHaveLength(2);
    const tunnel = entries.find(({ key }) => (key as { nexthdr: number }).nexthdr === 17);
    expect(tunnel?.key).toMatchObject({ daddr: own, saddr: other, dport: 8472, flags: OUT });
    expect(tunnel?.value).toMatchObject({
      ...{ tx_packets: BigInt(sent.packets), tx_bytes: BigInt(outer(sent).bytes), rx_packets: 0n },
      lifetime: NOW + LIFETIME.other,
    });
  });
});

describe('cilium_metrics', () => {
  const INGRESS = 1;
  const EGRESS = 2;
  const FORWARDED = 0;
  const PLAINTEXT = 3;

  /** Sums over the CPUs by reason and direction. */
  function metricsOf(node: string): Record<string, { packets: number; bytes: number }> {
    return Object.fromEntries(
      [...mapOf(node, 'cilium_metrics').entries()].map(({ key, value }) => {
        const { reason, dir } = key as { reason: number; dir: number };
        const cpus = value as { count: bigint; bytes: bigint }[];
        const sum = (numbers: bigint[]): number => Number(numbers.reduce((a, b) => a + b, 0n));
        return [
          `${reason}/${dir}`,
          { packets: sum(cpus.map(({ count }) => count)), bytes: sum(cpus.map(({ bytes }) => bytes)) },
        ];
      }),
    );
  }

  const total = (...parts: (typeof REQUEST)[]) => ({
    packets: parts.reduce((sum, { packets }) => sum + packets, 0),
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
  });

  test.each([
    ['node1', REQUEST, REPLY],
    ['node2', REPLY, REQUEST],
  ] as const)('%s: every hook counts what passes it', (node, sent, received) => {
    expect(metricsOf(node)).toEqual({
      // To the overlay twice, by the Pod's program that sets the tunnel key and by cil_to_overlay; to the network by
      // cil_to_netdev, with the outer headers.
      [`${FORWARDED}/${EGRESS}`]: total(sent, sent, outer(sent)),
      // From the network by cil_from_netdev, with the outer headers; from the overlay by cil_from_overlay.
      [`${PLAINTEXT}/${INGRESS}`]: total(outer(received), received),
      // Delivered to an endpoint of this node by cil_from_overlay; to the Pod by its policy program.
      [`${FORWARDED}/${INGRESS}`]: total(received, received),
    });
  });
});

describe('policy counters', () => {
  const ANY = { sec_label: 0, dport: 0, protocol: 0 };

  function policyOf(node: string, instance: string): BpfMap {
    const found = played.nodes.get(node)?.instances.find(({ plan }) => plan.name === instance);
    if (!found) throw new Error(`${node} has no instance ${instance}`);
    return found.object.map('cilium_policy');
  }

  test.each([
    ['node1', 'lxc network', REQUEST, REPLY],
    ['node2', 'lxc nginx', REPLY, REQUEST],
  ] as const)(
    '%s, %s: the entry that allows everything counts each direction, replies too',
    (node, instance, sent, received) => {
      const policy = policyOf(node, instance);
      expect(policy.count).toBe(2);
      for (const [egress, counted] of [sent, received].map((part, i) => [1 - i, part] as const))
        expect(policy.get({ ...ANY, egress })).toMatchObject({
          ...{ packets: BigInt(counted.packets), bytes: BigInt(counted.bytes), deny: 0, proxy_port: 0 },
        });
    },
  );

  test('the host has no policy to count', () => {
    for (const node of ['node1', 'node2'])
      for (const device of ['cilium_host', 'eth0'])
        for (const { value } of policyOf(node, `host ${device}`).entries())
          expect(value).toMatchObject({ packets: 0n, bytes: 0n });
  });
});

describe('the Service', () => {
  test('remembers on node1 what the socket asked for', () => {
    expect([...mapOf('node1', 'cilium_lb4_reverse_sk').entries()]).toEqual([
      {
        key: expect.objectContaining({ address: SERVER, port: 80 }) as unknown,
        value: expect.objectContaining({ address: '172.16.16.87', port: 80 }) as unknown,
      },
    ]);
    expect(mapOf('node2', 'cilium_lb4_reverse_sk').count).toBe(0);
  });
});
