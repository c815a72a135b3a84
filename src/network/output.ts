import { formatAddress } from '../packet/addresses.js';
import type { Device } from './device.js';
import { fragmentIp4 } from './fragments.js';
import { type IpHeader, readIp } from './ip.js';
import type { Namespace } from './namespace.js';
import type { RouteDecision } from './rules.js';
import type { Skb } from './skb.js';

export interface OutputOptions {
  /** Only routes out of this device (a bound socket). */
  device?: string;
  purpose?: 'output' | 'tunnel';
}

/** Routes and sends what the host itself made (ip_queue_xmit, ip_local_out). False if it ended at once. */
export function localOutput(namespace: Namespace, skb: Skb, options: OutputOptions = {}): boolean {
  const ip = readIp(skb.bytes);
  if (!ip) {
    namespace.drop(skb, 'bad packet', 'the packet to send has no valid IP header');
    return false;
  }
  const decision = namespace.route(
    skb,
    { destination: ip.destination, source: ip.source, mark: skb.mark, output: options.device },
    options.purpose ?? 'output',
  );
  return sendRouted(namespace, skb, ip, decision);
}

/** Sends an own packet where a routing decision says. */
export function sendRouted(namespace: Namespace, skb: Skb, ip: IpHeader, decision: RouteDecision | undefined): boolean {
  const route = decision?.route;
  const device = route && outputDevice(namespace, decision);
  if (!route || !device) {
    const to = formatAddress(ip.destination);
    if (decision)
      namespace.drop(skb, 'refused by route', `the ${route?.type ?? decision.rule.action} route to ${to} refuses it`);
    else namespace.drop(skb, 'no route', `no route to ${to}`);
    return false;
  }
  skb.enterIp(ip.version, false);
  const mtu = Math.min(route.mtu ?? device.mtu, device.mtu);
  sendIp(device, skb, ip, route.gateway ?? ip.destination, mtu);
  return true;
}

/** Packets to the host itself leave through lo. */
function outputDevice(namespace: Namespace, decision: RouteDecision): Device | undefined {
  const { route } = decision;
  if (route?.type === 'local') return namespace.device('lo');
  if (route?.type !== 'unicast' && route?.type !== 'broadcast') return undefined;
  return route.device === undefined ? undefined : namespace.findDevice(route.device);
}

/** The last steps of the IP layer: MTU, fragments, neighbour (ip_finish_output). */
export function sendIp(device: Device, skb: Skb, ip: IpHeader, nextHop: Uint8Array, mtu: number): void {
  const { namespace } = device;
  if (skb.networkLength <= mtu) {
    namespace.neighbourOutput(device, skb, nextHop, ip);
    return;
  }
  if (ip.version === 6 || ip.dontFragment) {
    namespace.drop(
      skb,
      'mtu exceeded',
      `${skb.networkLength} bytes do not fit the MTU ${mtu} of ${device.name}`,
      device,
    );
    return;
  }
  const pieces = fragmentIp4(skb, ip, mtu);
  namespace.record(skb, { kind: 'fragment', pieces: pieces.length, mtu }, device);
  for (const piece of pieces) namespace.neighbourOutput(device, piece, nextHop, ip);
}
