import { MapType } from '../../../assembly/abi.js';
import { elementText } from '../../cilium/element-text.js';
import { CILIUM_FIELDS } from '../../cilium/field-hints.js';
import { UsageError } from '../../errors.js';
import type { BpfMap, Program } from '../../machine/machine.js';
import { didYouMean } from '../../text.js';
import type { Device } from '../device.js';
import { type Host, ROOT_NAMESPACE } from '../host.js';
import { listAddresses, listArp, listFilters, listNeighbours, listRoutes, listRules, tableName } from '../listing.js';
import type { Namespace } from '../namespace.js';
import type { Network } from '../network.js';
import { ProgramHook } from '../program-hook.js';
import type { Family } from '../rules.js';
import { valueText } from './facts.js';

/** Elements of a map that a dump shows unless told otherwise. */
const MOST_ELEMENTS = 64;

export interface ExplainOptions {
  /** Elements shown of each map; the others are counted. */
  readonly elements?: number;
}

/** What `--explain` names: a host, a namespace on it, a device in it. */
export interface ExplainedPlace {
  readonly host: Host;
  readonly namespace: Namespace;
  readonly device: Device | undefined;
}

/**
 * Finds a place by `HOST`, `HOST/DEVICE`, `HOST/NAMESPACE` or `HOST/NAMESPACE/DEVICE`.
 * @throws UsageError if there is none; its message names what there is.
 */
export function findPlace(network: Network, text: string): ExplainedPlace {
  const [hostName = '', ...rest] = text.split('/');
  const host = pick(network.hosts, hostName, 'host');
  const [first, second, ...more] = rest;
  if (more.length) throw new UsageError(`'${text}' is no place: write HOST, HOST/DEVICE or HOST/NAMESPACE/DEVICE`);
  if (first === undefined) return { host, namespace: host.root, device: undefined };
  const inner = host.namespaces.find(({ name }) => name === first);
  if (second !== undefined) {
    const namespace = inner ?? pick(host.namespaces, first, `namespace of ${host.name}`);
    return { host, namespace, device: pick(namespace.devices, second, `device of ${namespace.path}`) };
  }
  if (inner) return { host, namespace: inner, device: undefined };
  return { host, namespace: host.root, device: pick(host.root.devices, first, `device of ${host.name}`) };
}

function pick<T extends { readonly name: string }>(all: readonly T[], name: string, what: string): T {
  const found = all.find((one) => one.name === name);
  if (found) return found;
  const names = all.map((one) => one.name);
  throw new UsageError(`no ${what} is named '${name}'${didYouMean(name, names)}; there are: ${names.join(', ')}`);
}

/**
 * What one would look at by hand on a node, as lines: the filters of a device and the programs behind them with their
 * tail-call maps, addresses, rules, routes, neighbours, and the node's maps, decoded. Without device: of all devices.
 */
export function explainPlace(place: ExplainedPlace, { elements = MOST_ELEMENTS }: ExplainOptions = {}): string[] {
  const { host, namespace, device } = place;
  const devices = device ? [device] : namespace.devices.filter(({ kind }) => kind !== 'loopback');
  const hooks = devices.flatMap((one) => POINTS.flatMap((point) => one.hooks(point)));
  const programs = hooks.flatMap((hook) => (hook instanceof ProgramHook ? [hook.program] : []));
  const isRoot = namespace.name === ROOT_NAMESPACE;
  const maps = device
    ? new Set(programs.flatMap(({ object }) => [...object.maps.values()]))
    : new Set(host.machine?.maps);
  return [
    ...devices.flatMap((one) => filterLines(one)),
    ...[...new Set(programs)].flatMap(programLines),
    ...section(`ip addr${device ? ` show dev ${device.name}` : ''}`, listAddresses(namespace, device?.name)),
    ...FAMILIES.flatMap((family) => routingLines(namespace, family)),
    ...section('arp -n', namespace.neighbours.entries.length ? listArp(namespace) : []),
    ...section('ip neigh', listNeighbours(namespace)),
    ...(isRoot ? [...maps].flatMap((map) => mapLines(map, elements)) : []),
  ];
}

const POINTS = ['xdp', 'tc-ingress', 'tc-egress'] as const;
const FAMILIES: readonly Family[] = [4, 6];

/** A command and what it prints; nothing if it prints nothing. */
function section(command: string, lines: readonly string[]): string[] {
  return lines.length ? [`# ${command}`, ...lines, ''] : [];
}

function filterLines(device: Device): string[] {
  const xdp = device.hooks('xdp').map((hook) => `prog/xdp ${hook.name}`);
  return [
    ...section(`ip link show dev ${device.name} (xdp)`, xdp),
    ...(['ingress', 'egress'] as const).flatMap((direction) =>
      section(`tc filter show dev ${device.name} ${direction}`, listFilters(device, direction)),
    ),
  ];
}

function programLines({ name, spec, object }: Program): string[] {
  const instructions = object.spec.functions[spec.function]!.instructions.length / 8;
  const calls = [...object.maps.values()].filter(({ type }) => type === MapType.PROG_ARRAY);
  return [
    `program ${name}, section ${spec.section}, ${spec.type}, ${instructions} instructions, ${object.spec.name}`,
    ...calls.flatMap((map) => {
      const slots = [...map.entryBytes()].map(
        ([key, value]) => `    ${map.formatKey(key)} -> ${map.formatValue(value)}`,
      );
      return slots.length ? [`  tail calls of ${map.name}:`, ...slots] : [];
    }),
    '',
  ];
}

function routingLines(namespace: Namespace, family: Family): string[] {
  const { routing } = namespace;
  const command = family === 4 ? 'ip' : 'ip -6';
  const tables = routing.tables(family).filter((table) => routing.table(family, table).routes.length > 0);
  const isUsed = tables.some((table) => routing.table(family, table).routes.some(({ device }) => device !== 'lo'));
  if (!isUsed) return [];
  return [
    ...section(`${command} rule`, listRules(namespace, family)),
    ...tables.flatMap((table) =>
      section(`${command} route show table ${tableName(table)}`, listRoutes(namespace, table, family)),
    ),
  ];
}

/** Maps that hold no state of the datapath: events, and data sections of objects. */
function isDumped(map: BpfMap): boolean {
  const silent: readonly number[] = [MapType.PERF_EVENT_ARRAY, MapType.RINGBUF, MapType.PROG_ARRAY];
  return !silent.includes(map.type) && !map.isKeyless && !map.name.includes('.');
}

function mapLines(map: BpfMap, most: number): string[] {
  if (!isDumped(map)) return [];
  const lines: string[] = [];
  let count = 0;
  for (const [key, value] of map.entryBytes()) {
    // Elements of arrays are always there.
    if (isArray(map) && value.every((byte) => byte === 0)) continue;
    if (++count <= most)
      lines.push(
        `  ${elementText(map.decodeKey(key, CILIUM_FIELDS))} = ${valueText(map, map.decodeValue(value, CILIUM_FIELDS))}`,
      );
  }
  if (count === 0) return [];
  const rest = count > most ? [`  and ${count - most} more`] : [];
  return [`map ${map.name}, ${count} of ${map.maxEntries} elements`, ...lines, ...rest, ''];
}

function isArray({ type }: BpfMap): boolean {
  return type === MapType.ARRAY || type === MapType.PERCPU_ARRAY;
}
