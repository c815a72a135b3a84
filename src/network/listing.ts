import { formatAddress, formatCidr, formatMac } from '../packet/addresses.js';
import type { Device } from './device.js';
import type { Namespace } from './namespace.js';
import type { NeighbourState } from './neighbours.js';
import { DEFAULT_TABLE, LOCAL_TABLE, MAIN_TABLE, type Route } from './routes.js';
import type { Family, Rule } from './rules.js';

/** Names of /etc/iproute2/rt_tables. */
const TABLE_NAMES: Readonly<Record<number, string>> = {
  [LOCAL_TABLE]: 'local',
  [MAIN_TABLE]: 'main',
  [DEFAULT_TABLE]: 'default',
};
const ALL_BITS = 0xffffffff;

/** Name of a routing table, its number if it has none. */
export const tableName = (table: number): string => TABLE_NAMES[table] ?? String(table);
const words = (...parts: (string | false | undefined)[]): string => parts.filter(Boolean).join(' ');

/** An address or prefix as iproute2 writes it: full-length prefixes without their length. */
function prefixText({ destination }: Pick<Route, 'destination'>): string {
  const { address, prefixLength } = destination;
  if (prefixLength === 0) return 'default';
  return prefixLength === address.length * 8 ? formatAddress(address) : formatCidr(destination);
}

/** Lines of `ip rule` (`ip -6 rule`). */
export function listRules(namespace: Namespace, family: Family = 4): string[] {
  return namespace.routing.rules(family).map((rule) => `${rule.priority}:\t${ruleText(rule)}`);
}

function ruleText(rule: Rule): string {
  const { mark } = rule;
  const mask = mark && mark.mask >>> 0 !== ALL_BITS ? `/0x${(mark.mask >>> 0).toString(16)}` : '';
  return words(
    `from ${rule.from ? prefixText({ destination: rule.from }) : 'all'}`,
    rule.to && `to ${prefixText({ destination: rule.to })}`,
    mark && `fwmark 0x${(mark.value >>> 0).toString(16)}${mask}`,
    rule.input !== undefined && `iif ${rule.input}`,
    rule.output !== undefined && `oif ${rule.output}`,
    rule.action === 'lookup' ? `lookup ${tableName(rule.table)}` : rule.action,
  );
}

/** Lines of `ip route show table N`. */
export function listRoutes(namespace: Namespace, table: number = MAIN_TABLE, family: Family = 4): string[] {
  const { routes } = namespace.routing.table(family, table);
  return [...routes].sort(family === 4 ? compareRoutes : compareRoutes6).map(routeText);
}

/** By address, longer prefixes first: the order of the kernel's trie. */
function compareRoutes(a: Route, b: Route): number {
  const { address: left } = a.destination;
  const { address: right } = b.destination;
  const at = left.findIndex((byte, i) => byte !== right[i]);
  return at < 0 ? b.destination.prefixLength - a.destination.prefixLength : left[at]! - right[at]!;
}

/** The default routes come last. */
function compareRoutes6(a: Route, b: Route): number {
  const isDefault = (route: Route): number => (route.destination.prefixLength === 0 ? 1 : 0);
  return isDefault(a) - isDefault(b) || compareRoutes(a, b);
}

function routeText(route: Route): string {
  const isV6 = route.destination.address.length === 16;
  return words(
    route.type !== 'unicast' && route.type,
    prefixText(route),
    route.gateway && `via ${route.gateway.length === 16 && !isV6 ? 'inet6 ' : ''}${formatAddress(route.gateway)}`,
    route.device !== undefined && `dev ${route.device}`,
    route.protocol !== 'boot' && `proto ${route.protocol}`,
    !isV6 && route.scope !== 'global' && `scope ${route.scope}`,
    route.source && `src ${formatAddress(route.source)}`,
    (isV6 || route.metric > 0) && `metric ${route.metric}`,
    route.mtu !== undefined && `mtu ${route.mtu}`,
    isV6 && 'pref medium',
  );
}

/** Lines of `ip addr`, of one device if one is named. */
export function listAddresses(namespace: Namespace, device?: string): string[] {
  return devicesOf(namespace, device).flatMap((one) => [
    ...linkText(one, ''),
    ...one.addresses.flatMap((own) => {
      const isV6 = own.address.length === 16;
      const scope = one.kind === 'loopback' ? 'host' : isV6 && own.address[0] === 0xfe ? 'link' : 'global';
      const label = isV6 ? '' : ` ${one.name}`;
      return [
        `    ${isV6 ? 'inet6' : 'inet'} ${formatCidr(own)} scope ${scope}${label}`,
        '       valid_lft forever preferred_lft forever',
      ];
    }),
  ]);
}

/** Lines of `ip link`. */
export function listLinks(namespace: Namespace, device?: string): string[] {
  return devicesOf(namespace, device).flatMap((one) => linkText(one, ' mode DEFAULT'));
}

function devicesOf(namespace: Namespace, device: string | undefined): Device[] {
  const all = [...namespace.devices].sort((a, b) => a.ifindex - b.ifindex);
  return device === undefined ? all : all.filter((one) => one.name === device);
}

/** `mode` is what `ip link` shows and `ip addr` does not. */
function linkText(device: Device, mode: string): string[] {
  const { peer } = device.driver;
  const isLoopback = device.kind === 'loopback';
  const isNear = peer?.namespace === device.namespace;
  const name = peer ? `${device.name}@${isNear ? peer.name : `if${peer.ifindex}`}` : device.name;
  const kind = isLoopback ? ['LOOPBACK'] : ['BROADCAST', 'MULTICAST'];
  const flags = [...kind, ...(device.noArp ? ['NOARP'] : []), ...(device.up ? ['UP', 'LOWER_UP'] : [])].join(',');
  const isUnknown = isLoopback || device.kind === 'vxlan' || device.kind === 'geneve';
  const state = !device.up ? 'DOWN' : isUnknown ? 'UNKNOWN' : 'UP';
  const queue = !device.up ? 'noop' : device.fairQueue ? 'fq' : device.kind === 'physical' ? 'fq_codel' : 'noqueue';
  const broadcast = isLoopback ? device.mac : new Uint8Array(6).fill(0xff);
  const other = peer && !isNear ? ` link-netns ${peer.namespace.name}` : '';
  return [
    `${device.ifindex}: ${name}: <${flags}> mtu ${device.mtu} qdisc ${queue} state ${state}${mode} group default qlen 1000`,
    `    link/${isLoopback ? 'loopback' : 'ether'} ${formatMac(device.mac)} brd ${formatMac(broadcast)}${other}`,
  ];
}

const STATES: Readonly<Record<NeighbourState, string>> = {
  permanent: 'PERMANENT',
  reachable: 'REACHABLE',
  incomplete: 'INCOMPLETE',
  failed: 'FAILED',
};

/** Lines of `ip neigh`, IPv4 and IPv6. */
export function listNeighbours(namespace: Namespace): string[] {
  return namespace.neighbours.entries.map(({ device, address, mac, state }) =>
    words(
      formatAddress(address),
      `dev ${device.name}`,
      mac && state !== 'failed' && `lladdr ${formatMac(mac)}`,
      STATES[state],
    ),
  );
}

/** Lines of `arp -n`. */
export function listArp(namespace: Namespace): string[] {
  const row = (address: string, type: string, mac: string, flags: string, device: string): string =>
    `${address.padEnd(24)} ${type.padEnd(7)} ${mac.padEnd(19)} ${flags.padEnd(21)} ${device}`;
  const entries = namespace.neighbours.entries.filter(({ address }) => address.length === 4);
  return [
    row('Address', 'HWtype', 'HWaddress', 'Flags Mask', 'Iface'),
    ...entries.map(({ device, address, mac, state }) =>
      mac && state !== 'failed'
        ? row(formatAddress(address), 'ether', formatMac(mac), state === 'permanent' ? 'CM' : 'C', device.name)
        : row(formatAddress(address), '', '(incomplete)', '', device.name),
    ),
  ];
}

/** Lines of `tc filter show dev DEVICE ingress` (or egress): the programs in the order they run. */
export function listFilters(device: Device, direction: 'ingress' | 'egress'): string[] {
  return device.hooks(`tc-${direction}`).flatMap((hook, i) => {
    const filter = `filter protocol all pref ${i + 1} bpf chain 0`;
    return [filter, `${filter} handle 0x1 ${hook.name} direct-action not_in_hw`];
  });
}
