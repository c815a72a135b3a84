import type { Device, Driver } from './device.js';
import { LINK_OVERHEAD } from './redirect.js';

/** Makes two devices a veth pair: what leaves one arrives at the other (veth_xmit, __dev_forward_skb). */
export function pairVeth(a: Device, b: Device): void {
  a.driver = vethDriver(a, b);
  b.driver = vethDriver(b, a);
}

function vethDriver(device: Device, peer: Device): Driver {
  return {
    peer,
    transmit(skb) {
      const { namespace } = device;
      if (!peer.up) {
        namespace.drop(skb, 'device down', `${peer.name}, the peer of ${device.name}, is down`, device);
        return;
      }
      const most = peer.mtu + LINK_OVERHEAD;
      if (skb.bytes.length > most) {
        namespace.drop(
          skb,
          'mtu exceeded',
          `${skb.bytes.length} bytes do not fit the ${most} that ${peer.name} with MTU ${peer.mtu} takes`,
          device,
        );
        return;
      }
      skb.scrub(namespace !== peer.namespace);
      skb.priority = 0;
      skb.arriveAt(peer);
      peer.namespace.network.backlog(peer, skb);
    },
  };
}
