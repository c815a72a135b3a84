import type { Outcome, Redirect } from '../machine/outcome.js';
import type { Device } from './device.js';
import type { Skb } from './skb.js';

export type HookPoint = 'xdp' | 'tc-ingress' | 'tc-egress';

/** Return codes (include/uapi/linux/pkt_cls.h, bpf.h). */
export const TC = { UNSPEC: -1, OK: 0, SHOT: 2, STOLEN: 4, REDIRECT: 7, TRAP: 8 } as const;
export const XDP = { ABORTED: 0, DROP: 1, PASS: 2, TX: 3, REDIRECT: 4 } as const;

/** Where a hook runs. */
export interface HookView {
  readonly point: HookPoint;
  readonly device: Device;
  /** Nanoseconds of the network's clock. */
  readonly now: bigint;
}

export interface HookResult {
  /** Signed return value. */
  readonly verdict: number;
  /** Name of the verdict if it is not plain. */
  readonly verdictName?: string;
  readonly redirect?: Redirect;
  /** Copies that clone_redirect sent, in order. */
  readonly clones?: readonly { readonly ifindex: number; readonly ingress: boolean; readonly skb: Skb }[];
  /** Low 16 bits become tc_index when the packet is accepted (tc_classid). */
  readonly classId?: number;
  readonly outcome?: Outcome;
}

/** A program on a device. It changes the skb it is given. */
export interface Hook {
  readonly name: string;
  run(skb: Skb, view: HookView): HookResult;
}

/** A hook from a function. */
export function hookOf(name: string, run: (skb: Skb, view: HookView) => HookResult): Hook {
  return { name, run };
}

const TC_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(TC).map(([name, value]) => [value, `TC_ACT_${name}`]),
);
const XDP_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(XDP).map(([name, value]) => [value, `XDP_${name}`]),
);

export function hookVerdictName(point: HookPoint, verdict: number): string {
  return (point === 'xdp' ? XDP_NAMES : TC_NAMES)[verdict] ?? String(verdict);
}

/** What a direct-action classifier makes of a return value: whatever is no action continues (cls_bpf_exec_opcode). */
export function tcAction(verdict: number): number {
  return verdict in TC_NAMES ? verdict : TC.UNSPEC;
}
