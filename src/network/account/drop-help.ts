import type { DropReason } from '../journal.js';

/** What the network between hooks means by a drop reason, and what to look at. */
export const DROP_HELP: Readonly<Record<DropReason, string>> = {
  'hook verdict':
    'The program ended the packet without saying why: look at its tail calls and at the map elements that it missed.',
  'program fault': 'The program did what the kernel does not allow: look at the named source line.',
  'redirect failed': 'The program redirected the packet to where it cannot go: look at the ifindex and flags it gave.',
  'device down': 'The device is not up: look at the state of the device and of its other end.',
  'not for this host':
    "The frame's destination MAC is not the device's: look at the neighbour entry of the sender, and at the MAC that a program wrote.",
  'bad packet': 'A header is cut or contradicts itself: look at the lengths, versions and checksums of the packet.',
  'unknown protocol': 'The host has no handler for the EtherType or IP protocol of the packet.',
  'no route': "No rule leads to a table with a route for the destination: look at the host's `ip rule` and `ip route`.",
  'refused by route':
    'A rule or route of type blackhole, unreachable or prohibit matches the destination: look at `ip rule` and `ip route`.',
  'forwarding disabled': 'The namespace does not forward packets (net.ipv4.ip_forward, net.ipv6.conf.all.forwarding).',
  'reverse path':
    'rp_filter is on and the route back to the source leads elsewhere: look at rp_filter of the device and at the route to the source.',
  'martian address':
    'The source or destination may not arrive on a device: it is an own, a loopback or an invalid address.',
  'ttl expired': 'The TTL or hop limit ran out on this host; an ICMP time exceeded goes back to the source.',
  'mtu exceeded':
    'The packet is larger than the MTU and must not be fragmented: compare its length with the MTU of device and route, and mind the bytes of a tunnel.',
  'neighbour unresolved':
    'Nobody answered for the next hop: look whether it is on the link, and at the ARP requests in the capture of the device.',
  'no tunnel key':
    'A packet came to the tunnel device by a route, without a program that says where it is to go: look at the route, and at the program that should have redirected it.',
  'no tunnel device': 'No tunnel device of the host takes packets of this port.',
  'port unreachable': 'No socket of the namespace is bound to the port: look whether the server listens, and where.',
  'protocol unreachable': 'Nothing in the namespace takes this IP protocol.',
  'unexpected segment': 'The TCP segment belongs to no connection of the namespace.',
  'no receiver':
    'Nobody on the wire has the destination MAC, or the address behind a gateway: look at the neighbour entry and the route of the sender, and at where the destination came from.',
  'lost on the wire': 'The wire of this scenario loses packets.',
  'forwarding loop': 'The packet goes in circles: look at routes and redirects that lead back to where it came from.',
};
