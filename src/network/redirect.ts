import type { Redirect } from '../machine/outcome.js';
import type { Device } from './device.js';
import type { HookPoint } from './hooks.js';
import { ETHERNET_HEADER, readIp } from './ip.js';
import type { Skb } from './skb.js';

const INGRESS = 1n;
const AF_INET = 2;

/** Carries out what a redirect helper asked for (skb_do_redirect). Returns the device of another receive round, if any. */
export function doRedirect(from: Device, skb: Skb, redirect: Redirect, point: HookPoint): Device | undefined {
  const { namespace } = from;
  const to = namespace.deviceByIndex(redirect.ifindex);
  if (!to) {
    namespace.drop(skb, 'redirect failed', `no device has ifindex ${redirect.ifindex}`, from);
    return undefined;
  }
  switch (redirect.kind) {
    case 'redirect_peer':
      return toPeer(from, to, skb, point);
    case 'redirect_neigh':
      toNeighbour(from, to, skb, redirect.neighbour);
      return undefined;
    default:
      toDevice(from, to, skb, (redirect.flags & INGRESS) !== 0n);
      return undefined;
  }
}

/** redirect and clone_redirect: into the device's receive path, or out of it. */
export function toDevice(from: Device, to: Device, skb: Skb, ingress: boolean): void {
  const { namespace } = from;
  namespace.record(skb, { kind: 'redirect', how: ingress ? 'ingress' : 'egress', to: to.name }, from);
  if (ingress) {
    // __bpf_rx_skb: dev_forward_skb_nomtu.
    skb.scrub(to.namespace !== namespace);
    skb.priority = 0;
    skb.arriveAt(to);
    namespace.network.backlog(to, skb);
    return;
  }
  skb.clearTstamp();
  namespace.transmit(to, skb);
}

/** redirect_peer: from tc ingress alone, into another namespace, without scrubbing the mark. */
function toPeer(from: Device, to: Device, skb: Skb, point: HookPoint): Device | undefined {
  const { namespace } = from;
  const peer = to.driver.peer;
  const trouble =
    point !== 'tc-ingress'
      ? 'redirect_peer works at tc ingress only'
      : !peer
        ? `${to.name} has no peer`
        : !peer.up
          ? `${peer.name}, the peer of ${to.name}, is down`
          : peer.namespace === namespace
            ? `the peer of ${to.name} is in the same namespace`
            : undefined;
  if (trouble || !peer) {
    namespace.drop(skb, 'redirect failed', trouble ?? '', from);
    return undefined;
  }
  namespace.record(skb, { kind: 'redirect', how: 'peer', to: peer.name }, from);
  // Older kernels (before 6.16) did not scrub here: a frame for another host kept its type, tunnel metadata stayed.
  skb.scrub(false);
  return peer;
}

/** redirect_neigh: next hop given, or that of a route out of the device; the neighbour's MAC is filled in. */
function toNeighbour(from: Device, to: Device, skb: Skb, parameters: Uint8Array | undefined): void {
  const { namespace } = from;
  namespace.record(skb, { kind: 'redirect', how: 'neighbour', to: to.name }, from);
  const ip = readIp(skb.bytes);
  if (!ip) {
    namespace.drop(skb, 'redirect failed', 'redirect_neigh takes IPv4 and IPv6 packets only', from);
    return;
  }
  skb.clearTstamp();
  const nextHop = parameters ? givenNextHop(parameters) : undefined;
  if (nextHop) {
    namespace.neighbourOutput(to, skb, nextHop);
    return;
  }
  const decision = namespace.route(
    skb,
    { destination: ip.destination, source: ip.source, mark: skb.mark, output: to.name },
    'redirect',
    from,
  );
  const route = decision?.route;
  if (!route || (route.type !== 'unicast' && route.type !== 'local')) {
    namespace.drop(skb, 'no route', `redirect_neigh finds no route out of ${to.name}`, from);
    return;
  }
  namespace.neighbourOutput(to, skb, route.gateway ?? ip.destination);
}

/** Address in struct bpf_redir_neigh: family u32, then 4 or 16 bytes. */
function givenNextHop(parameters: Uint8Array): Uint8Array {
  const family = parameters[0]! | (parameters[1]! << 8);
  return parameters.slice(4, family === AF_INET ? 8 : 20);
}

/** Bytes a device takes on top of its MTU: Ethernet header and a VLAN tag (__is_skb_forwardable). */
export const LINK_OVERHEAD = ETHERNET_HEADER + 4;
