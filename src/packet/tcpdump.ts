import { formatAddress, formatIPv6, formatMac } from './addresses.js';
import { toHex, u16, u32 } from './bytes.js';
import { readOptions } from './options.js';
import { bytesOf, fieldOf, type Layer, numberOf, type ParsedPacket } from './parse.js';

/**
 * Sequence numbers of a capture's TCP flows: with it, lines show numbers relative to the first packet of a flow, as
 * tcpdump does without `-S`. Give the same object for all packets of a capture, in order.
 */
export class FlowNumbers {
  private readonly flows = new Map<string, { seq: number; ack: number }>();

  /** Numbers to subtract from (seq, ack) of this packet: 0 for the packet that opens a flow. */
  base(ip: Layer, tcp: Layer): { seq: number; ack: number; sack: number } {
    const flags = numberOf(tcp, 'flags')!;
    const none = { seq: 0, ack: 0, sack: 0 };
    if (!(flags & ACK)) return none;
    const source = `${fieldOf(ip, 'src')!.text} ${numberOf(tcp, 'srcport')}`;
    const destination = `${fieldOf(ip, 'dst')!.text} ${numberOf(tcp, 'dstport')}`;
    const isReverse = numberOf(tcp, 'srcport')! > numberOf(tcp, 'dstport')!;
    const key = isReverse ? `${destination} > ${source}` : `${source} > ${destination}`;
    const [seq, ack] = [numberOf(tcp, 'seq')!, numberOf(tcp, 'ack')!];
    const known = this.flows.get(key);
    if (known && !(flags & SYN)) {
      return isReverse ? { seq: known.ack, ack: known.seq, sack: known.seq } : { ...known, sack: known.ack };
    }
    const opened = isReverse ? { seq: (ack - 1) >>> 0, ack: seq } : { seq, ack: (ack - 1) >>> 0 };
    this.flows.set(key, opened);
    return { seq: 0, ack: 0, sack: isReverse ? opened.seq : opened.ack };
  }
}

const SYN = 2;
const ACK = 16;

/**
 * The packet in one line as `tcpdump -n` prints it (a packet within UDP starts a new line, as there). Differs from
 * tcpdump where tcpdump knows protocols above UDP and TCP other than HTTP's first line, and in that port 8472 is VXLAN,
 * which tcpdump takes for OTV.
 */
export function tcpdumpLine(packet: ParsedPacket, flows?: FlowNumbers): string {
  return new Line(packet, flows).from(0);
}

class Line {
  constructor(
    private readonly packet: ParsedPacket,
    private readonly flows: FlowNumbers | undefined,
  ) {}

  /** Text of the layer at `index` and all that it carries. */
  from(index: number): string {
    const layer = this.packet.layers[index];
    if (!layer) return this.packet.start === 'ip' ? this.unknownIp() : ' [|ether]';
    switch (layer.protocol) {
      case 'eth':
        return this.ethernet(index);
      case 'vlan':
        return this.behindEtherType(index);
      case 'arp':
        return this.arp(layer);
      case 'ipv4':
        return this.ipv4(index);
      case 'ipv6':
        return this.ipv6(index);
      default:
        return layer.label;
    }
  }

  private unknownIp(): string {
    const first = this.packet.bytes[0];
    return first === undefined ? ' [|ip]' : `unknown ip ${first >> 4}`;
  }

  private ethernet(index: number): string {
    const layer = this.packet.layers[index]!;
    return fieldOf(layer, 'type') ? this.behindEtherType(index) : ' [|ether]';
  }

  private behindEtherType(index: number): string {
    const layer = this.packet.layers[index]!;
    if (this.packet.layers[index + 1]) return this.from(index + 1);
    const type = numberOf(layer, 'type');
    if (type === undefined) return ' [|vlan]';
    const { bytes } = this.packet;
    const frame = this.packet.layers.findLast((other) => other.protocol === 'eth');
    const macs = frame ? `${formatMac(bytes, frame.offset + 6)} > ${formatMac(bytes, frame.offset)}, ` : '';
    const length = layer.end - (frame ?? layer).offset;
    if (type < 0x600) return `${macs}802.3, length ${type}`;
    if (type === 0x88cc) return `LLDP, length ${layer.end - layer.offset - layer.headerLength}`;
    return `${macs}ethertype Unknown (0x${type.toString(16).padStart(4, '0')}), length ${length}`;
  }

  private arp(layer: Layer): string {
    if (layer.truncated) return ' [|arp]';
    const text = (name: string) => fieldOf(layer, name)?.text ?? '?';
    const operation = numberOf(layer, 'opcode')!;
    const length = this.surroundingEnd(layer) - layer.offset;
    if (!fieldOf(layer, 'src.proto_ipv4')) return `ARP, Unknown Hardware, length ${length}`;
    if (operation === 1) {
      const known = bytesOf(layer, 'dst.hw_mac')!.some((byte) => byte !== 0) ? ` (${text('dst.hw_mac')})` : '';
      return `ARP, Request who-has ${text('dst.proto_ipv4')}${known} tell ${text('src.proto_ipv4')}, length ${length}`;
    }
    if (operation === 2) return `ARP, Reply ${text('src.proto_ipv4')} is-at ${text('src.hw_mac')}, length ${length}`;
    return `ARP, Unknown (${operation}), length ${length}`;
  }

  /** Where the layer around this one ends: padding included. */
  private surroundingEnd(layer: Layer): number {
    const index = this.packet.layers.indexOf(layer);
    for (let i = index - 1; i >= 0; i--) {
      const outer = this.packet.layers[i]!;
      if (outer.protocol !== 'eth' && outer.protocol !== 'vlan') return outer.end;
    }
    return this.packet.bytes.length;
  }

  private ipv4(index: number): string {
    const ip = this.packet.layers[index]!;
    if (!fieldOf(ip, 'dst')) return ip.headerLength === 0 ? ' [|ip]' : 'IP  [|ip]';
    if (numberOf(ip, 'version') !== 4)
      return `IP, wrong link-layer encapsulation (invalid) version ${numberOf(ip, 'version')}`;
    const headerLength = numberOf(ip, 'hdr_len')! * 4;
    const length = numberOf(ip, 'len')!;
    if (headerLength < 20) return `IP bad-hlen ${headerLength}`;
    // tcpdump takes a length of 0 for segmentation offload only when it is told so at build time; it refuses others.
    if (length < headerLength) return `IP bad-len ${length}`;
    const prefix = ip.missing > 0 ? `IP truncated-ip - ${ip.missing} bytes missing! ` : 'IP ';
    const pair = `${fieldOf(ip, 'src')!.text} > ${fieldOf(ip, 'dst')!.text}`;
    if (numberOf(ip, 'frag_offset') !== 0) return `${prefix}${pair}: ip-proto-${numberOf(ip, 'proto')}`;
    return prefix + this.content(index, index, numberOf(ip, 'proto')!, '');
  }

  private ipv6(index: number): string {
    const { layers } = this.packet;
    const ip = layers[index]!;
    if (!fieldOf(ip, 'dst')) return index === 0 || layers[index - 1]!.protocol === 'eth' ? ' [|ip6]' : 'IP6  [|ip6]';
    if (numberOf(ip, 'version') !== 6) return `IP6 (invalid) version ${numberOf(ip, 'version')}`;
    const prefix = ip.missing > 0 ? `IP6 truncated-ip6 - ${ip.missing} bytes missing!` : 'IP6 ';
    let protocol = numberOf(ip, 'nxt')!;
    let extensions = '';
    let last = index;
    for (let next = layers[last + 1]; next; next = layers[last + 1]) {
      const text = this.extension(next);
      if (text === undefined) break;
      last++;
      extensions += text;
      if (next.truncated) return `${prefix}${pairText(ip)}: ${extensions} [|${next.protocol}]`;
      protocol = numberOf(next, 'nxt')!;
      if (next.protocol === 'fragment' && numberOf(next, 'offset') !== 0) {
        return `${prefix}${pairText(ip)}: ${extensions.trimEnd()}`;
      }
    }
    return prefix + this.content(index, last, protocol, extensions);
  }

  private extension(layer: Layer): string | undefined {
    switch (layer.protocol) {
      case 'hopopts':
        return 'HBH ';
      case 'dstopts':
        return 'DSTOPT ';
      case 'routing': {
        const names: Readonly<Record<number, string>> = { 0: ' [Deprecated]', 2: '', 4: '' };
        const type = numberOf(layer, 'type') ?? 0;
        return `RT6 (len=${numberOf(layer, 'len')}, type=${type}${names[type] ?? ''}, segleft=${numberOf(layer, 'segleft')}) `;
      }
      case 'fragment': {
        const content = layer.end - layer.offset - 8;
        return `frag (${(numberOf(layer, 'offset') ?? 0) * 8}|${content}) `;
      }
      case 'ah':
        return `AH(spi=0x${hex8(numberOf(layer, 'spi'))},seq=0x${(numberOf(layer, 'sequence') ?? 0).toString(16)}): `;
      default:
        return undefined;
    }
  }

  /** `A > B: ...` of what follows the IP header at `ipIndex` and its extension headers up to `last`. */
  private content(ipIndex: number, last: number, protocol: number, extensions: string): string {
    const { layers, payload } = this.packet;
    const ip = layers[ipIndex]!;
    const end = ip.end + ip.missing;
    const next = layers[last + 1];
    const plain = `${pairText(ip)}: ${extensions}`;
    if (!next) {
      if (protocol === 59) return `${plain}no next header`;
      const names: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp6', 132: 'sctp' };
      if (names[protocol] && payload.length === 0) return `${plain} [|${names[protocol]}]`;
      return `${plain} ip-proto-${protocol} ${end - payload.offset}`;
    }
    switch (next.protocol) {
      case 'tcp':
      case 'udp':
      case 'sctp':
        return this.transport(ip, last + 1, extensions, end);
      case 'icmp':
        return `${plain}${this.icmp(last + 1, end)}`;
      case 'icmp6':
        return `${plain}${this.icmp6(last + 1, end)}`;
      case 'igmp':
        return `${plain}${igmp(next)}`;
      case 'gre':
        return `${plain}${this.gre(last + 1, end)}`;
      case 'esp': {
        if (next.truncated) return `${plain} [|esp]`;
        const sequence = numberOf(next, 'sequence')!.toString(16);
        return `${plain}ESP(spi=0x${hex8(numberOf(next, 'spi'))},seq=0x${sequence}), length ${end - next.offset}`;
      }
      case 'ah':
        return `${plain}${this.extension(next)}`;
      default:
        return `${plain}${this.from(last + 1)}`;
    }
  }

  private transport(ip: Layer, index: number, extensions: string, end: number): string {
    const layer = this.packet.layers[index]!;
    const [source, destination] = [numberOf(layer, 'srcport'), numberOf(layer, 'dstport')];
    if (source === undefined || destination === undefined) return `${pairText(ip)}: ${extensions} [|${layer.protocol}]`;
    const ports =
      extensions === ''
        ? `${fieldOf(ip, 'src')!.text}.${source} > ${fieldOf(ip, 'dst')!.text}.${destination}: `
        : `${pairText(ip)}: ${extensions}${source} > ${destination}: `;
    if (layer.protocol === 'tcp') return ports + this.tcp(ip, layer, end);
    if (layer.protocol === 'sctp') return ports + sctp(layer);
    return ports + this.udp(index, end);
  }

  private tcp(ip: Layer, layer: Layer, end: number): string {
    const window = numberOf(layer, 'window');
    if (window === undefined || layer.headerLength < 20) return ' [|tcp]';
    const headerLength = numberOf(layer, 'hdr_len')! * 4;
    const length = end - layer.offset - headerLength;
    const flags = numberOf(layer, 'flags')!;
    let text = `Flags [${flagLetters(flags)}]`;
    if (headerLength < 20) return `${text} [bad hdr length ${headerLength} - too short, < 20]`;
    if (length < 0) return `${text} [bad hdr length ${headerLength} - too long, > ${end - layer.offset}]`;
    const base = this.flows?.base(ip, layer) ?? { seq: 0, ack: 0, sack: 0 };
    const seq = (numberOf(layer, 'seq')! - base.seq) >>> 0;
    if (length > 0 || flags & 7) text += `, seq ${seq}${length > 0 ? `:${(seq + length) >>> 0}` : ''}`;
    if (flags & ACK) text += `, ack ${(numberOf(layer, 'ack')! - base.ack) >>> 0}`;
    text += `, win ${window}`;
    if (flags & 32) text += `, urg ${numberOf(layer, 'urgent')}`;
    if (headerLength > 20) {
      const { list, isCut } = this.tcpOptions(layer, headerLength, base.sack);
      text += `, options [${list}`;
      if (isCut) return `${text}[|tcp]`;
      text += ']';
    }
    text += `, length ${length}`;
    return length > 0 ? text + this.http(layer) : text;
  }

  private tcpOptions(layer: Layer, headerLength: number, sackBase: number): { list: string; isCut: boolean } {
    const { bytes } = this.packet;
    const { options } = readOptions(bytes, layer.offset + 20, layer.offset + layer.headerLength, 'tcp');
    const texts = options.map((option) => {
      const data = bytes.subarray(option.dataOffset, option.dataOffset + option.dataLength);
      switch (option.kind) {
        case 0:
          return 'eol';
        case 1:
          return 'nop';
        case 2:
          if (data.length === 2) return `mss ${u16(data, 0)}`;
          break;
        case 3:
          if (data.length === 1) return `wscale ${data[0]}`;
          break;
        case 4:
          if (data.length === 0) return 'sackOK';
          break;
        case 5:
          if (data.length % 8 === 0 && data.length > 0) return sackText(data, sackBase);
          break;
        case 8:
          if (data.length === 8) return `TS val ${u32(data, 0)} ecr ${u32(data, 4)}`;
          break;
        case 19:
          if (data.length === 16) return `md5 ${toHex(data)}`;
          break;
        case 34:
          return data.length === 0 ? 'tfo  cookiereq' : `tfo  cookie ${toHex(data)}`;
      }
      return `unknown-${option.kind}${data.length > 0 ? ` 0x${toHex(data)}` : ''}`;
    });
    const isCut = layer.headerLength < headerLength;
    return { list: texts.join(',') + (isCut && texts.length > 0 ? ',' : ''), isCut };
  }

  private http(layer: Layer): string {
    const ports = [numberOf(layer, 'srcport'), numberOf(layer, 'dstport')];
    if (!ports.includes(80) && !ports.includes(8080)) return '';
    const { bytes, payload } = this.packet;
    if (payload.length === 0) return ': HTTP';
    const start = bytes.subarray(payload.offset, payload.offset + Math.min(payload.length, 512));
    const text = String.fromCharCode(...start);
    if (!/^(?:(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE) |\S+ \d{3}\s)/.test(text)) return ': HTTP';
    const line = /^([^\r\n]*)(\r?\n)?/.exec(text)!;
    const shown = line[1]!.replace(/[^\x20-\x7e\t]/g, '.');
    return line[2] ? `: HTTP: ${shown}` : `: HTTP: ${shown} [|http]`;
  }

  private udp(index: number, end: number): string {
    const layer = this.packet.layers[index]!;
    if (!fieldOf(layer, 'checksum')) return ' [|udp]';
    const length = numberOf(layer, 'len')!;
    const room = end - layer.offset - 8;
    if (length !== 0 && length < 8) return `truncated-udplength ${length}`;
    if (length !== 0 && length - 8 > room && !this.isFirstFragment(index))
      return `UDP, bad length ${length - 8} > ${room}`;
    const next = this.packet.layers[index + 1];
    if (next?.protocol === 'vxlan') return this.vxlan(index + 1);
    if (next?.protocol === 'geneve') return this.geneve(index + 1);
    return `UDP, length ${length === 0 ? room : Math.min(length - 8, room)}`;
  }

  private isFirstFragment(index: number): boolean {
    for (let i = index - 1; i >= 0; i--) {
      const layer = this.packet.layers[i]!;
      if (layer.protocol === 'ipv4') return ((numberOf(layer, 'flags') ?? 0) & 1) !== 0;
      if (layer.protocol === 'fragment') return numberOf(layer, 'more') === 1;
      if (layer.protocol === 'ipv6') return false;
    }
    return false;
  }

  private vxlan(index: number): string {
    const layer = this.packet.layers[index]!;
    const vni = numberOf(layer, 'vni');
    if (vni === undefined || layer.truncated) return 'VXLAN [|vxlan]';
    const flags = numberOf(layer, 'flags')! >> 8;
    const line = `VXLAN, flags [${flags & 8 ? 'I' : '.'}] (0x${flags.toString(16).padStart(2, '0')}), vni ${vni}`;
    return this.packet.layers[index + 1] ? `${line}\n${this.from(index + 1)}` : line;
  }

  private geneve(index: number): string {
    const layer = this.packet.layers[index]!;
    const vni = numberOf(layer, 'vni');
    if (vni === undefined || layer.truncated) return 'Geneve [|geneve]';
    if (numberOf(layer, 'version') !== 0) return `Geneve ERROR: unknown-version ${numberOf(layer, 'version')}`;
    const flags = (numberOf(layer, 'oam') ? 'O' : '') + (numberOf(layer, 'critical') ? 'C' : '');
    const protocol = numberOf(layer, 'proto')!;
    let text = `Geneve, Flags [${flags || 'none'}], vni 0x${vni.toString(16)}`;
    if (protocol !== 0x6558) text += `, proto ${fieldOf(layer, 'proto')!.text}`;
    const options = numberOf(layer, 'option_len')! * 4;
    if (options > 0) text += `, options [${options} bytes]`;
    return this.packet.layers[index + 1] ? `${text}: ${this.from(index + 1)}` : text;
  }

  private gre(index: number, end: number): string {
    const layer = this.packet.layers[index]!;
    if (layer.truncated) return ' [|gre]';
    let text = `GREv${numberOf(layer, 'version')}`;
    if (fieldOf(layer, 'checksum')) text += `, off 0x${(numberOf(layer, 'offset') ?? 0).toString(16)}`;
    if (fieldOf(layer, 'key')) text += `, key=0x${numberOf(layer, 'key')!.toString(16)}`;
    if (fieldOf(layer, 'sequence')) text += `, seq ${numberOf(layer, 'sequence')}`;
    text += `, length ${end - layer.offset}`;
    return this.packet.layers[index + 1] ? `${text}: ${this.from(index + 1)}` : text;
  }

  private icmp(index: number, end: number): string {
    const layer = this.packet.layers[index]!;
    const [type, code] = [numberOf(layer, 'type'), numberOf(layer, 'code')];
    if (type === undefined || code === undefined || !fieldOf(layer, 'checksum')) return ' [|icmp]';
    return `ICMP ${this.icmpText(index, type, code)}, length ${end - layer.offset}`;
  }

  private icmpText(index: number, type: number, code: number): string {
    const layer = this.packet.layers[index]!;
    const [ident, seq] = [numberOf(layer, 'ident'), numberOf(layer, 'seq')];
    switch (type) {
      case 0:
        return `echo reply, id ${ident}, seq ${seq}`;
      case 8:
        return `echo request, id ${ident}, seq ${seq}`;
      case 3:
        return this.unreachable(index, code);
      case 4:
        return 'source quench';
      case 5: {
        const kinds = ['net', 'host', 'tos-net', 'tos-host'];
        const quoted = this.quoted(index).destination;
        if (!kinds[code]) return `redirect-#${code} ${quoted} to ${fieldOf(layer, 'gateway')?.text}`;
        return `redirect ${quoted} to ${kinds[code]!.replace('tos-', code > 1 ? 'tos ' : '')} ${fieldOf(layer, 'gateway')?.text}`;
      }
      case 11:
        if (code === 0) return 'time exceeded in-transit';
        return code === 1 ? 'ip reassembly time exceeded' : `time exceeded-#${code}`;
      case 12:
        if (code !== 0) return `parameter problem code ${code}`;
        return `parameter problem - octet ${numberOf(layer, 'pointer')}`;
      case 13:
        return `time stamp query id ${ident} seq ${seq}`;
      case 14:
        return `time stamp reply id ${ident} seq ${seq}`;
      default:
        return `type-#${type}`;
    }
  }

  /** What an ICMP error quotes. */
  private quoted(index: number): { destination: string; source: string; protocol: number; port: string } {
    const ip = this.packet.layers[index + 1];
    const transport = this.packet.layers.slice(index + 2).find((layer) => fieldOf(layer, 'dstport'));
    const protocol = transport ? { tcp: 6, udp: 17, sctp: 132 }[transport.protocol as string] : undefined;
    return {
      destination: (ip && fieldOf(ip, 'dst')?.text) ?? '?',
      source: (ip && fieldOf(ip, 'src')?.text) ?? '?',
      protocol: protocol ?? (ip ? (numberOf(ip, 'proto') ?? numberOf(ip, 'nxt') ?? 0) : 0),
      port: (transport && fieldOf(transport, 'dstport')?.text) ?? '?',
    };
  }

  private unreachable(index: number, code: number): string {
    const { destination, protocol, port } = this.quoted(index);
    switch (code) {
      case 0:
        return `net ${destination} unreachable`;
      case 1:
        return `host ${destination} unreachable`;
      case 2:
        return `${destination} protocol ${protocol} unreachable`;
      case 3: {
        const name = protocol === 6 ? 'tcp' : protocol === 17 ? 'udp' : `protocol ${protocol}`;
        return `${destination} ${name} port ${port} unreachable`;
      }
      case 4: {
        const mtu = numberOf(this.packet.layers[index]!, 'mtu');
        return `${destination} unreachable - need to frag${mtu ? ` (mtu ${mtu})` : ''}`;
      }
      case 5:
        return `${destination} unreachable - source route failed`;
      case 6:
        return `net ${destination} unreachable - unknown`;
      case 7:
        return `host ${destination} unreachable - unknown`;
      case 9:
        return `net ${destination} unreachable - admin prohibited`;
      case 10:
        return `host ${destination} unreachable - admin prohibited`;
      case 13:
        return `host ${destination} unreachable - admin prohibited filter`;
      default:
        return `${destination} unreachable - #${code}`;
    }
  }

  private icmp6(index: number, end: number): string {
    const layer = this.packet.layers[index]!;
    const [type, code] = [numberOf(layer, 'type'), numberOf(layer, 'code')];
    if (type === undefined || code === undefined || !fieldOf(layer, 'checksum')) return ' [|icmp6]';
    const text = this.icmp6Text(index, type, code);
    return `ICMP6, ${text}, length ${end - layer.offset}`;
  }

  private icmp6Text(index: number, type: number, code: number): string {
    const layer = this.packet.layers[index]!;
    const body = () => {
      const target = bytesOf(layer, 'target');
      return target ? formatIPv6(target) : '[|icmp6]';
    };
    switch (type) {
      case 1:
        return `destination unreachable, ${this.unreachable6(index, code)}`;
      case 2:
        return `packet too big, mtu ${numberOf(layer, 'mtu')}`;
      case 3:
        if (code === 0) return `time exceeded in-transit for ${this.quoted(index).destination}`;
        return code === 1 ? 'time exceeded in-transit (reassembly)' : `time exceeded, unknown code (${code})`;
      case 4: {
        const kinds = ['erroneous', 'next header', 'option'];
        return `parameter problem, ${kinds[code] ?? `code ${code}`} - octet ${numberOf(layer, 'pointer')}`;
      }
      case 128:
        return `echo request, id ${numberOf(layer, 'ident')}, seq ${numberOf(layer, 'seq')}`;
      case 129:
        return `echo reply, id ${numberOf(layer, 'ident')}, seq ${numberOf(layer, 'seq')}`;
      case 133:
        return 'router solicitation';
      case 134:
        return 'router advertisement';
      case 135:
        return `neighbor solicitation, who has ${body()}`;
      case 136:
        return `neighbor advertisement, tgt is ${body()}`;
      case 137:
        return `redirect, ${fieldOf(layer, 'destination')?.text ?? '?'} to ${body()}`;
      case 143:
        return `multicast listener report v2, ${numberOf(layer, 'records')} group record(s)`;
      default:
        return `${fieldOf(layer, 'type')!.text.replace(/^\d+ \((.*)\)$/, '$1')}, unknown icmp6 type (${type})`;
    }
  }

  private unreachable6(index: number, code: number): string {
    const { destination, source, protocol, port } = this.quoted(index);
    switch (code) {
      case 0:
        return `unreachable route ${destination}`;
      case 1:
        return ` unreachable prohibited ${destination}`;
      case 2:
        return `beyond scope ${destination}, source address ${source}`;
      case 3:
        return `unreachable address ${destination}`;
      case 4: {
        const name = protocol === 6 ? 'tcp' : protocol === 17 ? 'udp' : `protocol ${protocol}`;
        return `unreachable port, ${destination} ${name} port ${port}`;
      }
      default:
        return `unknown unreach code (${code})`;
    }
  }
}

function pairText(ip: Layer): string {
  return `${formatAddress(bytesOf(ip, 'src')!)} > ${formatAddress(bytesOf(ip, 'dst')!)}`;
}

function flagLetters(flags: number): string {
  const letters = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'W', 'e'];
  return letters.filter((_, i) => (flags >> i) & 1).join('') || 'none';
}

function sackText(data: Uint8Array, base: number): string {
  let text = `sack ${data.length / 8} `;
  for (let i = 0; i < data.length; i += 8)
    text += `{${(u32(data, i) - base) >>> 0}:${(u32(data, i + 4) - base) >>> 0}}`;
  return text;
}

function hex8(value: number | undefined): string {
  return (value ?? 0).toString(16).padStart(8, '0');
}

function igmp(layer: Layer): string {
  const type = numberOf(layer, 'type');
  const group = fieldOf(layer, 'group');
  if (type === undefined || !group) return ' [|igmp]';
  const isGeneral = bytesOf(layer, 'group')!.every((byte) => byte === 0);
  switch (type) {
    case 0x11: {
      const version = fieldOf(layer, 'qqic') ? 3 : numberOf(layer, 'max_resp') ? 2 : 1;
      return `igmp query v${version}${isGeneral ? '' : ` [gaddr ${group.text}]`}`;
    }
    case 0x12:
      return `igmp v1 report ${group.text}`;
    case 0x16:
      return `igmp v2 report ${group.text}`;
    case 0x17:
      return `igmp leave ${group.text}`;
    case 0x22:
      return `igmp v3 report, ${u16(bytesOf(layer, 'group')!, 2)} group record(s)`;
    default:
      return `igmp-${type}`;
  }
}

function sctp(layer: Layer): string {
  if (!fieldOf(layer, 'checksum')) return ' [|sctp]';
  const names: Readonly<Record<number, string>> = {
    0: 'DATA',
    1: 'INIT',
    2: 'INIT ACK',
    3: 'SACK',
    4: 'HB REQ',
    5: 'HB ACK',
    6: 'ABORT',
    7: 'SHUTDOWN',
    8: 'SHUTDOWN ACK',
    9: 'OP ERR',
    10: 'COOKIE ECHO',
    11: 'COOKIE ACK',
    14: 'SHUTDOWN COMPLETE',
  };
  const text: string[] = [];
  for (let i = 0; numberOf(layer, `chunk[${i}].type`) !== undefined; i++) {
    const value = (name: string) => numberOf(layer, `chunk[${i}].${name}`);
    const type = value('type')!;
    let chunk = `(${i + 1}) [${names[type] ?? `Unknown chunk type: 0x${type.toString(16)}`}] `;
    if (type === 0 && value('ppid') !== undefined) {
      const flags = value('flags')!;
      const bits = `${flags & 4 ? '(U)' : ''}${flags & 2 ? '(B)' : ''}${flags & 1 ? '(E)' : ''}`;
      if (bits) chunk += `${bits} `;
      chunk += `[TSN: ${value('tsn')}] [SID: ${value('stream')}] [SSEQ ${value('stream_seq')}] `;
      chunk += `[PPID 0x${value('ppid')!.toString(16)}] `;
    } else if ((type === 1 || type === 2) && value('initial_tsn') !== undefined) {
      chunk += `[init tag: ${value('initiate_tag')}] [rwnd: ${value('a_rwnd')}] [OS: ${value('out_streams')}] `;
      chunk += `[MIS: ${value('in_streams')}] [init TSN: ${value('initial_tsn')}] `;
    } else if (type === 3 && value('duplicates') !== undefined) {
      chunk += `[cum ack ${value('cumulative_tsn')}] [a_rwnd ${value('a_rwnd')}] `;
      chunk += `[#gap acks ${value('gaps')}] [#dup tsns ${value('duplicates')}] `;
    }
    text.push(chunk);
  }
  return `sctp ${text.join('')}`.trimEnd();
}
