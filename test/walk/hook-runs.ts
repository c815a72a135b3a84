import type { LoadedInstance } from '../../src/cilium/state/load.js';
import { attachments } from '../../src/cilium/state/load.js';
import type { JournalEntry, Step } from '../../src/network/journal.js';
import type { Walk, WalkedNode } from '../../src/network/walk/walk.js';

/** A program's run on a tc hook, as the walk recorded it. */
export interface HookRun {
  readonly label: string;
  readonly instance: LoadedInstance;
  readonly program: string;
  readonly ifindex: number;
  readonly before: HookStep['before'];
  readonly after: HookStep['after'];
  readonly outcome: NonNullable<HookStep['outcome']>;
}

type HookStep = Extract<Step, { kind: 'hook' }>;

/** Every run of a program on a packet on one node, in order. */
export function hookRuns(walk: Walk, node: WalkedNode): HookRun[] {
  const { root } = walk.built.hosts.get(node.node.name)!;
  const attached = attachments(node.instances);
  return hookEntries(walk)
    .filter(({ at }) => at.host === node.node.name)
    .map(({ at, step, packet }) => {
      const label = `packet ${packet}: ${step.name}, ${step.hook} of ${at.host} ${at.device}`;
      const found = attached.find(
        ({ device, hook, program }) => device === at.device && hook === step.hook && program === step.name,
      );
      if (!found || !step.outcome) throw new Error(`${label}: no program is attached there`);
      const { before, after, outcome } = step;
      const { ifindex } = root.device(at.device!);
      return { label, instance: found.instance, program: step.name, ifindex, before, after, outcome };
    });
}

/** Runs of programs on packets in the journal. */
export function hookEntries({ built }: Walk): (JournalEntry & { step: HookStep })[] {
  return built.network.journal.entries.filter(
    (entry): entry is JournalEntry & { step: HookStep } => entry.step.kind === 'hook',
  );
}

/** Instances that run or are tail-called on a node: the others need not be loaded. */
export function usedInstances(node: WalkedNode, runs: readonly HookRun[]): LoadedInstance[] {
  const used = new Set(runs.map(({ instance }) => instance));
  const called = new Set(
    runs.flatMap(({ outcome }) =>
      outcome.accesses.flatMap(({ operation, value }) => (operation === 'tail call' && value ? [number(value)] : [])),
    ),
  );
  for (const instance of node.instances)
    if (instance.object.programs.some(({ descriptor }) => called.has(descriptor))) used.add(instance);
  return node.instances.filter((instance) => used.has(instance));
}

/** The u32 that an element of a program array is. */
export function number(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}
