import { fieldOf, type Layer, layersOf, numberOf, parsePacket } from '../../src/packet/parse.js';

const text = (layer: Layer, ...names: string[]): string =>
  names.map((name) => fieldOf(layer, name)?.text ?? '').join(' ');

/**
 * What a model and the kernel must agree on: addresses of all layers, TTL, TOS, DF, fragments, lengths, ICMP types, TCP flags, VNI. Left
 * out: IP identification, ICMP identifiers, ephemeral ports, sequence numbers.
 */
export function summary(frame: Uint8Array): string {
  return parsePacket(frame)
    .layers.filter((layer) => !layer.isEmbedded)
    .map((layer) => {
      switch (layer.protocol) {
        case 'eth':
          return `${text(layer, 'src')} > ${text(layer, 'dst')}`;
        case 'arp':
          return `arp ${text(layer, 'opcode', 'src.hw_mac', 'src.proto_ipv4', 'dst.proto_ipv4')}`;
        case 'ipv4': {
          const df = (numberOf(layer, 'flags') ?? 0) & 2 ? ' DF' : '';
          const more = (numberOf(layer, 'flags') ?? 0) & 1 ? ' MF' : '';
          const offset = numberOf(layer, 'frag_offset') ? ` @${numberOf(layer, 'frag_offset')}` : '';
          return `ipv4 ${text(layer, 'src', 'dst')} ttl ${numberOf(layer, 'ttl')} tos ${frame[layer.offset + 1]} len ${numberOf(layer, 'len')}${df}${more}${offset}`;
        }
        case 'ipv6':
          return `ipv6 ${text(layer, 'src', 'dst')} hlim ${frame[layer.offset + 7]} len ${layer.end - layer.offset}`;
        case 'icmp':
        case 'icmp6': {
          const type = frame[layer.offset]!;
          const isError = layer.protocol === 'icmp' ? type === 3 || type === 11 : type < 128;
          const rest = isError ? [...frame.subarray(layer.offset + 4, layer.offset + 8)].join('.') : '';
          return `${layer.protocol} ${type}/${frame[layer.offset + 1]} ${rest}`;
        }
        case 'udp': {
          const port = numberOf(layer, 'dstport')!;
          return `udp > ${port >= 32768 ? 'ephemeral' : port} len ${layer.end - layer.offset}`;
        }
        case 'tcp':
          return `tcp flags ${frame[layer.offset + 13]}`;
        default:
          return `${layer.protocol} ${text(layer, 'vni')}`;
      }
    })
    .join(' | ');
}

/** Neither neighbour discovery nor what IPv6 hosts say by themselves. */
export function isTraffic(frame: Uint8Array): boolean {
  const [icmp] = layersOf(parsePacket(frame), 'icmp6');
  return !icmp || ![130, 131, 132, 133, 134, 135, 136, 143].includes(frame[icmp.offset]!);
}
