/** The public entry of `offkernel/packet`: packets from words, hex and pcap; fields, lines, diffs, checksums. */
export {
  type Cidr,
  cidrContains,
  formatAddress,
  formatCidr,
  formatIPv4,
  formatIPv6,
  formatMac,
  parseAddress,
  parseCidr,
  parseIPv4,
  parseIPv6,
  parseMac,
} from './addresses.js';
export { crc32c, fixChecksums, internetChecksum, verifyChecksums, type WrongChecksum } from './checksum.js';
export {
  type ByteChange,
  type DiffOptions,
  diffPackets,
  type FieldChange,
  formatDiff,
  type HeaderChange,
  type PacketDiff,
} from './diff.js';
export type { ProtocolName } from './fields.js';
export {
  bytesOf,
  fieldOf,
  type Layer,
  layersOf,
  numberOf,
  type PacketStart,
  type ParsedField,
  type ParsedPacket,
  parsePacket,
} from './parse.js';
export { type Capture, isPcap, type PcapInterface, type PcapPacket, readPcap, writePcap } from './pcap.js';
export { type FormatOptions, formatFields, formatPacket, hexdump } from './print.js';
export { FlowNumbers } from './tcpdump.js';
export { buildPacket, PacketWordsError, packetFromText, packetGrammar } from './words.js';
