import { formatEvent } from '../../cilium/events/format.js';
import { formatFault } from '../../machine/fault.js';
import { formatAddress, formatCidr, formatMac } from '../../packet/addresses.js';
import type { JournalEntry, Step } from '../journal.js';
import type { SkbFields } from '../skb.js';
import { dropAccount } from './drops.js';
import type { Facts } from './facts.js';
import { type HookAccount, hookAccount, socketAccount } from './hook-account.js';
import { isStep, type Journey, journeysOf, type SocketCall } from './journeys.js';
import type { WalkRecord } from './record.js';
import { stepText } from './steps.js';

type Json = Record<string, unknown>;

/**
 * The account of a walk as data (documented in docs/commands.md): keys in a fixed order, bytes and 64-bit numbers as they
 * are; whoever prints it turns them into hex and decimal strings.
 */
export function accountJson(record: WalkRecord): Json {
  const items = journeysOf(record.network.journal);
  return {
    title: record.title,
    description: record.description,
    calls: items.filter((item) => item.kind === 'call').map((call) => callJson(record, call)),
    packets: items.filter((item) => item.kind === 'packet').map((journey) => journeyJson(record, journey)),
    flows: record.flows.map(({ name, result, expected, asExpected }) => ({
      ...{ name, completed: result.completed, sent: result.sent, arrived: result.arrived },
      ...{ error: result.error ?? null, expected: expected ?? null, asExpected: asExpected ?? null },
    })),
  };
}

function callJson(record: WalkRecord, { entry }: SocketCall): Json {
  const { before, after, allowed } = entry.step;
  const end = ({ address, port }: { address: Uint8Array; port: number }): Json => ({
    address: formatAddress(address),
    port,
  });
  return {
    ...placeJson(entry),
    ...hookJson(socketAccount(record, entry), entry.step),
    allowed,
    before: end(before),
    after: end(after),
  };
}

function journeyJson(record: WalkRecord, journey: Journey): Json {
  const { number, packet, answers, isResolution, line, end, entries } = journey;
  return {
    ...{ number, packet, answers: answers ?? null, resolution: isResolution, text: line.trim(), end },
    steps: entries.map((entry, i) => ({
      ...placeJson(entry),
      ...stepJson(record, journey, entry, entries[i + 1]),
      text: stepText(entry, record.names)?.text ?? null,
      bytes: entry.bytes,
    })),
  };
}

function placeJson({ time, at, step }: JournalEntry): Json {
  return { time, host: at.host, namespace: at.namespace, device: at.device ?? null, kind: step.kind };
}

function stepJson(record: WalkRecord, journey: Journey, entry: JournalEntry, next: JournalEntry | undefined): Json {
  const { step } = entry;
  if (isStep(entry, 'hook')) {
    const { before, after } = entry.step;
    return {
      ...hookJson(hookAccount(record, entry, next), entry.step),
      before: { ...stateJson(before), bytes: before.bytes },
      after: { ...stateJson(after), bytes: after.bytes },
    };
  }
  if (isStep(entry, 'drop')) {
    const { reason, code, programs, source, detail, causes, explanation } = dropAccount(record, journey, entry);
    return { reason, code: code ?? null, programs, source: source ?? null, detail, causes, explanation };
  }
  return plainStepJson(step);
}

/** Steps that are neither hooks nor drops. */
function plainStepJson(step: Step): Json {
  switch (step.kind) {
    case 'route':
      return {
        ...{ purpose: step.purpose, destination: formatAddress(step.destination), mark: step.mark },
        rule: { priority: step.rule.priority, action: step.rule.action, table: step.rule.table },
        route: step.route
          ? {
              ...{ type: step.route.type, destination: formatCidr(step.route.destination) },
              ...{ gateway: step.route.gateway ? formatAddress(step.route.gateway) : null },
              device: step.route.device ?? null,
            }
          : null,
      };
    case 'neighbour':
      return {
        address: formatAddress(step.address),
        mac: step.mac ? formatMac(step.mac) : null,
        state: step.state,
      };
    case 'encapsulate':
    case 'decapsulate': {
      const { id, local, remote } = step.tunnel;
      return { protocol: step.protocol, vni: id, local: formatAddress(local), remote: formatAddress(remote) };
    }
    case 'transmit':
    case 'receive':
      return { state: stateJson(step.fields) };
    default: {
      const { kind: _, ...fields } = step;
      return { ...fields };
    }
  }
}

function stateJson({ mark, priority, cb, tcIndex, queueMapping, tstamp, packetType, protocol, vlan }: SkbFields): Json {
  return { mark, priority, cb, tcIndex, queueMapping, tstamp, packetType, protocol, vlan: vlan ?? null };
}

function hookJson(account: HookAccount, step: Extract<Step, { kind: 'hook' | 'socket' }>): Json {
  const { hook, direction, program, tailCalls, verdict, target, changes, notes, answer, facts } = account;
  const { outcome } = step;
  return {
    ...{ hook, direction, program, tailCalls, verdict, redirect: target ?? null, changes, notes },
    answer: answer ? { reason: answer.reason, text: answer.text } : null,
    instructions: outcome ? Number(outcome.instructions) : null,
    ...factsJson(facts),
    fault: outcome?.fault ? formatFault(outcome.fault) : null,
  };
}

function factsJson({ accesses, changes, events, otherEvents }: Facts): Json {
  return {
    accesses: accesses.map(({ map, operation, key, value, errorName }) => ({
      ...{ map, operation, key, value: value ?? null, error: errorName ?? null },
    })),
    maps: changes.map(({ map, key, before, after }) => ({ map, key, before: before ?? null, after: after ?? null })),
    events: [
      ...events.map((event) => ({ ...event, packet: undefined, text: formatEvent(event) })),
      ...otherEvents.map((text) => ({ type: 'other', text })),
    ],
  };
}
