import { describe, expect, test } from 'vitest';
import { toJson } from '../../src/cli/format.js';
import { accountJson } from '../../src/network/account/json.js';
import { accountText } from '../../src/network/account/text.js';
import { walkRecord } from '../../src/network/walk/record.js';
import { dropsOf, isAsExpected } from '../../src/network/walk/walk.js';
import { scenarioNames, walkBundled } from './walks.js';

const BROKEN = 'broken/';

describe('scenarios that work', () => {
  test.each(scenarioNames())('%s: every packet arrives', (name) => {
    const played = walkBundled(name);
    expect(played.flows).not.toHaveLength(0);
    for (const flow of played.flows) {
      expect(isAsExpected(played, flow)).toBe(true);
      expect(flow.result).toMatchObject({ completed: true, error: undefined, arrived: flow.result.sent });
      expect(dropsOf(played, flow)).toEqual([]);
    }
  });
});

/** What the account of a broken scenario has to tell. */
interface Cause {
  readonly reason: string;
  /** Line of the drop: device, reason, the programs and the source line, or the step of the network. */
  readonly line: RegExp;
  /** The words below it, in order. */
  readonly below: readonly (string | RegExp)[];
}

const key = (fields: string): string => `cilium_policy has no entry for { ${fields} }`;
const source = (file: string): string => `, ${file}\\.[ch]:\\d+$`;
const FROM_POD = 'cil_from_container > tail_handle_ipv4';
const FROM_POD_ALL = `${FROM_POD} > tail_ipv4_ct_egress > tail_handle_ipv4_cont`;
const FROM_OVERLAY = 'cil_from_overlay > tail_handle_ipv4 > tail_nodeport_nat_ingress_ipv4 > tail_handle_ipv4';
const TO_POD = `${FROM_OVERLAY} > cil_lxc_policy > tail_ipv4_ct_ingress_policy_only > tail_ipv4_policy`;
const CLIENT = 'node1 +lxc7d69da958e9b +drop +';
const program = (at: string, reason: string, chain: string, file: string): RegExp =>
  new RegExp(`^ +${at}${reason} by ${chain} > tail_drop_notify${source(file)}`);

/** In the order of the files' names. */
const CAUSES: Readonly<Record<string, Cause>> = {
  'backend-maintenance': {
    reason: 'NO_SERVICE',
    line: program(CLIENT, 'NO_SERVICE \\(158\\)', FROM_POD, 'bpf_lxc'),
    below: [
      /^no backend: cilium_lb4_services_v2\[.*\.address = 172\.16\.16\.87, \.dport = 80.*\.count = 0/,
      /has no usable backend/,
    ],
  },
  'backend-terminating': {
    reason: 'UNROUTABLE',
    line: program(
      'node2 +cilium_host +drop +',
      'UNROUTABLE \\(151\\)',
      'cil_from_host > tail_handle_ipv4_from_host',
      'bpf_host',
    ),
    below: [
      'cilium_lxc has no entry for { .ip4 = 10.0.1.61, .family = 1, .key = 0 }',
      'cilium_tunnel_map has no entry for { .ip4 = 10.0.1.0, .family = 1, .key = 0 }',
      /knows no endpoint and no route/,
    ],
  },
  'closed-port': {
    reason: 'port unreachable',
    line: /^ +node2\/nginx +eth0 +drop +port unreachable$/,
    below: ['no socket for 10.0.1.60 port 81 from 10.0.0.250 port 40000', /No socket .* is bound to the port/],
  },
  'egress-deny': {
    reason: 'POLICY_DENY',
    line: program(CLIENT, 'POLICY_DENY \\(181\\)', FROM_POD_ALL, 'bpf_lxc'),
    below: [
      'identity 1001 (network) -> 1002 (nginx)',
      /^denied by cilium_policy\[\{ \.sec_label = 1002, .*\.egress = 1 \}\] = \{.*\.deny = 1/,
      /A deny rule matched/,
    ],
  },
  'egress-policy': {
    reason: 'POLICY',
    line: program(CLIENT, 'POLICY \\(133\\)', FROM_POD_ALL, 'bpf_lxc'),
    below: [
      'identity 1001 (network) -> 1002 (nginx)',
      key('.sec_label = 1002, .dport = 80, .protocol = 6, .egress = 1'),
      key('.sec_label = 0, .dport = 80, .protocol = 6, .egress = 1'),
      key('.sec_label = 0, .dport = 0, .protocol = 6, .egress = 1'),
      key('.sec_label = 1002, .dport = 0, .protocol = 0, .egress = 1'),
      key('.sec_label = 0, .dport = 0, .protocol = 0, .egress = 1'),
      /No policy entry allows this identity, port and protocol/,
    ],
  },
  'endpoint-gone': {
    reason: 'ttl expired',
    line: /^ +node2 +cilium_net +drop +ttl expired$/,
    below: [
      'TTL is 1',
      'node2 forwarded it 62 times from cilium_net to cilium_host: it goes round',
      'cilium_lxc has no entry for { .ip4 = 10.0.1.60, .family = 1, .key = 0 }',
      'cilium_tunnel_map has no entry for { .ip4 = 10.0.1.0, .family = 1, .key = 0 }',
      /TTL or hop limit ran out/,
    ],
  },
  fragment: {
    reason: 'FRAG_NOT_FOUND',
    line: program(CLIENT, 'FRAG_NOT_FOUND \\(175\\)', `${FROM_POD} > tail_ipv4_ct_egress`, 'bpf_lxc'),
    below: [
      'cilium_ipv4_frag_datagrams has no entry for { .daddr = 10.0.1.60, .saddr = 10.0.0.250, .id = 1, .proto = 17 }',
      /first piece of the fragmented datagram was not seen/,
    ],
  },
  'full-conntrack': {
    reason: 'CT_CREATE_FAILED',
    line: program(CLIENT, 'CT_CREATE_FAILED \\(155\\)', FROM_POD_ALL, 'bpf_lxc'),
    below: [
      'update of cilium_ct4_global[{ .daddr = 10.0.0.250, .saddr = 10.0.1.60, .dport = 80, .sport = 40000, .nexthdr = 6, .flags = 0 }] was refused: E2BIG',
      /cilium_ct map is full/,
    ],
  },
  'host-firewall': {
    reason: 'POLICY',
    line: program(
      'node1 +eth0 +drop +',
      'POLICY \\(133\\)',
      'cil_from_netdev > tail_handle_ipv4_from_netdev > tail_nodeport_nat_ingress_ipv4 > tail_handle_ipv4_from_netdev',
      'bpf_host',
    ),
    below: [
      key('.sec_label = 2, .dport = 22, .protocol = 6, .egress = 0'),
      key('.sec_label = 0, .dport = 22, .protocol = 6, .egress = 0'),
      key('.sec_label = 0, .dport = 0, .protocol = 6, .egress = 0'),
      key('.sec_label = 2, .dport = 0, .protocol = 0, .egress = 0'),
      key('.sec_label = 0, .dport = 0, .protocol = 0, .egress = 0'),
      /No policy entry allows/,
    ],
  },
  'ingress-deny': {
    reason: 'POLICY_DENY',
    line: program('node2 +cilium_vxlan +drop +', 'POLICY_DENY \\(181\\)', TO_POD, 'bpf_lxc'),
    below: [
      'identity 1001 (network) -> 1002 (nginx)',
      /^denied by cilium_policy\[\{ \.sec_label = 1001, .*\.egress = 0 \}\] = \{.*\.deny = 1/,
      /A deny rule matched/,
    ],
  },
  'ingress-policy': {
    reason: 'POLICY',
    line: program('node2 +cilium_vxlan +drop +', 'POLICY \\(133\\)', TO_POD, 'bpf_lxc'),
    below: [
      'identity 1001 (network) -> 1002 (nginx)',
      key('.sec_label = 1001, .dport = 80, .protocol = 6, .egress = 0'),
      key('.sec_label = 0, .dport = 80, .protocol = 6, .egress = 0'),
      key('.sec_label = 0, .dport = 0, .protocol = 6, .egress = 0'),
      key('.sec_label = 1001, .dport = 0, .protocol = 0, .egress = 0'),
      key('.sec_label = 0, .dport = 0, .protocol = 0, .egress = 0'),
      /No policy entry allows/,
    ],
  },
  'lost-packet': {
    reason: 'lost on the wire',
    line: /^ +node1 +eth0 +drop +lost on the wire$/,
    below: ['wire underlay lost it', /loses packets/],
  },
  'missing-neighbour': {
    reason: 'neighbour unresolved',
    line: /^ +node1 +eth0 +drop +neighbour unresolved$/,
    below: ['nobody on eth0 answers for 192.168.1.254', /Nobody answered for the next hop/],
  },
  'missing-policy-program': {
    reason: 'MISSED_TAIL_CALL',
    line: program('node2 +cilium_vxlan +drop +', 'MISSED_TAIL_CALL \\(140\\)', FROM_OVERLAY, 'bpf_overlay'),
    below: [
      'slot 102 of cilium_call_policy is empty: no policy program of endpoint 102',
      /slot of the tail call is empty/,
    ],
  },
  'missing-tail-call': {
    reason: 'MISSED_TAIL_CALL',
    line: program(CLIENT, 'MISSED_TAIL_CALL \\(140\\)', 'cil_from_container', 'bpf_lxc'),
    below: ['slot 7 (IPV4_FROM_LXC) of cilium_calls is empty', /slot of the tail call is empty/],
  },
  'no-backend': {
    reason: 'NO_SERVICE',
    line: program(CLIENT, 'NO_SERVICE \\(158\\)', FROM_POD, 'bpf_lxc'),
    below: [
      /^no backend: cilium_lb4_services_v2\[.*\.address = 172\.16\.16\.87, \.dport = 80.*\.count = 0/,
      /has no usable backend/,
    ],
  },
  'no-route': {
    reason: 'no route',
    line: /^ +node1 +lxc7d69da958e9b +drop +no route$/,
    below: ['no route to 10.0.1.60', /`ip rule` and `ip route`/],
  },
  'source-range': {
    reason: 'NOT_IN_SRC_RANGE',
    line: program(
      'node1 +eth0 +drop +',
      'NOT_IN_SRC_RANGE \\(177\\)',
      'cil_from_netdev > tail_handle_ipv4_from_netdev',
      'bpf_host',
    ),
    below: [
      /^cilium_lb4_source_range has no entry for \{.*\.rev_nat_id = \d+, \.addr = 192\.168\.1\.99 \}$/,
      /not in the source ranges of the service/,
    ],
  },
  'spoofed-source': {
    reason: 'INVALID_SIP',
    line: program(CLIENT, 'INVALID_SIP \\(132\\)', FROM_POD, 'bpf_lxc'),
    below: [
      "source 10.0.0.250 does not fit the program's constant endpoint_ipv4 = 10.0.0.9",
      /sent from an address that is not its own/,
    ],
  },
  'too-big': {
    reason: 'mtu exceeded',
    line: /^ +node1 +lxc7d69da958e9b +drop +mtu exceeded$/,
    below: ['1480 bytes do not fit the MTU 1400 towards eth0', /larger than the MTU/],
  },
  'ttl-1': {
    reason: 'ttl expired',
    line: /^ +node1 +lxc7d69da958e9b +answer +ttl expired: tail_icmp4_send_time_exceeded sends ICMP time exceeded to 10\.0\.0\.250 in place of the packet, whose TTL was 1$/,
    below: [/TTL or hop limit ran out/],
  },
  'unknown-pod': {
    reason: 'UNROUTABLE',
    line: program(
      'node2 +cilium_host +drop +',
      'UNROUTABLE \\(151\\)',
      'cil_from_host > tail_handle_ipv4_from_host',
      'bpf_host',
    ),
    below: [
      'cilium_lxc has no entry for { .ip4 = 10.0.1.99, .family = 1, .key = 0 }',
      'cilium_tunnel_map has no entry for { .ip4 = 10.0.1.0, .family = 1, .key = 0 }',
      /knows no endpoint and no route/,
    ],
  },
  'unknown-service': {
    reason: 'no receiver',
    line: /^ +node1 +eth0 +drop +no receiver$/,
    below: [
      'the fabric of wire underlay knows nobody with 172.16.16.99',
      /^cilium_lb4_services_v2 has no entry for \{ \.address = 172\.16\.16\.99, \.dport = 80,/,
      /Nobody on the wire/,
    ],
  },
  vlan: {
    reason: 'VLAN_FILTERED',
    line: program('node1 +eth0 +drop +', 'VLAN_FILTERED \\(182\\)', 'cil_from_netdev', 'bpf_host'),
    below: ["VLAN 200 does not fit the program's constant vlan_allowed = 100", /list of allowed VLAN ids/],
  },
  'wrong-tunnel-endpoint': {
    reason: 'no receiver',
    line: /^ +node1 +eth0 +drop +no receiver$/,
    below: [
      'the fabric of wire underlay knows nobody with 192.168.1.77',
      /^tunnel endpoint 192\.168\.1\.77, which is nobody's address here, comes from cilium_ipcache\[.*\.ip4 = 10\.0\.1\.60 \}\] = \{.*\.tunnel_endpoint = 192\.168\.1\.77/,
      /Nobody on the wire/,
    ],
  },
};

describe('broken scenarios', () => {
  test('each has its cause here', () => {
    expect(scenarioNames(BROKEN)).toEqual(Object.keys(CAUSES).map((name) => BROKEN + name));
    expect(Object.keys(CAUSES).length).toBeGreaterThanOrEqual(20);
  });

  test.each(Object.entries(CAUSES))('%s: the right reason, and an account that names the cause', (name, cause) => {
    const played = walkBundled(BROKEN + name);
    expect(played.flows).toHaveLength(1);
    const [flow] = played.flows;
    expect(flow!.flow.expect).toEqual({ verdict: 'dropped', reason: cause.reason });
    expect(dropsOf(played, flow!)[0]?.reason).toBe(cause.reason);
    expect(isAsExpected(played, flow!)).toBe(true);
    const record = walkRecord(played);
    for (const verbose of [false, true]) {
      const lines = accountText(record, { verbose });
      const at = lines.findIndex((line) => / (drop|answer) {2,}/.test(line));
      expect(lines[at]).toMatch(cause.line);
      const own = lines.slice(at + 1).filter((line) => line.startsWith('        '));
      for (const [i, words] of cause.below.entries())
        expect(own[i]?.trim()).toEqual(typeof words === 'string' ? words : expect.stringMatching(words));
    }
    const json = JSON.parse(toJson(accountJson(record))) as { packets: { steps: Record<string, unknown>[] }[] };
    const told = json.packets.flatMap(({ steps }) => steps).find((step) => step.kind === 'drop' || step.answer);
    const { reason } = (told?.answer ?? told) as { reason: string };
    expect(reason.replace(/ \(\d+\)$/, '')).toBe(cause.reason);
  });

  test('a flow that ends otherwise is not as expected', () => {
    const played = walkBundled('broken/vlan');
    const [flow] = played.flows;
    const expecting = (expect: object) => ({ ...flow!, flow: { ...flow!.flow, expect } }) as typeof flow;
    expect(isAsExpected(played, expecting({ verdict: 'delivered' })!)).toBe(false);
    expect(isAsExpected(played, expecting({ verdict: 'dropped', reason: 'POLICY' })!)).toBe(false);
    expect(isAsExpected(played, expecting({ verdict: 'dropped' })!)).toBe(true);
  });

  test('a loop is told once, with the number of its rounds', () => {
    const lines = accountText(walkRecord(walkBundled('broken/endpoint-gone')));
    expect(lines.filter((line) => / forward /.test(line)).length).toBeLessThan(6);
    expect(lines.filter((line) => /^ +\.\.\. the last 5 steps \d+ times more$/.test(line))).toHaveLength(1);
  });
});
