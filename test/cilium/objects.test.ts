import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { attachments, type LoadedAttachment, loadPlan } from '../../src/cilium/state/load.js';
import { canonicalMapName } from '../../src/cilium/state/map-names.js';
import type { ObjectKind, ObjectSpecs } from '../../src/cilium/state/node-objects.js';
import { planNode } from '../../src/cilium/state/plan.js';
import type { NodePlan } from '../../src/cilium/state/plan-types.js';
import { Machine } from '../../src/machine/machine.js';
import type { Outcome } from '../../src/machine/outcome.js';
import { resolveCluster } from '../../src/network/scenario/cluster.js';
import { readScenario } from '../../src/network/scenario/read.js';
import { loadObject } from '../../src/object/load.js';
import { parseMac } from '../../src/packet/addresses.js';
import { formatPacket } from '../../src/packet/print.js';
import { buildPacket } from '../../src/packet/words.js';
import { bundledScenario } from '../support/scenarios.js';

/**
 * The programs of whole datapaths with the state that is planned for them: the request's first packet and its answer through
 * the programs of both nodes. Directories with bpf_lxc.o, bpf_host.o, bpf_overlay.o (and bpf_sock.o) are looked for below
 * OFFKERNEL_CILIUM_OBJECTS (several: separated by `:`), besides offkernel's own datapath.
 */
const own = fileURLToPath(new URL('../../bpf-objects', import.meta.url));
if (!process.env.OFFKERNEL_CILIUM_OBJECTS)
  console.log('only the bundled datapath is planned for: OFFKERNEL_CILIUM_OBJECTS names no folders with others');
const folders = [own, ...(process.env.OFFKERNEL_CILIUM_OBJECTS?.split(':') ?? [])].flatMap(datapaths);

function datapaths(folder: string): string[] {
  if (!existsSync(folder)) return [];
  if (existsSync(join(folder, 'bpf_lxc.o')))
    return existsSync(join(folder, 'bpf_overlay.o')) && existsSync(join(folder, 'bpf_host.o')) ? [folder] : [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => datapaths(join(folder, entry.name)));
}

function readObjects(folder: string): ObjectSpecs {
  const kinds: ObjectKind[] = ['lxc', 'host', 'overlay', 'sock'];
  return Object.fromEntries(
    kinds
      .map((kind) => [kind, join(folder, `bpf_${kind}.o`)] as const)
      .filter(([, file]) => existsSync(file))
      .map(([kind, file]) => [kind, loadObject(readFileSync(file), { name: basename(file) })]),
  );
}

const CLIENT = '10.0.0.250:40418';
const BACKEND = '10.0.1.60:80';
const SERVICE = '172.16.16.87:80';

/** struct bpf_tunnel_key: the remote address is a number in host order. */
interface TunnelKey {
  id: number;
  remote: string;
}

/** A node with its programs loaded; tunnel metadata are kept here. */
class Node {
  readonly plan: NodePlan;
  readonly machine = Machine.create();
  readonly programs: LoadedAttachment[];
  sent: TunnelKey | undefined;
  received = 0;

  constructor(plan: NodePlan, specs: ObjectSpecs) {
    this.plan = plan;
    this.machine.environment.devices = [...plan.devices.values()].map(({ name, ifindex, mac }) => ({
      name,
      ifindex,
      mac: parseMac(mac),
      mtu: 1500,
      up: true,
      forwarding: true,
    }));
    this.machine.syncDevices();
    this.programs = attachments(loadPlan(this.machine, plan, specs));
    this.machine.setHelper('skb_set_tunnel_key', (call) => {
      const key = call.read(call.arg(2), 8);
      this.sent = { id: new DataView(key.buffer).getUint32(0, true), remote: [...key.subarray(4)].reverse().join('.') };
      return 0;
    });
    this.machine.setHelper('skb_get_tunnel_key', (call) => {
      const key = new Uint8Array(call.u32(3));
      new DataView(key.buffer).setUint32(0, this.received, true);
      call.write(call.arg(2), key);
      return 0;
    });
  }

  ingress(device: string, packet: Uint8Array): Outcome {
    const found = this.programs.find((program) => program.device === device && program.hook === 'tc-ingress')!;
    const { ifindex } = this.plan.devices.get(device)!;
    const program = found.instance.object.program(found.program);
    return program.run({ packet, context: { ifindex, ingress_ifindex: ifindex } });
  }
}

/** Reason of the drop event, undefined if there was none. */
function dropReason(outcome: Outcome): number | undefined {
  const event = outcome.events.find((candidate) => candidate.kind === 'perf' && candidate.data[0] === 1);
  return event?.kind === 'perf' ? event.data[1] : undefined;
}

function describeOutcome(outcome: Outcome): string {
  return [outcome.verdict, ...outcome.tailCalls, outcome.fault ? `fault ${outcome.fault.kind}` : ''].join(' ');
}

const DROPS = { POLICY: 133, POLICY_DENY: 181, NO_SERVICE: 158 } as const;

describe.each(folders)('%s', (folder) => {
  const specs = readObjects(folder);
  const text = bundledScenario('pod-to-service').replace('socketLB: true', 'socketLB: SOCKET_LB');
  /** A node of the bundled scenario; `more` is added to it. */
  const node = (name: string, socketLB: boolean, ...more: string[]) => {
    const settings = text.replace('SOCKET_LB', String(socketLB)).replace('routing: tunnel', `routing: ${routing}`);
    const changed = resolveCluster(readScenario([settings, ...more].join('\n'), 'scenario.yaml'));
    return new Node(planNode(changed, name, specs), specs);
  };
  const cluster = resolveCluster(readScenario(bundledScenario('pod-to-service'), 'scenario.yaml'));
  const { constants, instances } = planNode(cluster, 'node1', specs);
  const isConfigured = instances.some(({ config }) => config.encap_ifindex !== undefined);
  const routing = isConfigured || constants.encapIfindex !== undefined ? 'tunnel' : 'native';
  const entry = specs.lxc!.functions.find(({ name }) => name === 'tail_handle_ipv4');
  const hasPacketLB = entry!.relocations.some(
    (relocation) => relocation.kind === 'map' && canonicalMapName(relocation.map) === 'cilium_lb4_services_v2',
  );

  const syn = (destination: string) => buildPacket(`tcp ${CLIENT} > ${destination} syn`);
  const synAck = buildPacket(`tcp ${BACKEND} > ${CLIENT} flags=S.`);
  const pod1 = 'lxc7d69da958e9b';
  const pod2 = 'lxc493a9120593a';

  const loadBalancers = hasPacketLB ? [BACKEND, SERVICE] : [BACKEND];
  it.each(loadBalancers)('takes a packet for %s to the other node and the answer back', (destination) => {
    const [node1, node2] = ['node1', 'node2'].map((name) => node(name, destination === BACKEND)) as [Node, Node];
    const sent = node1.ingress(pod1, syn(destination));
    expect(dropReason(sent), describeOutcome(sent)).toBeUndefined();
    expect(formatPacket(sent.packet!)).toContain('10.0.0.250.40418 > 10.0.1.60.80: Flags [S]');
    if (routing === 'native') {
      expect(sent.verdict).toBe('TC_ACT_OK');
      return;
    }
    const tunnel = (node: Node) => node.plan.devices.get('cilium_vxlan')!.ifindex;
    expect(sent.redirect?.ifindex, describeOutcome(sent)).toBe(tunnel(node1));
    expect(node1.sent).toEqual({ id: 1001, remote: '192.168.1.13' });

    node2.received = node1.sent!.id;
    const arrived = node2.ingress('cilium_vxlan', sent.packet!);
    expect(arrived.tailCalls, describeOutcome(arrived)).toContain('tail_ipv4_policy');
    expect(dropReason(arrived)).toBeUndefined();
    // Builds with NO_REDIRECT up to 1.12 leave delivery to the kernel.
    if (arrived.redirect) expect(arrived.redirect.ifindex).toBe(node2.plan.devices.get(pod2)!.ifindex);
    else expect(arrived.verdict).toBe('TC_ACT_OK');

    const answered = node2.ingress(pod2, synAck);
    expect(answered.redirect?.ifindex, describeOutcome(answered)).toBe(tunnel(node2));
    expect(node2.sent).toEqual({ id: 1002, remote: '192.168.1.15' });

    node1.received = node2.sent!.id;
    const delivered = node1.ingress('cilium_vxlan', answered.packet!);
    expect(delivered.tailCalls, describeOutcome(delivered)).toContain('tail_ipv4_policy');
    const source = destination.replace(':', '.');
    expect(formatPacket(delivered.packet!)).toContain(`${source} > 10.0.0.250.40418: Flags [S.]`);
  });

  const select = (pod: string) => `  - endpointSelector: { matchLabels: { app: ${pod} } }`;
  it.each([
    ['nothing is allowed out', [select('network'), '    egress: []'], DROPS.POLICY],
    [
      'another port is allowed',
      [select('network'), '    egress: [{ toPorts: [{ ports: [{ port: 81, protocol: TCP }] }] }]'],
      DROPS.POLICY,
    ],
    [
      'the port is allowed',
      [select('network'), '    egress: [{ toPorts: [{ ports: [{ port: 80, protocol: TCP }] }] }]'],
      undefined,
    ],
    [
      'a range with the port is allowed',
      [select('network'), '    egress: [{ toPorts: [{ ports: [{ port: 70, endPort: 90, protocol: TCP }] }] }]'],
      undefined,
    ],
    [
      'the backend is allowed',
      [select('network'), '    egress: [{ toEndpoints: [{ matchLabels: { app: nginx } }] }]'],
      undefined,
    ],
    [
      'the backend is denied',
      [select('network'), '    egress: [{}]', '    egressDeny: [{ toEndpoints: [{ matchLabels: { app: nginx } }] }]'],
      DROPS.POLICY_DENY,
    ],
    [
      'the port is allowed and the backend denied',
      [
        select('network'),
        '    egress: [{ toPorts: [{ ports: [{ port: 80, protocol: TCP }] }] }]',
        '    egressDeny: [{ toEndpoints: [{ matchLabels: { app: nginx } }] }]',
      ],
      DROPS.POLICY_DENY,
    ],
  ])('follows policies: %s', (_, lines, expected) => {
    const node1 = node('node1', true, 'policies:', ...lines);
    const outcome = node1.ingress(pod1, syn(BACKEND));
    expect(dropReason(outcome), describeOutcome(outcome)).toBe(expected);
  });

  it.runIf(routing === 'tunnel')('follows the policy of the receiving Pod', () => {
    const node2 = node('node2', true, 'policies:', select('nginx'), '    ingress: [{ fromEntities: [remote-node] }]');
    node2.received = 1001;
    expect(dropReason(node2.ingress('cilium_vxlan', syn(BACKEND)))).toBe(DROPS.POLICY);
  });

  it.runIf(hasPacketLB)('drops what has no backend', () => {
    const node1 = node(
      'node1',
      false,
      'overrides: { node1: { maps: { cilium_lb4_services_v2: { delete: [{ backend_slot: 1 }] } } } }',
    );
    expect(dropReason(node1.ingress(pod1, syn(SERVICE)))).toBe(DROPS.NO_SERVICE);
  });

  it.runIf(specs.sock)('translates the address at connect()', () => {
    const node1 = node('node1', true);
    const connect = node1.programs.find(({ hook }) => hook === 'cgroup_inet4_connect')!;
    const outcome = connect.instance.object.program(connect.program).run({
      context: { user_family: 2, family: 2, type: 1, protocol: 6, user_ip4: '172.16.16.87', user_port: 80 },
    });
    expect(outcome.verdict, outcome.fault?.kind).toBe('ALLOW');
    const context = new DataView(outcome.context.buffer, outcome.context.byteOffset);
    expect([...outcome.context.subarray(4, 8)]).toEqual([10, 0, 1, 60]);
    expect(context.getUint16(24, false)).toBe(80);
  });
});
