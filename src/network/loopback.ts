import type { Device, Driver } from './device.js';

/** What goes into lo comes out of it (loopback_xmit). */
export function loopbackDriver(device: Device): Driver {
  return {
    transmit(skb) {
      skb.clearTstamp();
      skb.arriveAt(device);
      device.namespace.network.backlog(device, skb);
    },
  };
}
