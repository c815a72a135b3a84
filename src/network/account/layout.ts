import { formatAddress } from '../../packet/addresses.js';
import type { Device } from '../device.js';
import type { HookPoint } from '../hooks.js';
import type { Host } from '../host.js';
import type { Namespace } from '../namespace.js';
import type { WalkRecord } from './record.js';
import { applicationKey, deviceKey, stackKey } from './visits.js';

/** Rows of a node from top to bottom; what lies between two rows is a corridor for the arrows. */
export const ROWS = ['application', 'pod', 'pair', 'middle', 'physical'] as const;
export type Row = (typeof ROWS)[number];

/** Something that packets pass. Pixels. */
export interface Box {
  readonly key: string;
  readonly node: number;
  readonly row: number;
  readonly title: string;
  readonly subtitle: string;
  readonly hooks: readonly { readonly point: HookPoint; readonly program: string }[];
  x: number;
  y: number;
  readonly width: number;
  readonly height: number;
}

/** The frame around the boxes of one Pod. */
export interface PodFrame {
  readonly name: string;
  readonly boxes: readonly Box[];
}

export interface NodeFrame {
  readonly name: string;
  readonly boxes: readonly Box[];
  readonly pods: readonly PodFrame[];
  x: number;
  width: number;
}

const BOX_WIDTH = 236;
export const BOX_GAP = 26;
/** Room on both sides of a node's boxes; on the left run arrows that skip rows. */
export const NODE_PADDING = 44;
export const NODE_GAP = 40;
export const MARGIN = 24;
const TITLE_HEIGHT = 40;
export const HOOK_HEIGHT = 17;
const APPLICATION_HEIGHT = 28;

/** The boxes of all hosts, side by side, without vertical places. `visited`: keys of places that the packets pass. */
export function layOut(record: WalkRecord, visited: ReadonlySet<string>): NodeFrame[] {
  let x = MARGIN;
  return record.network.hosts.map((host, index) => {
    const frame = nodeFrame(record, host, index, visited);
    frame.x = x;
    placeColumns(frame);
    x += frame.width + NODE_GAP;
    return frame;
  });
}

function nodeFrame(record: WalkRecord, host: Host, node: number, visited: ReadonlySet<string>): NodeFrame {
  const pods: PodFrame[] = [];
  const boxes: Box[] = [];
  const pairs = new Set<Device>();
  for (const namespace of host.namespaces) {
    if (namespace === host.root) continue;
    const inner = namespace.devices.find((device) => device.kind === 'veth');
    if (!inner) continue;
    const pod = podBoxes(record, namespace, inner, node);
    pods.push({ name: namespace.name, boxes: pod });
    boxes.push(...pod);
    const outer = inner.driver.peer;
    if (!outer || outer.namespace !== host.root) continue;
    pairs.add(outer);
    boxes.push(deviceBox(outer, node, 'pair'));
  }
  const others = host.root.devices.filter((device) => device.kind !== 'loopback' && !pairs.has(device));
  const physical = others.filter(({ kind }) => kind === 'physical');
  const middle = others
    .filter(({ kind }) => kind !== 'physical')
    .map((device) => deviceBox(device, node, 'middle'))
    .filter((box) => box.hooks.length > 0 || visited.has(box.key));
  // The stack stands in the middle, above the physical device, where most arrows are.
  middle.splice(Math.floor(middle.length / 2), 0, stackBox(host, node));
  boxes.push(...middle, ...physical.map((device) => deviceBox(device, node, 'physical')));
  return { name: host.name, boxes, pods, x: 0, width: 0 };
}

function stackBox(host: Host, node: number): Box {
  return plainBox(stackKey(host.name), node, 'middle', 'IP stack', 'rules, routes, neighbours');
}

function podBoxes(record: WalkRecord, namespace: Namespace, device: Device, node: number): Box[] {
  const address = device.addresses[0];
  const text = address ? formatAddress(address.address) : '';
  const key = applicationKey(namespace.host.name, namespace.name);
  const name = record.names.addresses.get(text) ?? namespace.name;
  return [plainBox(key, node, 'application', `Pod ${name}`, '', APPLICATION_HEIGHT), deviceBox(device, node, 'pod')];
}

function plainBox(key: string, node: number, row: Row, title: string, subtitle: string, height = TITLE_HEIGHT): Box {
  return { key, node, row: ROWS.indexOf(row), title, subtitle, hooks: [], x: 0, y: 0, width: BOX_WIDTH, height };
}

const POINTS: readonly HookPoint[] = ['xdp', 'tc-ingress', 'tc-egress'];

function deviceBox(device: Device, node: number, row: Row): Box {
  const { namespace, name, ifindex, addresses, mtu } = device;
  const hooks = POINTS.flatMap((point) => device.hooks(point).map((hook) => ({ point, program: hook.name })));
  const [address] = addresses;
  const subtitle = `${address ? `${formatAddress(address.address)}, ` : ''}index ${ifindex}, MTU ${mtu}`;
  const key = deviceKey(namespace.host.name, namespace.name, name);
  return plainDevice({ key, node, row, title: name, subtitle, hooks });
}

function plainDevice(part: Pick<Box, 'key' | 'node' | 'title' | 'subtitle' | 'hooks'> & { row: Row }): Box {
  const height = TITLE_HEIGHT + part.hooks.length * HOOK_HEIGHT + (part.hooks.length ? 5 : 0);
  return { ...part, row: ROWS.indexOf(part.row), x: 0, y: 0, width: BOX_WIDTH, height };
}

export const inRow = (frame: NodeFrame, row: number): Box[] => frame.boxes.filter((box) => box.row === row);

/** Centres every row of a node; Pods and their pairs stand in columns. */
function placeColumns(frame: NodeFrame): void {
  const most = Math.max(1, ...ROWS.map((_, row) => inRow(frame, row).length));
  const inner = most * BOX_WIDTH + (most - 1) * BOX_GAP;
  frame.width = inner + 2 * NODE_PADDING;
  for (const row of ROWS.keys()) {
    const boxes = inRow(frame, row);
    const width = boxes.length * BOX_WIDTH + (boxes.length - 1) * BOX_GAP;
    for (const [i, box] of boxes.entries())
      box.x = frame.x + NODE_PADDING + (inner - width) / 2 + i * (BOX_WIDTH + BOX_GAP);
  }
}
