/** Fields of every event that the datapath sends to `cilium_events` with the common header. */
interface Common {
  /** Endpoint that sent the event; 0 for the tunnel and XDP programs. */
  endpoint: number;
  /** Hash of the packet's flow. */
  hash: number;
}

/** Fields of every event that carries a piece of the packet. */
interface Captured extends Common {
  version: number;
  /** Layout of the bytes that builds of others add behind Cilium's own; 0 for none. */
  extensionVersion: number;
  /** Length of the whole packet. */
  originalLength: number;
  /** Bytes of the packet that the program asked to send. */
  capturedLength: number;
  packet: Uint8Array;
}

/** What the datapath knows of a packet (1.18+, CLS_FLAG_* in bpf/lib/classifiers.h). */
export interface Classifiers {
  ipv6: boolean;
  /** The device has no Ethernet header. */
  l3Device: boolean;
  vxlan: boolean;
  geneve: boolean;
}

/** A packet was dropped. */
export interface DropEvent extends Captured {
  type: 'drop';
  /** Positive code, see DROP_REASONS. */
  reason: number;
  /** Name without DROP_, the number for an unknown code. */
  reasonName: string;
  sourceIdentity: number;
  destinationIdentity: number;
  /** Endpoint id; 0 for none. */
  destinationEndpoint: number;
  /** Where in the source, 1.13+; see {@link sourceText} for the line in words. */
  line?: number;
  fileId?: number;
  /** Files that the id can mean in the versions that send this layout, mostly one. */
  files?: string[];
  /** Result of a helper, or slot of the tail call that was missed; 1.13+. */
  extendedError?: number;
  ifindex?: number;
  classifiers?: Classifiers;
  /** 1.19+; 0 for none. */
  ipTraceId?: bigint;
}

/** A packet passed an observation point. */
export interface TraceEvent extends Captured {
  type: 'trace';
  /** Id of the point, see TRACE_POINTS. */
  point: number;
  pointName: string;
  /** Reason byte without the bit for encryption, see TRACE_REASONS. */
  reason: number;
  reasonName: string;
  encrypted: boolean;
  sourceIdentity: number;
  destinationIdentity: number;
  /** Endpoint id, for TO_PROXY the port of the proxy; 0 for none. */
  destinationEndpoint: number;
  ifindex: number;
  classifiers: Classifiers;
  /** Source address before translation; undefined if it is all zero. */
  originalSource?: string;
  /** 1.19+; 0 for none. */
  ipTraceId?: bigint;
}

/** Policy decided about a new connection. */
export interface PolicyVerdictEvent extends Captured {
  type: 'policy-verdict';
  remoteIdentity: number;
  /** 0 allowed, positive: port of the proxy in network order, negative: drop reason. */
  verdict: number;
  action: 'allowed' | 'redirected' | 'denied';
  /** Port of the proxy, host order, if redirected. */
  proxyPort?: number;
  direction: 'ingress' | 'egress' | 'unknown';
  destinationPort: number;
  /** IP protocol number. */
  protocol: number;
  ipv6: boolean;
  /** Id of what matched, see MATCH_TYPES. */
  matchType: number;
  match: string;
  /** Policy would have denied, audit mode let it pass. */
  audited: boolean;
  l3Device: boolean;
  /** 1.14+; 0 for none. */
  authType: number;
  /** 1.19+. */
  cookie?: number;
}

/** A debug message with three numbers. */
export interface DebugEvent extends Common {
  type: 'debug';
  /** See DEBUG_MESSAGES. */
  message: number;
  messageName: string;
  args: [number, number, number];
  text: string;
}

/** A packet captured for debugging. */
export interface DebugCaptureEvent extends Captured {
  type: 'debug-capture';
  /** See DEBUG_CAPTURES. */
  capture: number;
  captureName: string;
  args: [number, number];
  text: string;
}

/** A packet for the recorder (1.10 to 1.18). */
export interface RecorderEvent {
  type: 'recorder';
  rule: number;
  /** Nanoseconds since boot. */
  timestamp: bigint;
  originalLength: number;
  capturedLength: number;
  packet: Uint8Array;
}

/** A socket's address was translated or is about to be. */
export interface SocketTraceEvent {
  type: 'trace-sock';
  /** See TRANSLATION_POINTS. */
  point: number;
  pointName: string;
  address: string;
  /** Host order. */
  port: number;
  protocol: string;
  cookie: bigint;
  cgroupId: bigint;
}

/** A call for the agent (map `cilium_signals`). */
export interface SignalEvent {
  type: 'signal';
  signal: number;
  signalName: 'NAT_FILL_UP' | 'CT_FILL_UP' | 'AUTH_REQUIRED';
  /** Of a map that fills up. */
  family?: 'IPv4' | 'IPv6' | 'unknown';
  /** Of a required authentication. */
  authentication?: { localIdentity: number; remoteIdentity: number; remoteNode: number; authType: number };
}

/** An event that is too short for its kind or of an unknown kind. */
export interface UnknownEvent {
  type: 'unknown';
  /** First byte, undefined for no bytes. */
  messageType?: number;
  /** Name of the kind, if its number is known. */
  messageName?: string;
  /** What is wrong with it. */
  problem: string;
  bytes: Uint8Array;
  packet: Uint8Array;
}

export type CiliumEvent =
  | DropEvent
  | TraceEvent
  | PolicyVerdictEvent
  | DebugEvent
  | DebugCaptureEvent
  | RecorderEvent
  | SocketTraceEvent
  | SignalEvent
  | UnknownEvent;

/** Kinds of message (CILIUM_NOTIFY_* in bpf/lib/common.h; the last two come from the agent alone). */
export const MESSAGE_TYPES: Readonly<Record<number, string>> = {
  1: 'DROP',
  2: 'DBG_MSG',
  3: 'DBG_CAPTURE',
  4: 'TRACE',
  5: 'POLICY_VERDICT',
  6: 'CAPTURE',
  7: 'TRACE_SOCK',
  129: 'ACCESS_LOG',
  130: 'AGENT',
};

/** What of a policy entry matched (POLICY_MATCH_* in bpf/lib/policy.h). */
export const MATCH_TYPES: readonly string[] = ['none', 'L3', 'L3+L4', 'L4', 'all', 'L3+protocol', 'protocol'];

/** When a socket event was sent (enum xlate_point in bpf/lib/trace_sock.h). */
export const TRANSLATION_POINTS: Readonly<Record<number, string>> = {
  0: 'UNKNOWN',
  1: 'PRE_FORWARD',
  2: 'POST_FORWARD',
  3: 'PRE_REVERSE',
  4: 'POST_REVERSE',
};
