import { hexOf } from '../../btf/bytes.js';
import { FIB } from '../../helpers/fib.js';
import { formatPacket } from '../../packet/print.js';
import { dropReason, dropReasonText } from '../drop-reasons.js';
import type { Era } from '../era.js';
import { identityText } from '../identities.js';
import { slotName } from '../tail-calls.js';
import { protocolText } from '../values.js';
import type { CiliumEvent, DropEvent, PolicyVerdictEvent, SignalEvent, TraceEvent } from './event.js';

/** Drop codes whose extended error is more than a helper's errno. */
const MISSED_TAIL_CALL = 140;
const NO_FIB = 169;

/** An event in one line of words, the packet as `tcpdump -n` prints it. */
export function formatEvent(event: CiliumEvent): string {
  const parts = describe(event);
  const packet = packetText(event);
  return packet ? `${parts}: ${packet}` : parts;
}

function describe(event: CiliumEvent): string {
  switch (event.type) {
    case 'drop':
      return dropText(event);
    case 'trace':
      return traceText(event);
    case 'policy-verdict':
      return verdictText(event);
    case 'debug':
      return `debug ${event.messageName}${endpointText(event.endpoint)}: ${event.text}`;
    case 'debug-capture':
      return `capture ${event.captureName}${endpointText(event.endpoint)}, ${event.text}`;
    case 'recorder':
      return `recorder rule ${event.rule}, ${event.originalLength} bytes`;
    case 'trace-sock': {
      const address = event.address.includes(':') ? `[${event.address}]` : event.address;
      return `socket ${event.pointName} ${address}:${event.port} ${event.protocol}, cookie ${event.cookie}, cgroup ${event.cgroupId}`;
    }
    case 'signal':
      return signalText(event);
    case 'unknown':
      return `undecoded ${event.messageName ?? 'event'}, ${event.problem}: ${hexOf(event.bytes)}`;
  }
}

/** The packet of the event in one line, '' if it has none. */
function packetText(event: CiliumEvent): string {
  if (!('packet' in event) || event.packet.length === 0) return '';
  const withoutEthernet = 'l3Device' in event ? event.l3Device : 'classifiers' in event && event.classifiers?.l3Device;
  return formatPacket(event.packet, { start: withoutEthernet ? 'ip' : 'ethernet' }).replace(/\s*\n\s*/g, ' | ');
}

function endpointText(endpoint: number): string {
  return endpoint ? `, endpoint ${endpoint}` : '';
}

function flowText(event: DropEvent | TraceEvent): string {
  const identities = `identity ${identityText(event.sourceIdentity)} -> ${identityText(event.destinationIdentity)}`;
  const target = event.type === 'trace' && event.pointName === 'TO_PROXY' ? 'to proxy port' : 'to endpoint';
  const destination = event.destinationEndpoint ? `, ${target} ${event.destinationEndpoint}` : '';
  return `${identities}${endpointText(event.endpoint)}${destination}`;
}

/** Where in Cilium's sources a packet was dropped, e.g. `bpf_lxc.c:1263`; undefined if the event does not say. */
export function sourceText(event: DropEvent): string | undefined {
  if (!event.line) return undefined;
  return `${event.files?.join(' or ') || `file ${event.fileId}`}:${event.line}`;
}

function dropText(event: DropEvent): string {
  const source = sourceText(event);
  return [
    `drop ${dropReasonText(event.reason)} ${flowText(event)}`,
    ...(event.extendedError ? [`extended error ${event.extendedError}`] : []),
    ...(source ? [source] : []),
    ...(event.ifindex ? [`ifindex ${event.ifindex}`] : []),
    ...(event.ipTraceId ? [`IP trace id ${event.ipTraceId}`] : []),
  ].join(', ');
}

function traceText(event: TraceEvent): string {
  const reason = `${event.reasonName}${event.encrypted ? ', encrypted' : ''}`;
  return [
    `trace ${event.pointName} (${reason}) ${flowText(event)}`,
    ...(event.ifindex ? [`ifindex ${event.ifindex}`] : []),
    ...(event.originalSource ? [`original source ${event.originalSource}`] : []),
    ...(event.ipTraceId ? [`IP trace id ${event.ipTraceId}`] : []),
  ].join(', ');
}

function verdictText(event: PolicyVerdictEvent): string {
  const action = {
    allowed: 'allowed',
    redirected: `redirected to proxy port ${event.proxyPort}`,
    denied: `denied, ${dropReasonText(event.verdict)}`,
  }[event.action];
  return [
    `policy verdict ${action}`,
    `${event.direction} ${event.direction === 'egress' ? 'to' : 'from'} identity ${identityText(event.remoteIdentity)}`,
    ...(event.endpoint ? [`endpoint ${event.endpoint}`] : []),
    `${protocolText(event.protocol)} port ${event.destinationPort}`,
    `match ${event.match}`,
    ...(event.audited ? ['audited'] : []),
    ...(event.authType ? [`authentication type ${event.authType}`] : []),
    ...(event.cookie ? [`cookie ${event.cookie}`] : []),
  ].join(', ');
}

function signalText(event: SignalEvent): string {
  if (!event.authentication) return `signal ${event.signalName} ${event.family}`;
  const { localIdentity, remoteIdentity, remoteNode, authType } = event.authentication;
  return `signal ${event.signalName} identity ${identityText(localIdentity)} with ${identityText(remoteIdentity)}, node ${remoteNode}, authentication type ${authType}`;
}

/**
 * Why a packet was dropped, in sentences: what happened and what to look at, and what the extended error adds. With `era`
 * the missed tail call is named.
 */
export function explainDrop(event: DropEvent, era?: Era): string {
  const reason = dropReason(event.reason);
  const sentence =
    reason?.explanation ?? `The datapath dropped the packet with reason ${event.reason}, which is not known.`;
  return [sentence, ...extendedErrorText(event, era)].join(' ');
}

function extendedErrorText(event: DropEvent, era: Era | undefined): string[] {
  const error = event.extendedError;
  if (!error) return [];
  if (event.reason === MISSED_TAIL_CALL) {
    const name = era === undefined ? undefined : slotName(error, era);
    return [`The slot is ${error}${name ? ` (${name})` : ''}.`];
  }
  if (event.reason === NO_FIB && error > 0) {
    const name = Object.keys(FIB).find((key) => FIB[key as keyof typeof FIB] === error);
    return [`The look-up returned ${error}${name ? ` (${name.toLowerCase().replaceAll('_', ' ')})` : ''}.`];
  }
  return [`The extended error is ${error}.`];
}
