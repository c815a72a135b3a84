import { formatIPv4, formatIPv6, formatMac } from './addresses.js';
import { toHex, u16, u32 } from './bytes.js';
import {
  ARP_IPV4,
  type FieldDescription,
  GENEVE_OPTION,
  GRE_CHECKSUM,
  GRE_KEY,
  GRE_SEQUENCE,
  ICMP_BODIES,
  ICMP6_BODIES,
  IGMP3_QUERY,
  IPV4_OPTIONS,
  IPV6_OPTIONS,
  NDP_OPTIONS,
  type OptionDescription,
  PROTOCOLS,
  type ProtocolName,
  REST,
  SCTP_CHUNK,
  SCTP_CHUNK_BODIES,
  TCP_OPTIONS,
  TUNNEL_PORTS,
} from './fields.js';
import { type OptionLayout, readOptions } from './options.js';

/** What the first byte of a packet is: an Ethernet header, or an IPv4 or IPv6 header (a device without layer 2). */
export type PacketStart = 'ethernet' | 'ip';

export interface ParsedField {
  /** Name within its layer, such as `ttl` or `options.mss`. */
  readonly name: string;
  /** Bits from the start of the packet. */
  readonly offset: number;
  /** Size in bits. */
  readonly size: number;
  /** The raw value as a number; addresses and opaque data as bytes. */
  readonly value: number | Uint8Array;
  /** The value for people. */
  readonly text: string;
  readonly isChecksum: boolean;
}

export interface Layer {
  readonly protocol: ProtocolName;
  /** The protocol, with `#2`, `#3` ... from its second header in the packet on. */
  readonly label: string;
  /** Bytes from the start of the packet. */
  readonly offset: number;
  /** Bytes of the header, options included, as far as the packet has them. */
  readonly headerLength: number;
  /** Where the header and what it carries end, by its own length field, bounded by what surrounds it and the packet. */
  readonly end: number;
  readonly fields: readonly ParsedField[];
  /** The packet ends before this header, or before the end that its length field promises. */
  readonly truncated: boolean;
  /** Bytes that its length field promises and the packet does not have. */
  readonly missing: number;
  /** Quoted by an ICMP error, not on its way itself. */
  readonly isEmbedded: boolean;
  /** What is wrong with the header, in words. */
  readonly problem?: string;
}

export interface ParsedPacket {
  readonly bytes: Uint8Array;
  readonly start: PacketStart;
  /** Outermost first. */
  readonly layers: readonly Layer[];
  /** What the innermost layer carries. */
  readonly payload: { readonly offset: number; readonly length: number };
  /** Bytes behind the end of the outermost IP packet: Ethernet padding. */
  readonly trailer: { readonly offset: number; readonly length: number };
  /** Some layer is truncated. */
  readonly truncated: boolean;
}

/** Tunnels within tunnels (and packets within ICMP errors) that are looked into. */
export const MAX_NESTING = 8;
/** Bounds the headers of one packet: IPv6 extension headers chain as long as the packet is. */
export const MAX_LAYERS = 64;

/**
 * Reads the headers of a packet, outermost first, as deep as they are known. Never throws: whatever the bytes are, the
 * result holds the fields that are present, and layers say where the packet was cut or contradicts itself.
 */
export function parsePacket(bytes: Uint8Array, options: { start?: PacketStart } = {}): ParsedPacket {
  const start = options.start ?? 'ethernet';
  return new Parser(bytes, start).parse();
}

/** The layers of one protocol, outermost first. */
export function layersOf(packet: ParsedPacket, protocol: ProtocolName): Layer[] {
  return packet.layers.filter((layer) => layer.protocol === protocol);
}

export function fieldOf(layer: Layer, name: string): ParsedField | undefined {
  return layer.fields.find((field) => field.name === name);
}

/** Value of a number field; undefined if the layer has no such field or it is not a number. */
export function numberOf(layer: Layer, name: string): number | undefined {
  const value = fieldOf(layer, name)?.value;
  return typeof value === 'number' ? value : undefined;
}

/** Value of an address or bytes field; undefined if the layer has no such field or it is a number. */
export function bytesOf(layer: Layer, name: string): Uint8Array | undefined {
  const value = fieldOf(layer, name)?.value;
  return value instanceof Uint8Array ? value : undefined;
}

/** A layer while it is being read. */
interface Draft {
  protocol: ProtocolName;
  label: string;
  offset: number;
  headerLength: number;
  end: number;
  fields: ParsedField[];
  truncated: boolean;
  missing: number;
  isEmbedded: boolean;
  problem?: string;
}

class Parser {
  private readonly layers: Draft[] = [];
  private readonly counts = new Map<ProtocolName, number>();
  private nesting = 0;
  private isEmbedded = false;
  private trailerStart = -1;
  /** Where the next header starts. */
  private offset = 0;
  /** Where the innermost known length says that content ends. */
  private end: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly start: PacketStart,
  ) {
    this.end = bytes.length;
  }

  parse(): ParsedPacket {
    let next: ProtocolName | undefined = this.start === 'ethernet' ? 'eth' : this.ipByVersion();
    while (next) {
      if (this.layers.length >= MAX_LAYERS) {
        this.layers.at(-1)!.problem ??= `more than ${MAX_LAYERS} headers`;
        break;
      }
      next = this.step(next);
    }
    const trailer = this.trailerStart < 0 ? this.bytes.length : this.trailerStart;
    return {
      bytes: this.bytes,
      start: this.start,
      layers: this.layers,
      payload: { offset: this.offset, length: Math.max(0, this.end - this.offset) },
      trailer: { offset: trailer, length: this.bytes.length - trailer },
      truncated: this.layers.some((layer) => layer.truncated),
    };
  }

  private ipByVersion(): ProtocolName | undefined {
    const version = (this.bytes[this.offset] ?? 0) >> 4;
    return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined;
  }

  /** Reads one header and tells the next. */
  private step(protocol: ProtocolName): ProtocolName | undefined {
    const layer = this.open(protocol);
    if (!this.read(layer, PROTOCOLS[protocol].fields)) {
      layer.end = this.end;
      return undefined;
    }
    const next = this.body(layer);
    layer.end = this.end;
    return next;
  }

  private open(protocol: ProtocolName): Draft {
    const count = (this.counts.get(protocol) ?? 0) + 1;
    this.counts.set(protocol, count);
    const layer: Draft = {
      protocol,
      label: count === 1 ? protocol : `${protocol}#${count}`,
      offset: this.offset,
      headerLength: 0,
      end: this.end,
      fields: [],
      truncated: false,
      missing: 0,
      isEmbedded: this.isEmbedded,
    };
    this.layers.push(layer);
    return layer;
  }

  /** Reads fields from where the layer's header ends so far. False: the packet ends first, the layer is marked. */
  private read(layer: Draft, descriptions: readonly FieldDescription[], prefix = '', limit = this.end): boolean {
    let bit = this.offset * 8;
    for (const description of descriptions) {
      if (bit + description.bits > limit * 8) {
        this.advance(layer, limit);
        layer.truncated = true;
        return false;
      }
      layer.fields.push(readField(this.bytes, bit, description, prefix));
      bit += description.bits;
    }
    this.advance(layer, bit >> 3);
    return true;
  }

  private advance(layer: Draft, offset: number): void {
    this.offset = offset;
    layer.headerLength = offset - layer.offset;
  }

  /** Skips to where a variable header ends. False: the packet ends first. */
  private skipTo(layer: Draft, offset: number): boolean {
    if (offset > this.end) {
      layer.truncated = true;
      this.advance(layer, this.end);
      return false;
    }
    this.advance(layer, offset);
    return true;
  }

  private value(layer: Draft, name: string): number {
    return layer.fields.find((field) => field.name === name)!.value as number;
  }

  /** Narrows the end to what a length field says; more than there is marks the layer. */
  private limit(layer: Draft, end: number, isOutermostIp = false): void {
    if (end > this.end) {
      layer.truncated = true;
      layer.missing = end - this.end;
      return;
    }
    if (isOutermostIp && this.trailerStart < 0 && end < this.end) this.trailerStart = end;
    this.end = end;
  }

  private body(layer: Draft): ProtocolName | undefined {
    switch (layer.protocol) {
      case 'eth':
      case 'vlan':
        return this.byEtherType(this.value(layer, 'type'));
      case 'arp':
        return this.arp(layer);
      case 'ipv4':
        return this.ipv4(layer);
      case 'ipv6':
        return this.ipv6(layer);
      case 'hopopts':
      case 'dstopts':
        return this.ipv6Options(layer);
      case 'routing':
        return this.routing(layer);
      case 'fragment':
        return this.value(layer, 'offset') === 0 ? this.byIpProtocol(this.value(layer, 'nxt'), layer) : undefined;
      case 'ah':
        return this.skipTo(layer, layer.offset + (this.value(layer, 'len') + 2) * 4)
          ? this.byIpProtocol(this.value(layer, 'nxt'), layer)
          : undefined;
      case 'tcp':
        return this.tcp(layer);
      case 'udp':
        return this.udp(layer);
      case 'sctp':
        return this.sctp(layer);
      case 'icmp':
        return this.icmp(layer);
      case 'icmp6':
        return this.icmp6(layer);
      case 'igmp':
        if (this.value(layer, 'type') === 0x11 && this.end - layer.offset >= 12) this.read(layer, IGMP3_QUERY);
        return undefined;
      case 'vxlan':
        return this.inner(layer, 'eth');
      case 'geneve':
        return this.geneve(layer);
      case 'gre':
        return this.gre(layer);
      case 'esp':
        return undefined;
    }
  }

  private byEtherType(type: number): ProtocolName | undefined {
    switch (type) {
      case 0x0800:
        return 'ipv4';
      case 0x86dd:
        return 'ipv6';
      case 0x0806:
        return 'arp';
      case 0x8100:
      case 0x88a8:
      case 0x9100:
        return 'vlan';
      default:
        return undefined;
    }
  }

  private byIpProtocol(protocol: number, layer: Draft): ProtocolName | undefined {
    switch (protocol) {
      case 1:
        return 'icmp';
      case 2:
        return 'igmp';
      case 4:
        return this.inner(layer, 'ipv4');
      case 6:
        return 'tcp';
      case 17:
        return 'udp';
      case 41:
        return this.inner(layer, 'ipv6');
      case 47:
        return 'gre';
      case 50:
        return 'esp';
      case 51:
        return 'ah';
      case 58:
        return 'icmp6';
      case 132:
        return 'sctp';
      case 0:
        return 'hopopts';
      case 43:
        return 'routing';
      case 44:
        return 'fragment';
      case 60:
        return 'dstopts';
      default:
        return undefined;
    }
  }

  /** Into a packet within the packet, as far as the bound on nesting allows. */
  private inner(layer: Draft, next: ProtocolName): ProtocolName | undefined {
    if (this.nesting >= MAX_NESTING) {
      layer.problem ??= `more than ${MAX_NESTING} packets within packets`;
      return undefined;
    }
    this.nesting++;
    return this.end > this.offset ? next : undefined;
  }

  private arp(layer: Draft): undefined {
    const isIpv4 = this.value(layer, 'hw.size') === 6 && this.value(layer, 'proto.size') === 4;
    if (isIpv4) this.read(layer, ARP_IPV4);
    else layer.problem = 'not for Ethernet and IPv4';
    if (!layer.truncated) this.limit(layer, this.offset, this.nesting === 0);
  }

  private ipv4(layer: Draft): ProtocolName | undefined {
    const headerLength = this.value(layer, 'hdr_len') * 4;
    const length = this.value(layer, 'len');
    if (this.value(layer, 'version') !== 4) {
      layer.problem = `version is ${this.value(layer, 'version')}`;
      return undefined;
    }
    if (headerLength < 20) {
      layer.problem = `header length is ${headerLength}, less than 20`;
      return undefined;
    }
    // A length of 0 is what captures of segmentation offload hold: the packet is as long as the capture.
    if (length !== 0 && length < headerLength)
      layer.problem = `length ${length} is less than the header's ${headerLength}`;
    else if (length !== 0) this.limit(layer, layer.offset + length, !layer.isEmbedded && this.nesting === 0);
    const optionsStart = this.offset;
    if (!this.skipTo(layer, layer.offset + headerLength)) {
      this.options(layer, optionsStart, this.end, 'ipv4', IPV4_OPTIONS);
      return undefined;
    }
    this.options(layer, optionsStart, this.offset, 'ipv4', IPV4_OPTIONS);
    if (layer.problem || this.value(layer, 'frag_offset') !== 0) return undefined;
    return this.byIpProtocol(this.value(layer, 'proto'), layer);
  }

  private ipv6(layer: Draft): ProtocolName | undefined {
    if (this.value(layer, 'version') !== 6) {
      layer.problem = `version is ${this.value(layer, 'version')}`;
      return undefined;
    }
    const length = this.value(layer, 'plen');
    // 0 with a hop-by-hop header may be a jumbogram, and is what captures of segmentation offload hold.
    if (length !== 0 || this.value(layer, 'nxt') === 59) {
      this.limit(layer, layer.offset + 40 + length, !layer.isEmbedded && this.nesting === 0);
    }
    return this.end > this.offset ? this.byIpProtocol(this.value(layer, 'nxt'), layer) : undefined;
  }

  private ipv6Options(layer: Draft): ProtocolName | undefined {
    const optionsStart = this.offset;
    const whole = this.skipTo(layer, layer.offset + (this.value(layer, 'len') + 1) * 8);
    this.options(layer, optionsStart, this.offset, 'ipv6', IPV6_OPTIONS);
    return whole ? this.byIpProtocol(this.value(layer, 'nxt'), layer) : undefined;
  }

  private routing(layer: Draft): ProtocolName | undefined {
    const end = layer.offset + (this.value(layer, 'len') + 1) * 8;
    const type = this.value(layer, 'type');
    if (type === 0 || type === 2 || type === 4) {
      const addresses = Math.min(this.value(layer, 'len') >> 1, 127);
      for (let i = 0; i < addresses && this.offset + 16 <= Math.min(end, this.end); i++) {
        this.read(layer, [{ name: `address[${i}]`, bits: 128, kind: 'ipv6' }]);
      }
    }
    return this.skipTo(layer, end) ? this.byIpProtocol(this.value(layer, 'nxt'), layer) : undefined;
  }

  private tcp(layer: Draft): undefined {
    const headerLength = this.value(layer, 'hdr_len') * 4;
    if (headerLength < 20) {
      layer.problem = `header length is ${headerLength}, less than 20`;
      return;
    }
    const optionsStart = this.offset;
    this.skipTo(layer, layer.offset + headerLength);
    this.options(layer, optionsStart, this.offset, 'tcp', TCP_OPTIONS);
  }

  private udp(layer: Draft): ProtocolName | undefined {
    const length = this.value(layer, 'len');
    if (length !== 0 && length < 8) {
      layer.problem = `length ${length} is less than the header's 8`;
      return undefined;
    }
    const isWhole = length === 0 || layer.offset + length <= this.end;
    if (length !== 0 && isWhole) this.end = layer.offset + length;
    else if (!isWhole && !this.isFirstFragment()) {
      layer.truncated = true;
      layer.missing = layer.offset + length - this.end;
    }
    if (layer.isEmbedded) return undefined;
    return TUNNEL_PORTS[this.value(layer, 'dstport')];
  }

  /** Whether the header being read lies in the first of several fragments, so that its lengths pass the packet. */
  private isFirstFragment(): boolean {
    for (const layer of this.layers.toReversed()) {
      if (layer.protocol === 'ipv4') return (this.value(layer, 'flags') & 1) !== 0;
      if (layer.protocol === 'fragment') return this.value(layer, 'more') === 1;
      if (layer.protocol === 'ipv6') return false;
    }
    return false;
  }

  private sctp(layer: Draft): undefined {
    for (let i = 0; i < MAX_LAYERS && this.offset < this.end; i++) {
      const start = this.offset;
      const prefix = `chunk[${i}].`;
      if (!this.read(layer, SCTP_CHUNK, prefix)) return;
      const length = this.value(layer, `${prefix}len`);
      if (length < 4) {
        layer.problem = `chunk ${i} has length ${length}, less than 4`;
        return;
      }
      const end = start + length;
      const body = SCTP_CHUNK_BODIES[this.value(layer, `${prefix}type`)];
      if (body && !this.read(layer, body, prefix, Math.min(end, this.end))) return;
      const dataEnd = Math.min(end, this.end);
      if (dataEnd > this.offset) {
        layer.fields.push(bytesField(this.bytes, `${prefix}data`, this.offset, dataEnd - this.offset));
      }
      if (!this.skipTo(layer, end)) return;
      // Chunks are padded to four bytes; the last one may come without.
      this.advance(layer, Math.min(start + ((length + 3) & ~3), this.end));
    }
  }

  private icmp(layer: Draft): ProtocolName | undefined {
    const type = this.value(layer, 'type');
    if (!this.read(layer, ICMP_BODIES[type] ?? REST)) return undefined;
    return [3, 4, 5, 11, 12].includes(type) ? this.embedded(layer, 'ipv4') : undefined;
  }

  private icmp6(layer: Draft): ProtocolName | undefined {
    const type = this.value(layer, 'type');
    if (!this.read(layer, ICMP6_BODIES[type] ?? REST)) return undefined;
    if (type >= 133 && type <= 137) {
      this.options(layer, this.offset, this.end, 'ndp', NDP_OPTIONS);
      this.advance(layer, this.end);
    }
    return type >= 1 && type <= 4 ? this.embedded(layer, 'ipv6') : undefined;
  }

  /** Into the packet that an ICMP error quotes. */
  private embedded(layer: Draft, next: ProtocolName): ProtocolName | undefined {
    const inner = this.inner(layer, next);
    if (inner) this.isEmbedded = true;
    return inner;
  }

  private geneve(layer: Draft): ProtocolName | undefined {
    const end = this.offset + this.value(layer, 'option_len') * 4;
    for (let i = 0; i < MAX_LAYERS && this.offset + 4 <= Math.min(end, this.end); i++) {
      const prefix = `options[${i}].`;
      this.read(layer, GENEVE_OPTION, prefix);
      const length = this.value(layer, `${prefix}len`) * 4;
      const dataEnd = Math.min(this.offset + length, end, this.end);
      if (dataEnd > this.offset) {
        layer.fields.push(bytesField(this.bytes, `${prefix}data`, this.offset, dataEnd - this.offset));
      }
      if (this.offset + length > end) layer.problem = `option ${i} passes the end of the options`;
      this.advance(layer, dataEnd);
    }
    if (!this.skipTo(layer, end) || this.value(layer, 'version') !== 0) return undefined;
    return this.innerByEtherType(layer, this.value(layer, 'proto'));
  }

  private gre(layer: Draft): ProtocolName | undefined {
    const flags = this.value(layer, 'flags');
    if (this.value(layer, 'version') !== 0) return undefined;
    if (flags & 0x1000 && !this.read(layer, GRE_CHECKSUM)) return undefined;
    if (flags & 0x0400 && !this.read(layer, GRE_KEY)) return undefined;
    if (flags & 0x0200 && !this.read(layer, GRE_SEQUENCE)) return undefined;
    return this.innerByEtherType(layer, this.value(layer, 'proto'));
  }

  private innerByEtherType(layer: Draft, type: number): ProtocolName | undefined {
    const next = type === 0x6558 ? 'eth' : this.byEtherType(type);
    return next && this.inner(layer, next);
  }

  /** Adds `options.NAME` fields, one per value of each option. */
  private options(
    layer: Draft,
    start: number,
    end: number,
    layout: OptionLayout,
    known: Readonly<Record<number, OptionDescription>>,
  ): void {
    const { options, problem } = readOptions(this.bytes, start, end, layout);
    for (const option of options) {
      const description = known[option.kind];
      const name = `options.${description?.name ?? option.kind}`;
      const fields = description?.fields ?? [];
      const bits = fields.reduce((sum, field) => sum + field.bits, 0);
      if (bits === 0 || bits !== option.dataLength * 8) {
        layer.fields.push(bytesField(this.bytes, name, option.dataOffset, option.dataLength, option.offset));
        continue;
      }
      let bit = option.dataOffset * 8;
      for (const field of fields) {
        const prefix = fields.length === 1 ? 'options.' : `${name}.`;
        layer.fields.push(readField(this.bytes, bit, field, prefix));
        bit += field.bits;
      }
    }
    if (problem && !layer.truncated) layer.problem ??= problem;
  }
}

/** Bytes as a field; an empty one covers the option's first byte so that it has a place. */
function bytesField(bytes: Uint8Array, name: string, offset: number, length: number, place = offset): ParsedField {
  const value = bytes.subarray(offset, offset + length);
  return {
    name,
    offset: (length > 0 ? offset : place) * 8,
    size: (length > 0 ? length : 1) * 8,
    value,
    text: toHex(value),
    isChecksum: false,
  };
}

function readField(bytes: Uint8Array, bit: number, description: FieldDescription, prefix: string): ParsedField {
  const value = readValue(bytes, bit, description);
  return {
    name: prefix + description.name,
    offset: bit,
    size: description.bits,
    value,
    text: fieldText(value, description),
    isChecksum: description.isChecksum === true,
  };
}

function readValue(bytes: Uint8Array, bit: number, { bits, kind }: FieldDescription): number | Uint8Array {
  const byte = bit >> 3;
  if (kind !== 'number' && kind !== 'hex') return bytes.subarray(byte, byte + (bits >> 3));
  if ((bit & 7) === 0 && bits === 16) return u16(bytes, byte);
  if ((bit & 7) === 0 && bits === 32) return u32(bytes, byte);
  let value = 0;
  for (let i = bit; i < bit + bits; i++) value = value * 2 + ((bytes[i >> 3]! >> (7 - (i & 7))) & 1);
  return value;
}

function fieldText(value: number | Uint8Array, description: FieldDescription): string {
  if (typeof value !== 'number') {
    switch (description.kind) {
      case 'ipv4':
        return formatIPv4(value);
      case 'ipv6':
        return formatIPv6(value);
      case 'mac':
        return formatMac(value);
      default:
        return toHex(value);
    }
  }
  if (description.unit) return String(value * description.unit);
  const digits = `0x${value.toString(16).padStart(Math.ceil(description.bits / 4), '0')}`;
  const plain = description.kind === 'hex' ? digits : String(value);
  if (description.flags) {
    const set = description.flags.filter((name, i) => name !== '' && (value >> i) & 1);
    return set.length > 0 ? `${plain} (${set.join(', ')})` : plain;
  }
  const name = description.names?.[value];
  return name ? `${plain} (${name})` : plain;
}
