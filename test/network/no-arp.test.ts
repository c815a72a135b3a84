import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { Device } from '../../src/network/device.js';
import { listLinks } from '../../src/network/listing.js';
import { Network } from '../../src/network/network.js';
import { formatMac, parseAddress, parseCidr, parseMac } from '../../src/packet/addresses.js';
import { buildPacket } from '../../src/packet/words.js';
import { namespaceTrouble } from '../support/namespace.js';

// Devices without ARP, as the agent sets up cilium_host and cilium_net: frames go to the sending device's own MAC address.

const MAC = '02:00:00:00:00:0a';

const SETUP = `
ip link add name near index 7 address ${MAC} type veth peer name far
ip link set near arp off up
ip link set far up
ip addr add 10.9.0.1/32 dev near
ip -6 addr add fd09::1/128 dev near nodad
ip route add 10.9.1.0/24 via 10.9.0.1 dev near
ip -6 route add fd09:1::/64 dev near
python3 -c '
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("10.9.1.5", 9))
socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("fd09:1::5", 9))
'`;

function pair(): { network: Network; near: Device; far: Device } {
  const network = new Network();
  const host = network.host('h');
  const { near, far } = host.addVeth({ name: 'near', ifindex: 7, mac: parseMac(MAC) }, { name: 'far' });
  near.noArp = true;
  near.addAddress(parseCidr('10.9.0.1/32'));
  near.addAddress(parseCidr('fd09::1/128'));
  host.root.routing.addRoute({
    destination: parseCidr('10.9.1.0/24'),
    gateway: parseAddress('10.9.0.1'),
    device: 'near',
  });
  host.root.routing.addRoute({ destination: parseCidr('fd09:1::/64'), device: 'near' });
  return { network, near, far };
}

/** Where frames to both destinations go, and how many frames left. */
function destinations(): { macs: string[]; frames: number } {
  const { network, near } = pair();
  for (const words of ['udp 10.9.0.1:7 > 10.9.1.5:9 "x"', 'udp [fd09::1]:7 > [fd09:1::5]:9 "x"']) {
    const { namespace } = near;
    const skb = namespace.newSkb(buildPacket(words), 'test');
    network.schedule(0n, () => namespace.output(skb));
    network.run();
  }
  const sent = network.journal.entries.filter(({ step, at }) => step.kind === 'transmit' && at.device === 'near');
  return { macs: sent.map(({ bytes }) => formatMac(bytes.subarray(0, 6))), frames: sent.length };
}

describe('a device with ARP switched off', () => {
  test('asks nobody: its own MAC address is the destination', () => {
    expect(destinations()).toEqual({ macs: [MAC, MAC], frames: 2 });
  });

  test('does not answer', () => {
    const { network, near, far } = pair();
    network.emit(far, buildPacket(`arp who-has 10.9.0.1 tell 10.9.0.2 eth=${formatMac(far.mac)}>ff:ff:ff:ff:ff:ff`));
    network.run();
    const sent = network.journal.entries.filter(({ step, at }) => step.kind === 'transmit' && at.device === near.name);
    expect(sent).toEqual([]);
  });

  test('is listed so', () => {
    expect(listLinks(pair().near.namespace, 'near')[0]).toContain('<BROADCAST,MULTICAST,NOARP,UP,LOWER_UP>');
  });

  const trouble = namespaceTrouble(SETUP);
  if (trouble) console.log(`no-arp.test.ts: not compared with the kernel: ${trouble}`);
  test.skipIf(trouble)('has the same neighbours in the kernel, which refuses an own IPv6 address as gateway', () => {
    const script = [
      'set -e',
      SETUP,
      'ip neigh show nud noarp dev near',
      'ip link show near',
      '! ip -6 route add fd09:2::/64 via fd09::1 dev near 2>&1',
    ].join('\n');
    const { stdout, status } = spawnSync('unshare', ['-n', 'sh', '-c', script], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^10\\.9\\.1\\.5 lladdr ${MAC} NOARP`, 'm'));
    expect(stdout).toMatch(new RegExp(`^fd09:1::5 lladdr ${MAC} NOARP`, 'm'));
    expect(stdout).toContain('<BROADCAST,MULTICAST,NOARP,UP,LOWER_UP>');
    expect(stdout).toContain('Gateway can not be a local address');
  });
});
