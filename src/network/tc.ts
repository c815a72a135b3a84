import { formatFault } from '../machine/fault.js';
import type { Redirect } from '../machine/outcome.js';
import type { Device } from './device.js';
import { type Hook, type HookPoint, type HookResult, hookVerdictName, TC, tcAction } from './hooks.js';
import type { Skb } from './skb.js';

/** Runs one hook and writes it down. */
export function runHook(device: Device, skb: Skb, point: HookPoint, hook: Hook): HookResult {
  const { namespace } = device;
  const before = { ...skb.fields(), bytes: skb.bytes.slice() };
  const result = hook.run(skb, { point, device, now: namespace.network.now });
  namespace.record(
    skb,
    {
      kind: 'hook',
      hook: point,
      name: hook.name,
      verdict: result.verdictName ?? hookVerdictName(point, result.verdict),
      outcome: result.outcome,
      before,
      after: { ...skb.fields(), bytes: skb.bytes.slice() },
    },
    device,
  );
  return result;
}

/** Ends a packet whose program did wrong. True if it did. */
export function droppedByFault(device: Device, skb: Skb, hook: Hook, result: HookResult): boolean {
  const fault = result.outcome?.fault;
  if (fault) device.namespace.drop(skb, 'program fault', `${hook.name}: ${formatFault(fault)}`, device);
  return fault !== undefined;
}

/**
 * The programs of a device's clsact qdisc, in order, until one decides (sch_handle_ingress, sch_handle_egress). 'done': the
 * packet has ended or gone elsewhere.
 */
export function runTc(device: Device, skb: Skb, point: 'tc-ingress' | 'tc-egress'): 'pass' | 'done' | Redirect {
  const { namespace } = device;
  for (const hook of device.hooks(point)) {
    const result = runHook(device, skb, point, hook);
    for (const clone of result.clones ?? []) namespace.cloneRedirect(device, clone);
    if (droppedByFault(device, skb, hook, result)) return 'done';
    switch (tcAction(result.verdict)) {
      case TC.UNSPEC:
        continue;
      case TC.OK:
        // tc_run stores the minor class number there.
        skb.tcIndex = (result.classId ?? 0) & 0xffff;
        return 'pass';
      case TC.SHOT:
        namespace.drop(skb, 'hook verdict', `${hook.name} on ${point} of ${device.name} says TC_ACT_SHOT`, device);
        return 'done';
      case TC.REDIRECT:
        if (result.redirect) return result.redirect;
        namespace.drop(skb, 'redirect failed', `${hook.name} names no device to redirect to`, device);
        return 'done';
      default:
        namespace.record(skb, { kind: 'consume', by: hook.name }, device);
        return 'done';
    }
  }
  return 'pass';
}
