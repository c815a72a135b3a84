import type { Device } from './device.js';
import { XDP } from './hooks.js';
import { ETH_ARP, ETH_IPV4, ETH_IPV6 } from './ip.js';
import { PacketType, type Skb } from './skb.js';
import { droppedByFault, runHook, runTc } from './tc.js';
import { hardTransmit } from './transmit.js';

/** A frame arrives on a device: xdp, taps, tc ingress, network layer (__netif_receive_skb_core). */
export function receive(start: Device, skb: Skb): void {
  if (!start.up) {
    start.namespace.drop(skb, 'device down', `${start.name} is down`, start);
    return;
  }
  if (!passesXdp(start, skb)) return;
  let device: Device | undefined = start;
  // redirect_peer starts another round on the peer's device.
  while (device) device = round(device, skb);
}

function round(device: Device, skb: Skb): Device | undefined {
  const { namespace } = device;
  if (!namespace.passes(skb, device)) return undefined;
  skb.ingressIfindex = device.ifindex;
  skb.untag();
  namespace.record(skb, { kind: 'receive', fields: skb.fields() }, device);
  device.capture.add('in', skb, namespace.network.now);
  const decision = runTc(device, skb, 'tc-ingress');
  if (decision === 'done') return undefined;
  if (decision !== 'pass') return namespace.redirect(device, skb, decision, 'tc-ingress');
  toNetworkLayer(device, skb);
  return undefined;
}

function toNetworkLayer(device: Device, skb: Skb): void {
  const { namespace } = device;
  skb.metadata = new Uint8Array();
  // No VLAN devices here: a tag with an id makes the frame someone else's, id 0 is a priority alone.
  if (skb.vlan && (skb.vlan.tci & 0xfff) !== 0) skb.packetType = PacketType.OTHERHOST;
  skb.vlan = undefined;
  if (skb.packetType === PacketType.OTHERHOST) {
    namespace.drop(skb, 'not for this host', `the destination MAC is not that of ${device.name}`, device);
    return;
  }
  if (skb.protocol === ETH_ARP) namespace.arpInput(device, skb);
  else if (skb.protocol === ETH_IPV4 || skb.protocol === ETH_IPV6) namespace.ipInput(device, skb);
  else {
    const type = skb.protocol.toString(16).padStart(4, '0');
    namespace.drop(skb, 'unknown protocol', `no one takes EtherType 0x${type}`, device);
  }
}

/** False if the packet ended at the device's xdp program. */
function passesXdp(device: Device, skb: Skb): boolean {
  const [hook] = device.hooks('xdp');
  if (!hook) return true;
  const { namespace } = device;
  const result = runHook(device, skb, 'xdp', hook);
  if (droppedByFault(device, skb, hook, result)) return false;
  switch (result.verdict) {
    case XDP.PASS:
      skb.arriveAt(device);
      return true;
    case XDP.TX:
      skb.metadata = new Uint8Array();
      hardTransmit(device, skb);
      return false;
    case XDP.REDIRECT: {
      const to = result.redirect && namespace.deviceByIndex(result.redirect.ifindex);
      if (!to?.up) {
        namespace.drop(skb, 'redirect failed', `${hook.name} redirects to a device that is not there or down`, device);
        return false;
      }
      skb.metadata = new Uint8Array();
      namespace.record(skb, { kind: 'redirect', how: 'egress', to: to.name }, device);
      hardTransmit(to, skb);
      return false;
    }
    default:
      namespace.drop(skb, 'hook verdict', `${hook.name} on xdp of ${device.name} does not pass it`, device);
      return false;
  }
}
