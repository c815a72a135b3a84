import { decodeRunEvent } from '../../cilium/events/run-event.js';
import { attachments, type LoadedInstance, loadPlan } from '../../cilium/state/load.js';
import type { ObjectSpecs } from '../../cilium/state/node-objects.js';
import { planNode } from '../../cilium/state/plan.js';
import { UsageError } from '../../errors.js';
import { Machine } from '../../machine/machine.js';
import type { Outcome } from '../../machine/outcome.js';
import { answerOf } from '../account/answers.js';
import { isStep } from '../account/journeys.js';
import type { HookPoint } from '../hooks.js';
import type { JournalEntry } from '../journal.js';
import { type HookRunOptions, ProgramAddressHook, ProgramHook } from '../program-hook.js';
import { type Cluster, resolveCluster } from '../scenario/cluster.js';
import type { Scenario } from '../scenario/schema.js';
import type { AddressHookPoint } from '../sockets.js';
import { type PlayedFlow, playFlow, type ReadFile } from './play.js';
import { buildClusterNetwork, type ClusterNetwork, type NodeSite } from './topology.js';

export interface WalkOptions {
  /** Objects of a node. */
  objects: (node: string) => ObjectSpecs;
  /** Reads a capture that a flow names. Default: none can be read. */
  readFile?: ReadFile;
  /** What every run of a program records. */
  record?: HookRunOptions;
  /** CPUs of every node. Default 2. */
  cpus?: number;
  /** Called before a flow is played. */
  progress?: (flow: string, index: number, total: number) => void;
}

/** A node with what runs on it. */
export interface WalkedNode extends NodeSite {
  readonly instances: readonly LoadedInstance[];
}

/** A drop, from the network or from a program, or the answer of a program in the packet's place. */
export interface WalkDrop {
  readonly entry: JournalEntry;
  /** Cilium's name of the reason without DROP_, or the network's reason. */
  readonly reason: string;
}

/** A scenario that was played. */
export interface Walk {
  readonly scenario: Scenario;
  readonly cluster: Cluster;
  readonly built: ClusterNetwork;
  readonly nodes: ReadonlyMap<string, WalkedNode>;
  readonly flows: readonly PlayedFlow[];
}

const TC_HOOKS: Readonly<Record<string, HookPoint>> = { 'tc-ingress': 'tc-ingress', 'tc-egress': 'tc-egress' };

/** Address hooks by the kernel's names of attach types. */
const ADDRESS_HOOKS: Readonly<Record<string, AddressHookPoint>> = Object.fromEntries(
  (['connect', 'sendmsg', 'recvmsg', 'getpeername'] as const).flatMap((call) =>
    ([4, 6] as const).map((family) => [
      call === 'connect' || call === 'getpeername' ? `cgroup_inet${family}_${call}` : `cgroup_udp${family}_${call}`,
      `${call}${family}`,
    ]),
  ),
);

/**
 * Plays every flow of a scenario over the hooks of all nodes. Throws UsageError, LoadError or MapError for scenarios and objects
 * that do not fit each other.
 */
export function walk(scenario: Scenario, options: WalkOptions): Walk {
  const cluster = resolveCluster(scenario);
  const nodes = new Map<string, WalkedNode>();
  for (const node of cluster.nodes) {
    const specs = options.objects(node.name);
    const plan = planNode(cluster, node.name, specs);
    const machine = Machine.create({ cpus: options.cpus ?? 2 });
    nodes.set(node.name, { node, plan, machine, instances: loadPlan(machine, plan, specs) });
  }
  const built = buildClusterNetwork(cluster, nodes);
  for (const node of nodes.values()) attachPrograms(built, node, options.record ?? { recordMaps: true });
  const readFile: ReadFile =
    options.readFile ??
    ((path) => {
      throw new UsageError(`${path} cannot be read here`);
    });
  const flows = cluster.flows.map((flow, index) => {
    const label = flow.name ?? `flow ${index + 1}`;
    options.progress?.(label, index, cluster.flows.length);
    return playFlow(cluster, built, flow, label, readFile);
  });
  return { scenario, cluster, built, nodes, flows };
}

function attachPrograms(built: ClusterNetwork, node: WalkedNode, record: HookRunOptions): void {
  const host = built.hosts.get(node.node.name)!;
  for (const { program, device, hook, instance } of attachments(node.instances)) {
    const loaded = instance.object.program(program);
    const point = TC_HOOKS[hook];
    const addressPoint = ADDRESS_HOOKS[hook];
    if (point && device !== undefined) host.root.device(device).attach(point, new ProgramHook(loaded, record));
    // The other cgroup hooks (bind, post_bind, sock_release) have no part in the way of a packet.
    else if (addressPoint) host.attachAddressHook(addressPoint, new ProgramAddressHook(loaded, record));
  }
}

/** Cilium's name of the reason for which a run dropped a packet; undefined if it sent no drop event. */
export function dropReasonOf(outcome: Outcome | undefined): string | undefined {
  for (const event of outcome?.events ?? []) {
    const decoded = decodeRunEvent(event);
    if (decoded?.type === 'drop') return decoded.reasonName;
  }
  return undefined;
}

/** What ended packets of a flow, in order. */
export function dropsOf({ built }: Walk, flow: PlayedFlow): WalkDrop[] {
  const { journal } = built.network;
  return flow.packets.flatMap((packet) => {
    const entries = journal.of(packet);
    return entries.flatMap((entry, i): WalkDrop[] => {
      const answer = isStep(entry, 'hook') ? answerOf(entry) : undefined;
      if (answer) return [{ entry, reason: answer.reason }];
      if (entry.step.kind !== 'drop') return [];
      const hook = entries
        .slice(0, i)
        .reverse()
        .find(({ step }) => step.kind === 'hook')?.step;
      const own =
        entry.step.reason === 'hook verdict' && hook?.kind === 'hook' ? dropReasonOf(hook.outcome) : undefined;
      return [{ entry, reason: own ?? entry.step.reason }];
    });
  });
}

/** Whether a flow ended as the scenario expects. */
export function isAsExpected(played: Walk, flow: PlayedFlow): boolean {
  const { verdict, reason } = flow.flow.expect;
  if (verdict === 'delivered') return flow.result.completed;
  if (flow.result.completed) return false;
  return reason === undefined || dropsOf(played, flow).some((drop) => drop.reason === reason);
}
