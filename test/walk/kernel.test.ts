import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ObjectKind } from '../../src/cilium/state/node-objects.js';
import { isAsExpected, walk } from '../../src/network/walk/walk.js';
import { Kernel } from '../../src/oracle/kernel.js';
import { OBJECTS } from '../datapath/node.js';
import { skbFieldsOf } from '../support/kernel-input.js';
import { mapContents } from '../support/kernel-maps.js';
import { namespaceTrouble } from '../support/namespace.js';
import { bundledScenario, readExtending } from '../support/scenarios.js';
import { type HookRun, hookEntries, hookRuns } from './hook-runs.js';
import { type KernelHookRun, KernelReplay } from './kernel-replay.js';
import { skbState } from './skb-state.js';

// Every run of a program on a tc hook during the walk, again in the kernel: the same packet and skb state in, the same maps.
// hook-run.c gives the skb what BPF_PROG_TEST_RUN cannot: tunnel metadata, tag, packet type, tc_index, queue_mapping.
// Not visible there: the target of a redirect, and events (no perf buffer is open).

const SCENARIOS = [
  'pod-to-service',
  'per-packet-lb',
  'native-routing',
  'endpoint-routes',
  'ipv6',
  'nodeport-snat',
  'pod-to-world',
  'same-node',
  'broken/ingress-policy',
  'broken/egress-deny',
  'broken/no-backend',
  'broken/fragment',
  'broken/vlan',
  'broken/host-firewall',
] as const;

/** From a node itself to Pods on it and on the other node: the way over cilium_host. */
const NODE_TO_POD = `
extends: ipv6.yaml
name: node-to-pod
flows:
  - { name: local, from: { node: node1 }, to: { address: 10.0.0.250, port: 80 } }
  - { name: remote, from: { node: node1 }, to: { address: 10.0.1.60, port: 80 } }
  - { name: local6, from: { node: node1 }, to: { address: 'fd00:10:0::fa', port: 80 } }
  - { name: remote6, from: { node: node1 }, to: { address: 'fd00:10:0:1::3c', port: 80 } }
`;

const CASES: readonly (readonly [name: string, text: string])[] = [
  ...SCENARIOS.map((name) => [name, bundledScenario(name)] as const),
  ['node-to-pod', NODE_TO_POD],
];

/** Written by the programs on socket addresses, which the kernel does not test-run. */
const SOCKET_MAPS = ['cilium_lb4_reverse_sk', 'cilium_lb6_reverse_sk'];

const available = Kernel.available();
const trouble = available.ok ? namespaceTrouble('ip link add name near type veth peer name far') : available.reason;
if (trouble) console.log(`walk/kernel.test.ts skipped: ${trouble}`);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What can be compared of a run, and what was recorded of it. */
const recorded = ({ label, outcome, after }: HookRun): unknown => ({
  label,
  retval: outcome.retval,
  packet: hex(after.bytes),
  mark: after.mark,
  priority: after.priority,
  cb: after.cb,
  tstamp: after.tstamp,
  ...skbState(after),
});
const seen = ({ label }: HookRun, { retval, packet, context, state }: KernelHookRun): unknown => ({
  label,
  retval,
  packet: hex(packet),
  ...skbFieldsOf(context!),
  ...state,
});

describe.skipIf(trouble)('the kernel gives what every hook of the walk gave', () => {
  let replay: KernelReplay;
  beforeAll(() => {
    const file = (name: ObjectKind): Uint8Array =>
      readFileSync(new URL(`../../bpf-objects/bpf_${name}.o`, import.meta.url));
    replay = new KernelReplay(
      { lxc: file('lxc'), host: file('host'), overlay: file('overlay'), sock: file('sock') },
      OBJECTS,
    );
  });
  afterAll(() => replay?.close());

  test.each(CASES)('%s', (name, text) => {
    const walked = walk(readExtending(text, `${name}.yaml`), {
      objects: () => OBJECTS,
      record: { recordAccesses: true },
    });
    for (const flow of walked.flows) expect([flow.label, isAsExpected(walked, flow)]).toEqual([flow.label, true]);
    let compared = 0;
    for (const node of walked.nodes.values()) {
      const runs = hookRuns(walked, node);
      if (!runs.length) continue;
      const { results, maps } = replay.run(node, walked.built.hosts.get(node.node.name)!.root, runs);
      expect(runs.map((run, n) => seen(run, results[n]!))).toEqual(runs.map(recorded));
      for (const { map, entries } of maps) {
        if (SOCKET_MAPS.includes(map.name)) continue;
        expect({ [map.name]: mapContents(map, entries) }).toEqual({ [map.name]: mapContents(map, map.entryBytes()) });
      }
      compared += runs.length;
    }
    const sockets = walked.built.network.journal.entries.filter(({ step }) => step.kind === 'socket').length;
    console.log(
      `${name}: ${compared} hook runs equal in the kernel; ${sockets} runs on socket addresses, which it cannot test-run`,
    );
    expect(compared).toBeGreaterThan(0);
    expect(compared).toBe(hookEntries(walked).length);
  });
});
