import { formatIPv4, formatIPv6 } from '../../packet/addresses.js';
import { describeDebugCapture, describeDebugMessage } from '../debug-messages.js';
import { dropReason } from '../drop-reasons.js';
import type { Era, Span } from '../era.js';
import { sourceFileNames } from '../source-files.js';
import { TRACE_ENCRYPTED, tracePointName, traceReason } from '../trace-points.js';
import { protocolText, swap16 } from '../values.js';
import {
  type CiliumEvent,
  type Classifiers,
  type DebugCaptureEvent,
  type DebugEvent,
  type DropEvent,
  MATCH_TYPES,
  MESSAGE_TYPES,
  type PolicyVerdictEvent,
  type RecorderEvent,
  type SignalEvent,
  type SocketTraceEvent,
  TRANSLATION_POINTS,
  type TraceEvent,
} from './event.js';

/** A layout of a kind of event: the fewest bytes that it has, and from which version byte on it holds. */
interface Layout {
  readonly size: number;
  readonly version: number;
}

const COMMON_HEADER = 8;
const CAPTURE_HEADER = 16;

/**
 * Decodes what a program sent to `cilium_events`: `bytes` is the event without the packet bytes behind it, which are
 * `packet`. The layout follows from the message type, the length and the version byte (1.10 to 1.20-dev); `era` says more of
 * the names if it is known. Never throws: an unknown or too short event gives one of type 'unknown'.
 */
export function decodeEvent(bytes: Uint8Array, packet: Uint8Array = new Uint8Array(0), era?: Era): CiliumEvent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = bytes[0];
  const decoded = type === undefined ? 'no bytes' : decode(type, view, packet, era);
  if (typeof decoded !== 'string') return decoded;
  const messageName = type === undefined ? undefined : MESSAGE_TYPES[type];
  return {
    type: 'unknown',
    ...(type !== undefined && { messageType: type }),
    ...(messageName && { messageName }),
    problem: decoded,
    bytes,
    packet,
  };
}

/** The event, or what is wrong with it. */
function decode(type: number, view: DataView, packet: Uint8Array, era: Era | undefined): CiliumEvent | string {
  switch (MESSAGE_TYPES[type]) {
    case 'DROP':
      return decodeDrop(view, packet, era);
    case 'DBG_MSG':
      return needs(view, 20) ?? decodeDebug(view);
    case 'DBG_CAPTURE':
      return needs(view, 24) ?? decodeDebugCapture(view, packet);
    case 'TRACE':
      return decodeTrace(view, packet, era);
    case 'POLICY_VERDICT':
      return needs(view, 32) ?? decodePolicyVerdict(view, packet);
    case 'CAPTURE':
      return needs(view, 24) ?? decodeRecorder(view, packet);
    case 'TRACE_SOCK':
      return needs(view, 38) ?? decodeSocketTrace(view);
    case undefined:
      return `message type ${type} is not known`;
    default:
      return 'comes from the agent, never from a program';
  }
}

function needs(view: DataView, size: number): string | undefined {
  return view.byteLength < size ? `${view.byteLength} bytes instead of at least ${size}` : undefined;
}

function common(view: DataView): { endpoint: number; hash: number } {
  return { endpoint: view.getUint16(2, true), hash: view.getUint32(4, true) };
}

function captured(view: DataView, packet: Uint8Array) {
  return {
    ...common(view),
    version: view.getUint8(14),
    extensionVersion: view.getUint8(15),
    originalLength: view.getUint32(COMMON_HEADER, true),
    capturedLength: view.getUint16(12, true),
    packet,
  };
}

function classifiers(flags: number): Classifiers {
  return {
    ipv6: (flags & 1) !== 0,
    l3Device: (flags & 2) !== 0,
    vxlan: (flags & 4) !== 0,
    geneve: (flags & 8) !== 0,
  };
}

/** The layout for the version byte of a captured event, or what is wrong. */
function layoutOf<T extends Layout>(view: DataView, layouts: readonly T[]): T | string {
  const short = needs(view, CAPTURE_HEADER);
  if (short) return short;
  const version = view.getUint8(14);
  const layout = layouts.find((entry) => entry.version === version && view.byteLength >= entry.size);
  if (layout) return layout;
  const same = layouts.filter((entry) => entry.version === version);
  return same.length
    ? needs(view, Math.min(...same.map((entry) => entry.size)))!
    : `version ${version} of the event is not known`;
}

/** Newest first; up to 1.12 there was neither source nor device, and before version 1 the captured length had four bytes. */
const DROP_LAYOUTS: readonly (Layout & { eras: Span })[] = [
  { version: 3, size: 48, eras: { since: 19 } },
  { version: 2, size: 40, eras: { since: 18, until: 18 } },
  { version: 1, size: 36, eras: { since: 13, until: 17 } },
  { version: 1, size: 32, eras: { until: 12 } },
  { version: 0, size: 32, eras: { until: 12 } },
];

function decodeDrop(view: DataView, packet: Uint8Array, era: Era | undefined): DropEvent | string {
  const layout = layoutOf(view, DROP_LAYOUTS);
  if (typeof layout === 'string') return layout;
  const reason = view.getUint8(1);
  const event: DropEvent = {
    type: 'drop',
    reason,
    reasonName: dropReason(reason)?.name ?? String(reason),
    ...captured(view, packet),
    sourceIdentity: view.getUint32(16, true),
    destinationIdentity: view.getUint32(20, true),
    destinationEndpoint: view.getUint32(24, true),
  };
  if (layout.size >= 36) {
    event.line = view.getUint16(28, true);
    event.fileId = view.getUint8(30);
    event.files = sourceFileNames(event.fileId, era === undefined ? layout.eras : { since: era, until: era });
    event.extendedError = view.getInt8(31);
    event.ifindex = view.getUint32(32, true);
  }
  if (layout.size >= 40) event.classifiers = classifiers(view.getUint8(36));
  if (layout.size >= 48) event.ipTraceId = view.getBigUint64(40, true);
  return event;
}

const TRACE_LAYOUTS: readonly Layout[] = [
  { version: 2, size: 56 },
  { version: 1, size: 48 },
  { version: 0, size: 32 },
];

function decodeTrace(view: DataView, packet: Uint8Array, era: Era | undefined): TraceEvent | string {
  const layout = layoutOf(view, TRACE_LAYOUTS);
  if (typeof layout === 'string') return layout;
  const point = view.getUint8(1);
  const reasonByte = view.getUint8(26);
  const reason = traceReason(reasonByte, era);
  // Before 1.18 the byte had the bit for IPv6 alone, the rest was zero.
  const flags = classifiers(view.getUint8(27));
  const event: TraceEvent = {
    type: 'trace',
    point,
    pointName: tracePointName(point, era),
    reason: reasonByte & ~TRACE_ENCRYPTED,
    reasonName: reason.name,
    encrypted: reason.encrypted,
    ...captured(view, packet),
    sourceIdentity: view.getUint32(16, true),
    destinationIdentity: view.getUint32(20, true),
    destinationEndpoint: view.getUint16(24, true),
    ifindex: view.getUint32(28, true),
    classifiers: flags,
  };
  if (layout.size >= 48) {
    const source = bytesAt(view, 32, flags.ipv6 ? 16 : 4);
    if (source.some((byte) => byte !== 0)) event.originalSource = addressText(source);
  }
  if (layout.size >= 56) event.ipTraceId = view.getBigUint64(48, true);
  return event;
}

function bytesAt(view: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}

function addressText(bytes: Uint8Array): string {
  return bytes.length === 16 ? formatIPv6(bytes) : formatIPv4(bytes);
}

const DIRECTIONS = ['unknown', 'ingress', 'egress', 'unknown'] as const;

function decodePolicyVerdict(view: DataView, packet: Uint8Array): PolicyVerdictEvent {
  const verdict = view.getInt32(20, true);
  const flags = view.getUint8(27);
  const matchType = (flags >> 3) & 7;
  return {
    type: 'policy-verdict',
    ...captured(view, packet),
    remoteIdentity: view.getUint32(16, true),
    verdict,
    action: verdict === 0 ? 'allowed' : verdict > 0 ? 'redirected' : 'denied',
    ...(verdict > 0 && { proxyPort: swap16(verdict) }),
    direction: DIRECTIONS[flags & 3]!,
    destinationPort: view.getUint16(24, true),
    protocol: view.getUint8(26),
    ipv6: (flags & 4) !== 0,
    matchType,
    match: MATCH_TYPES[matchType] ?? String(matchType),
    audited: (flags & 0x40) !== 0,
    l3Device: (flags & 0x80) !== 0,
    authType: view.getUint8(28),
    ...(view.byteLength >= 40 && { cookie: view.getUint32(32, true) }),
  };
}

function decodeDebug(view: DataView): DebugEvent {
  const message = view.getUint8(1);
  const args: DebugEvent['args'] = [view.getUint32(8, true), view.getUint32(12, true), view.getUint32(16, true)];
  const { name, text } = describeDebugMessage(message, args);
  return { type: 'debug', message, messageName: name, ...common(view), args, text };
}

function decodeDebugCapture(view: DataView, packet: Uint8Array): DebugCaptureEvent {
  const capture = view.getUint8(1);
  const args: DebugCaptureEvent['args'] = [view.getUint32(16, true), view.getUint32(20, true)];
  const { name, text } = describeDebugCapture(capture, args[0]);
  return { type: 'debug-capture', capture, captureName: name, ...captured(view, packet), args, text };
}

function decodeRecorder(view: DataView, packet: Uint8Array): RecorderEvent {
  return {
    type: 'recorder',
    rule: view.getUint16(2, true),
    timestamp: view.getBigUint64(8, true),
    capturedLength: view.getUint32(16, true),
    originalLength: view.getUint32(20, true),
    packet,
  };
}

const SOCKET_PROTOCOLS: Readonly<Record<number, number>> = { 1: 6, 2: 17 };

/** Offsets up to 1.18 (38 bytes, packed) and from 1.19 on (40 bytes). */
const SOCKET_TRACE_PACKED = { address: 2, port: 18, cookie: 20, cgroup: 28, protocol: 36, ipv6: 37 };
const SOCKET_TRACE = { address: 24, port: 4, cookie: 8, cgroup: 16, protocol: 2, ipv6: 3 };

function decodeSocketTrace(view: DataView): SocketTraceEvent {
  const offsets = view.byteLength >= 40 ? SOCKET_TRACE : SOCKET_TRACE_PACKED;
  const point = view.getUint8(1);
  const ipv6 = (view.getUint8(offsets.ipv6) & 1) !== 0;
  const protocol = view.getUint8(offsets.protocol);
  return {
    type: 'trace-sock',
    point,
    pointName: TRANSLATION_POINTS[point] ?? String(point),
    address: addressText(bytesAt(view, offsets.address, ipv6 ? 16 : 4)),
    port: view.getUint16(offsets.port, true),
    protocol: protocolText(SOCKET_PROTOCOLS[protocol] ?? protocol),
    cookie: view.getBigUint64(offsets.cookie, true),
    cgroupId: view.getBigUint64(offsets.cgroup, true),
  };
}

const SIGNALS = ['NAT_FILL_UP', 'CT_FILL_UP', 'AUTH_REQUIRED'] as const;
const FAMILIES = ['IPv4', 'IPv6'] as const;

/** Decodes what a program sent to `cilium_signals` (struct signal_msg in bpf/lib/signal.h). Never throws. */
export function decodeSignal(bytes: Uint8Array): CiliumEvent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const unknown = (problem: string): CiliumEvent => ({ type: 'unknown', problem, bytes, packet: new Uint8Array(0) });
  const short = needs(view, 8);
  if (short) return unknown(short);
  const signal = view.getUint32(0, true);
  const signalName = SIGNALS[signal];
  if (!signalName) return unknown(`signal ${signal} is not known`);
  const event: SignalEvent = { type: 'signal', signal, signalName };
  if (signalName !== 'AUTH_REQUIRED') return { ...event, family: FAMILIES[view.getUint32(4, true)] ?? 'unknown' };
  const shortKey = needs(view, 16);
  if (shortKey) return unknown(shortKey);
  return {
    ...event,
    authentication: {
      localIdentity: view.getUint32(4, true),
      remoteIdentity: view.getUint32(8, true),
      remoteNode: view.getUint16(12, true),
      authType: view.getUint8(14),
    },
  };
}
