import { formatAddress } from '../../packet/addresses.js';
import { diffPackets, type FieldChange } from '../../packet/diff.js';
import { fieldOf, type ParsedPacket, parsePacket } from '../../packet/parse.js';
import type { SkbFields } from '../skb.js';

/** Changes of one kind that a line shows; more are counted. */
const MOST_FIELDS = 6;

/** The outermost addresses of a packet with their ports. */
export interface Ends {
  readonly source: string;
  readonly destination: string;
  /** Name of the transport protocol's layer, undefined if there is none. */
  readonly transport: string | undefined;
}

const TRANSPORTS: ReadonlySet<string> = new Set(['tcp', 'udp', 'sctp']);

/** `address:port` with IPv6 addresses in brackets; the address alone without a port. */
export function endText(address: string, port: string | number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

export function endsOf(packet: ParsedPacket): Ends | undefined {
  const at = packet.layers.findIndex(({ protocol }) => protocol === 'ipv4' || protocol === 'ipv6');
  const ip = packet.layers[at];
  if (!ip) return undefined;
  const rest = packet.layers.slice(at + 1);
  const until = rest.findIndex(({ protocol }) => protocol === 'ipv4' || protocol === 'ipv6' || protocol === 'eth');
  const transport = rest.slice(0, until < 0 ? undefined : until).find(({ protocol }) => TRANSPORTS.has(protocol));
  const end = (address: string, port: string): string =>
    endText(fieldOf(ip, address)?.text ?? '?', transport && fieldOf(transport, port)?.text);
  return { source: end('src', 'srcport'), destination: end('dst', 'dstport'), transport: transport?.protocol };
}

/** What happened to the bytes, in few words: `dst 172.16.16.87:80 -> 10.0.1.60:80`, `ttl 64 -> 63`. */
export function packetChanges(before: Uint8Array, after: Uint8Array): string[] {
  const diff = diffPackets(before, after);
  if (diff.identical) return [];
  const [old, now] = [endsOf(parsePacket(before)), endsOf(parsePacket(after))];
  const texts: string[] = [];
  const isSame = !!old && !!now && !diff.added.length && !diff.removed.length;
  if (isSame && old.source !== now.source) texts.push(`src ${old.source} -> ${now.source}`);
  if (isSame && old.destination !== now.destination) texts.push(`dst ${old.destination} -> ${now.destination}`);
  texts.push(...diff.removed.map(({ layer, summary }) => `- ${layer} ${summary}`.trimEnd()));
  texts.push(...diff.added.map(({ layer, summary }) => `+ ${layer} ${summary}`.trimEnd()));
  const told = new Set(isSame ? endFields(now) : []);
  const fields = diff.changes.filter((change) => change.isRight === undefined && !told.has(nameOf(change)));
  texts.push(...fields.slice(0, MOST_FIELDS).map(changeText));
  if (fields.length > MOST_FIELDS) texts.push(`${fields.length - MOST_FIELDS} more fields`);
  if (diff.payload.length) texts.push('payload changed');
  texts.push(...diff.wrongChecksums.map(({ layer }) => `${layer} checksum wrong`));
  return texts;
}

const nameOf = (change: FieldChange): string => `${change.layer}.${change.field}`;

/** Fields that the texts of both ends show. */
function endFields({ transport }: Ends): string[] {
  const ports = transport ? [`${transport}.srcport`, `${transport}.dstport`] : [];
  return ['ipv4.src', 'ipv4.dst', 'ipv6.src', 'ipv6.dst', ...ports];
}

const SHORT_NAMES: Readonly<Record<string, string>> = {
  'eth.src': 'source mac',
  'eth.dst': 'mac',
  'ipv4.ttl': 'ttl',
  'ipv6.hlim': 'hop limit',
};

function changeText(change: FieldChange): string {
  const name = SHORT_NAMES[nameOf(change)] ?? nameOf(change);
  if (change.before === undefined) return `+ ${name} ${change.after}`;
  return change.after === undefined ? `- ${name}` : `${name} ${change.before} -> ${change.after}`;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** What happened to the packet's state beside its bytes. `all` includes the words and numbers that only programs read. */
export function stateChanges(before: SkbFields, after: SkbFields, all: boolean): string[] {
  const texts: string[] = [];
  const note = (name: string, old: number, now: number, text: (value: number) => string = String): void => {
    if (old !== now) texts.push(`${name} ${text(old)} -> ${text(now)}`);
  };
  note('mark', before.mark, after.mark, hex);
  const { tunnel, vlan } = after;
  if (tunnel?.direction === 'send' && tunnel !== before.tunnel)
    texts.push(`tunnel key VNI ${tunnel.metadata.id} to ${formatAddress(tunnel.metadata.remote)}`);
  if (vlan?.tci !== before.vlan?.tci) texts.push(vlan ? `vlan tag ${vlan.tci & 0xfff}` : 'vlan tag removed');
  if (after.tstampType && after.tstamp !== before.tstamp) texts.push(`departure time ${after.tstamp} ns`);
  if (!all) return texts;
  note('priority', before.priority, after.priority, hex);
  note('queue', before.queueMapping, after.queueMapping);
  note('packet type', before.packetType, after.packetType);
  note('tc_index', before.tcIndex, after.tcIndex, hex);
  for (const [i, word] of after.cb.entries()) note(`cb[${i}]`, before.cb[i]!, word, hex);
  return texts;
}
