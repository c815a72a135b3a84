import { listNeighbours, listRoutes } from '../../src/network/listing.js';
import type { Namespace } from '../../src/network/namespace.js';
import { MAIN_TABLE } from '../../src/network/routes.js';
import { formatCidr, formatMac } from '../../src/packet/addresses.js';

/** Added to the index of a device for the other end of its pair. */
const FAR = 100_000;

/**
 * A shell script that gives a network namespace the devices, addresses, main routes and neighbours of a modelled one, in place
 * of those it has. Every device is one end of a veth pair, with the index and MAC address of the model: programs see no more.
 */
export function deviceScript(namespace: Namespace): string {
  const devices = namespace.devices.filter(({ kind }) => kind !== 'loopback');
  const links = devices.flatMap(({ name, ifindex, mac, mtu, noArp }) => [
    `link add name ${name} index ${ifindex} address ${formatMac(mac)} mtu ${mtu} type veth peer name far${ifindex} index ${FAR + ifindex}`,
    `link set ${name}${noArp ? ' arp off' : ''} up`,
    `link set far${ifindex} up`,
  ]);
  const isV6 = (line: string): boolean => line.includes(':');
  const addresses = devices.flatMap(({ name, addresses }) =>
    addresses.map(
      (address) => `addr add ${formatCidr(address)} dev ${name}${address.address.length === 16 ? ' nodad' : ''}`,
    ),
  );
  const routes = ([4, 6] as const).map((family) =>
    listRoutes(namespace, MAIN_TABLE, family)
      .filter((line) => !line.includes('proto kernel'))
      // Routes on link come first: gateways need them.
      .sort((a, b) => Number(a.includes(' via ')) - Number(b.includes(' via ')))
      .map((line) => `route replace ${line}`),
  );
  const neighbours = listNeighbours(namespace)
    .filter((line) => line.includes('lladdr'))
    .map((line) => `neigh replace ${line.replace(/ [A-Z]+$/, ' nud permanent')}`);
  const batch = (options: string, lines: readonly string[]): string =>
    `ip ${options} -batch - <<'END'\n${lines.join('\n')}\nEND`;
  return [
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
    'ip link set lo up',
    'for far in $(ip -brief link show type veth | sed -n "s/^\\(far[0-9]*\\)@.*/\\1/p"); do ip link del "$far"; done',
    batch('', [...links, ...addresses]),
    batch('-4', [...routes[0]!, ...neighbours.filter((line) => !isV6(line.split(' dev ')[0]!))]),
    batch('-6', [...routes[1]!, ...neighbours.filter((line) => isV6(line.split(' dev ')[0]!))]),
  ].join('\n');
}
