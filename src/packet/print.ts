import { wrongChecksums } from './checksum.js';
import { PROTOCOLS } from './fields.js';
import { type PacketStart, parsePacket } from './parse.js';
import { type FlowNumbers, tcpdumpLine } from './tcpdump.js';

export interface FormatOptions {
  start?: PacketStart;
  /** Time in front, as tcpdump prints it, in UTC. */
  timestamp?: { readonly seconds: number; readonly nanoseconds: number };
  /** Makes TCP numbers relative to the first packet of their flow; one object for all packets of a capture. */
  flows?: FlowNumbers;
}

/**
 * The packet in one line as `tcpdump -n` prints it. Truncated and malformed packets give a line as well; inner packets of
 * VXLAN stand in a line of their own.
 */
export function formatPacket(bytes: Uint8Array, options: FormatOptions = {}): string {
  const line = tcpdumpLine(parsePacket(bytes, options), options.flows);
  return options.timestamp ? `${formatTime(options.timestamp)} ${line}` : line;
}

function formatTime({ seconds, nanoseconds }: { seconds: number; nanoseconds: number }): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = seconds % 86400;
  const clock = [Math.floor(day / 3600), Math.floor(day / 60) % 60, day % 60].map(two).join(':');
  return `${clock}.${String(Math.floor(nanoseconds / 1000)).padStart(6, '0')}`;
}

/** All headers with all fields, a field a line; says which checksums are wrong and where the packet is cut. */
export function formatFields(bytes: Uint8Array, options: { start?: PacketStart } = {}): string {
  const packet = parsePacket(bytes, options);
  const wrong = new Map(wrongChecksums(packet).map((checksum) => [checksum.layer, checksum]));
  const lines: string[] = [];
  for (const layer of packet.layers) {
    const notes = [`${layer.headerLength} bytes at ${layer.offset}`];
    if (layer.isEmbedded) notes.push('quoted');
    if (layer.truncated) notes.push(layer.missing > 0 ? `${layer.missing} bytes missing` : 'truncated');
    if (layer.problem) notes.push(layer.problem);
    lines.push(`${layer.label} (${PROTOCOLS[layer.protocol].title}), ${notes.join(', ')}`);
    for (const field of layer.fields) {
      const bad = field.isChecksum ? wrong.get(layer.label) : undefined;
      const digits = field.size > 16 ? 8 : 4;
      const note = bad ? ` (wrong, 0x${bad.expected.toString(16).padStart(digits, '0')} is right)` : '';
      lines.push(`  ${field.name.padEnd(20)} ${field.text}${note}`);
    }
  }
  const { payload, trailer } = packet;
  if (payload.length > 0) lines.push(`payload, ${payload.length} bytes at ${payload.offset}`, ...dump(bytes, payload));
  if (trailer.length > 0) lines.push(`trailer, ${trailer.length} bytes at ${trailer.offset}`, ...dump(bytes, trailer));
  return lines.join('\n');
}

function dump(bytes: Uint8Array, { offset, length }: { offset: number; length: number }): string[] {
  const text = hexdump(bytes.subarray(offset, offset + length));
  return text.split('\n').map((line) => `  ${line}`);
}

/** Offset, 16 bytes in hex, and their printable characters a line; empty for no bytes. */
export function hexdump(bytes: Uint8Array): string {
  const lines: string[] = [];
  const width = bytes.length > 0x10000 ? 8 : 4;
  for (let offset = 0; offset < bytes.length; offset += 16) {
    const row = [...bytes.subarray(offset, offset + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0'));
    const halves = `${hex.slice(0, 8).join(' ').padEnd(23)}  ${hex.slice(8).join(' ').padEnd(23)}`;
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${offset.toString(16).padStart(width, '0')}  ${halves}  ${text}`);
  }
  return lines.join('\n');
}
