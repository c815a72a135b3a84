import { formatAddress, formatCidr, formatMac } from '../../packet/addresses.js';
import { ROOT_NAMESPACE } from '../host.js';
import type { JournalEntry, Place } from '../journal.js';
import { tableName } from '../listing.js';
import type { Route } from '../routes.js';
import type { Rule } from '../rules.js';
import { endText } from './changes.js';
import { type Names, nameOfEnd } from './record.js';

/** Host and namespace: `node1`, or `node1/nginx` outside the root namespace. */
export function placeText({ host, namespace }: Place): string {
  return namespace === ROOT_NAMESPACE ? host : `${host}/${namespace}`;
}

/** A route as `ip route` begins its line, and the table it is in. */
function routeText(rule: Rule, route: Route | undefined): string {
  if (!route) return `${rule.action} by rule ${rule.priority}`;
  const { destination, type, gateway, device } = route;
  const to = destination.prefixLength === 0 ? 'default' : formatCidr(destination);
  const kind = type === 'unicast' ? '' : `${type} `;
  const via = gateway ? ` via ${formatAddress(gateway)}` : '';
  const mark = rule.mark ? `, rule ${rule.priority} for its mark` : '';
  return `${kind}${to}${via}${device ? ` dev ${device}` : ''}, table ${tableName(rule.table)}${mark}`;
}

const ROUTE_PURPOSES = { input: 'route', output: 'route', tunnel: 'route of tunnel', redirect: 'route of redirect' };

export interface StepText {
  /** Kind of step in one or two words. */
  readonly what: string;
  readonly text: string;
}

/** A step that is no hook, in words; undefined for what says nothing beside its neighbours. */
export function stepText(entry: JournalEntry, names: Names): StepText | undefined {
  const { step } = entry;
  const named = (address: Uint8Array, port?: number): string => {
    const end = endText(formatAddress(address), port);
    const name = nameOfEnd(names, end);
    return name ? `${end} (${name})` : end;
  };
  switch (step.kind) {
    case 'send':
      return { what: 'send', text: `by ${step.by}` };
    case 'route':
      return {
        what: ROUTE_PURPOSES[step.purpose],
        text: `${named(step.destination)}: ${routeText(step.rule, step.route)}`,
      };
    case 'neighbour': {
      if (step.state === 'solicit') return { what: 'neighbour', text: `${formatAddress(step.address)} is asked for` };
      const answer = step.mac && step.state === 'resolved' ? `is at ${formatMac(step.mac)}` : 'does not answer';
      return { what: 'neighbour', text: `${formatAddress(step.address)} ${answer}` };
    }
    case 'encapsulate':
    case 'decapsulate': {
      const { id, local, remote } = step.tunnel;
      const [from, to] = step.kind === 'encapsulate' ? [local, remote] : [remote, local];
      return {
        what: step.kind,
        text: `${step.protocol.toUpperCase()}, VNI ${id}, outer ${named(from)} > ${named(to)}`,
      };
    }
    case 'wire': {
      const late = step.reordered ? ', late' : '';
      return {
        what: 'wire',
        text: `${step.wire} to ${placeText(step.to)} ${step.to.device} in ${timeText(step.latency)}${late}`,
      };
    }
    case 'forward':
      return { what: 'forward', text: `to ${step.to}, ttl ${step.ttl + 1} -> ${step.ttl}` };
    case 'fragment':
      return { what: 'fragment', text: `${step.pieces} pieces for MTU ${step.mtu}` };
    case 'deliver':
      return { what: 'deliver', text: `to ${step.to}` };
    case 'consume':
      return { what: 'consume', text: `by ${step.by}` };
    case 'icmp':
      return { what: 'icmp error', text: `type ${step.type} code ${step.code} goes back` };
    case 'redirect':
      return { what: 'redirect', text: `${step.how} to ${step.to}` };
    default:
      return undefined;
  }
}

/** Nanoseconds with a unit that fits. */
export function timeText(time: bigint): string {
  const units: readonly [bigint, string][] = [
    [1_000_000_000n, 's'],
    [1_000_000n, 'ms'],
    [1_000n, 'µs'],
  ];
  const [size, unit] = units.find(([least]) => time >= least) ?? [1n, 'ns'];
  return `${Number((time * 1000n) / size) / 1000} ${unit}`;
}
