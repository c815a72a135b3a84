import { formatAddress } from '../packet/addresses.js';
import type { Device } from './device.js';
import { sendIcmpError } from './icmp.js';
import {
  decrementTtl,
  type IpHeader,
  isLimitedBroadcast,
  isLoopback,
  isMulticast,
  isUnspecified,
  readIp,
} from './ip.js';
import { sendIp } from './output.js';
import type { RouteDecision } from './rules.js';
import { PacketType, type Skb } from './skb.js';

/** An IP packet comes up from a device: checks, routing, delivery or forwarding (ip_rcv, ip_route_input, ip_forward). */
export function ipInput(device: Device, skb: Skb): void {
  const { namespace } = device;
  const ip = readIp(skb.bytes);
  if (!ip) {
    namespace.drop(skb, 'bad packet', 'no valid IP header (length or checksum wrong)', device);
    return;
  }
  // Ethernet padding goes.
  if (skb.bytes.length > ip.end) skb.bytes = skb.bytes.slice(0, ip.end);
  skb.enterIp(ip.version, false);
  if (isMulticast(ip.destination) || isLimitedBroadcast(ip.destination)) {
    namespace.deliver(device, skb, ip);
    return;
  }
  if (device.kind !== 'loopback' && !hasValidSource(device, skb, ip)) return;
  const decision = namespace.route(
    skb,
    { destination: ip.destination, source: ip.source, mark: skb.mark, input: device.name },
    'input',
    device,
  );
  const route = decision?.route;
  if (route?.type === 'local' || route?.type === 'broadcast') namespace.deliver(device, skb, ip);
  else forward(device, skb, ip, decision);
}

/** ip_rcv, fib_validate_source: addresses nobody may send from, and the way back. */
function hasValidSource(device: Device, skb: Skb, ip: IpHeader): boolean {
  const { namespace } = device;
  const { source } = ip;
  const text = formatAddress(source);
  if (isMulticast(source) || isLimitedBroadcast(source) || isLoopback(source) || isLoopback(ip.destination)) {
    namespace.drop(
      skb,
      'martian address',
      `${text} > ${formatAddress(ip.destination)} must not come from ${device.name}`,
      device,
    );
    return false;
  }
  if (ip.version === 6 || isUnspecified(source)) return true;
  const back = namespace.lookup({ destination: source, source: ip.destination, mark: 0, input: device.name })?.route;
  if (back?.type === 'local' && !device.acceptLocal) {
    namespace.drop(skb, 'martian address', `${text} is an own address, it cannot come in from ${device.name}`, device);
    return false;
  }
  if (device.reversePath === 'none' || (back && (device.reversePath === 'loose' || back.device === device.name)))
    return true;
  namespace.drop(
    skb,
    'reverse path',
    `the route back to ${text} does not lead out of ${device.name} (rp_filter)`,
    device,
  );
  return false;
}

function forward(device: Device, skb: Skb, ip: IpHeader, decision: RouteDecision | undefined): void {
  const { namespace } = device;
  const to = formatAddress(ip.destination);
  if (!namespace.forwarding) {
    namespace.drop(skb, 'forwarding disabled', `${to} is not an address of this host, and it does not forward`, device);
    return;
  }
  const route = decision?.route;
  const out = route?.type === 'unicast' && route.device !== undefined ? namespace.findDevice(route.device) : undefined;
  if (!route || !out) {
    const isProhibited = (route?.type ?? decision?.rule.action) === 'prohibit';
    const isSilent = (route?.type ?? decision?.rule.action) === 'blackhole';
    if (decision)
      namespace.drop(
        skb,
        'refused by route',
        `the ${route?.type ?? decision.rule.action} route to ${to} refuses it`,
        device,
      );
    else namespace.drop(skb, 'no route', `no route to ${to}`, device);
    const isUnreachable = route?.type === 'unreachable';
    if (!isSilent)
      sendIcmpError(device, skb, ip, isProhibited ? 'prohibited' : isUnreachable ? 'host unreachable' : 'no route');
    return;
  }
  if (skb.packetType !== PacketType.HOST) {
    namespace.drop(skb, 'not for this host', 'broadcast and multicast frames are not forwarded', device);
    return;
  }
  if (ip.ttl <= 1) {
    namespace.drop(skb, 'ttl expired', `${ip.version === 4 ? 'TTL' : 'hop limit'} is ${ip.ttl}`, device);
    sendIcmpError(device, skb, ip, 'ttl exceeded');
    return;
  }
  const mtu = Math.min(route.mtu ?? out.mtu, out.mtu);
  if (skb.networkLength > mtu && ip.dontFragment) {
    namespace.drop(
      skb,
      'mtu exceeded',
      `${skb.networkLength} bytes do not fit the MTU ${mtu} towards ${out.name}`,
      device,
    );
    sendIcmpError(device, skb, ip, 'too big', mtu);
    return;
  }
  skb.bytes = skb.bytes.slice();
  decrementTtl(skb.bytes);
  skb.enterIp(ip.version, true);
  // rt_tos2priority of packets without type of service.
  skb.priority = 0;
  skb.tunnel = undefined;
  namespace.record(skb, { kind: 'forward', to: out.name, ttl: ip.ttl - 1 }, device);
  sendIp(out, skb, { ...ip, ttl: ip.ttl - 1 }, route.gateway ?? ip.destination, mtu);
}
