import type { Device } from './device.js';
import type { Skb } from './skb.js';
import { runTc } from './tc.js';

/** Nested egress redirects the kernel allows (XMIT_RECURSION_LIMIT). */
const RECURSION_LIMIT = 8;

/** Sends a frame out of a device: tc egress, taps, driver (__dev_queue_xmit). */
export function transmit(device: Device, skb: Skb): void {
  const { namespace } = device;
  if (!namespace.passes(skb, device)) return;
  if (!device.up) {
    namespace.drop(skb, 'device down', `${device.name} is down`, device);
    return;
  }
  const decision = runTc(device, skb, 'tc-egress');
  if (decision === 'done') return;
  if (decision === 'pass') {
    hardTransmit(device, skb);
    return;
  }
  const { host } = namespace;
  if (host.redirectDepth >= RECURSION_LIMIT) {
    namespace.drop(skb, 'forwarding loop', `more than ${RECURSION_LIMIT} redirects in a row on egress`, device);
    return;
  }
  host.redirectDepth++;
  try {
    namespace.redirect(device, skb, decision, 'tc-egress');
  } finally {
    host.redirectDepth--;
  }
}

/** Behind the queueing discipline: where xdp's own redirects enter too (dev_hard_start_xmit). */
export function hardTransmit(device: Device, skb: Skb): void {
  const { namespace } = device;
  const { network } = namespace;
  const wait = device.fairQueue && skb.tstamp > network.now ? skb.tstamp - network.now : 0n;
  if (wait > 0n) {
    network.schedule(wait, () => leave(device, skb));
    return;
  }
  leave(device, skb);
}

function leave(device: Device, skb: Skb): void {
  const { namespace } = device;
  // Devices here have one queue: picking it overwrites what programs stored (netdev_core_pick_tx).
  skb.queueMapping = 0;
  namespace.record(skb, { kind: 'transmit', fields: skb.fields() }, device);
  device.capture.add('out', skb, namespace.network.now);
  device.driver.transmit(skb);
}
