import { describe, expect, test } from 'vitest';
import { CT_STATUS, ctStatusName, tupleFlagsText } from '../../src/cilium/conntrack.js';
import { DEBUG_CAPTURES, DEBUG_MESSAGES } from '../../src/cilium/debug-messages.js';
import { DROP_REASONS, dropReason, dropReasonText } from '../../src/cilium/drop-reasons.js';
import { ERAS, holdsIn, type Span } from '../../src/cilium/era.js';
import { identityText, RESERVED_IDENTITIES } from '../../src/cilium/identities.js';
import { describeMark, markIdentity } from '../../src/cilium/marks.js';
import { METRIC_REASONS, metricReasonName } from '../../src/cilium/metrics.js';
import { CB_SLOTS, cbNames, describeTcIndex, TC_INDEX_FLAGS } from '../../src/cilium/skb-metadata.js';
import { sourceFileName, sourceFileNames } from '../../src/cilium/source-files.js';
import { slotName, slotOf, TAIL_CALL_SLOTS } from '../../src/cilium/tail-calls.js';
import { TRACE_POINTS, TRACE_REASONS, tracePointName, traceReason } from '../../src/cilium/trace-points.js';

/** Keys that occur twice within one version. */
function duplicates<T extends Span>(table: readonly T[], keyOf: (entry: T) => unknown): unknown[] {
  return ERAS.flatMap((era) => {
    const keys = table.filter((entry) => holdsIn(entry, era)).map(keyOf);
    return keys.filter((key, index) => keys.indexOf(key) !== index);
  });
}

const slots = (table: typeof TAIL_CALL_SLOTS) =>
  table.map(([name, number, since, until]) => ({ name, number, since, ...(until && { until }) }));

describe('tables', () => {
  test.each([
    ['drop reasons', duplicates(DROP_REASONS, ({ code }) => code)],
    ['names of drop reasons', duplicates(DROP_REASONS, ({ name }) => name)],
    ['metric reasons', duplicates(METRIC_REASONS, ({ code }) => code)],
    ['trace points', duplicates(TRACE_POINTS, ({ id }) => id)],
    ['trace reasons', duplicates(TRACE_REASONS, ({ code }) => code)],
    ['identities', duplicates(RESERVED_IDENTITIES, ({ id }) => id)],
    ['connection states', duplicates(CT_STATUS, ({ status }) => status)],
    ['tc_index flags', duplicates(TC_INDEX_FLAGS, ({ bit }) => bit)],
    ['debug messages', duplicates(DEBUG_MESSAGES as readonly (Span & { id: number })[], ({ id }) => id)],
    ['debug captures', duplicates(DEBUG_CAPTURES as readonly (Span & { id: number })[], ({ id }) => id)],
    ['names of tail calls', duplicates(slots(TAIL_CALL_SLOTS), ({ name }) => name)],
    ['names of cb slots', duplicates(slots(CB_SLOTS), ({ name }) => name)],
  ])('%s have no duplicates', (_, found) => {
    expect(found).toEqual([]);
  });

  test('debug messages stand at their number', () => {
    expect(DEBUG_MESSAGES.map(({ id }) => id)).toEqual(DEBUG_MESSAGES.map((_, index) => index));
  });

  test('every explanation is one sentence', () => {
    for (const { explanation } of DROP_REASONS) expect(explanation).toMatch(/^[A-Z][^.]*(1\.15[^.]*)?\.$/);
  });
});

describe('drop reasons', () => {
  test.each([
    [-132, 'INVALID_SIP'],
    [133, 'POLICY'],
    [203, 'EP_NOT_READY'],
    [206, 'NO_DEVICE'],
  ])('%i is %s', (code, name) => {
    expect(dropReason(code)?.name).toBe(name);
  });

  test('know their versions', () => {
    expect(dropReason(196, 14)).toBeUndefined();
    expect(dropReason(196, 15)?.name).toBe('TTL_EXCEEDED');
    expect(dropReason(186, 19)).toBeUndefined();
  });

  test('in text', () => {
    expect(dropReasonText(-140)).toBe('MISSED_TAIL_CALL (140)');
    expect(dropReasonText(131)).toBe('131');
  });
});

test.each([
  [0, 'unknown'],
  [2, 'world'],
  [6, 'remote-node'],
  [1234, '1234'],
  [(1 << 24) | 5, 'cidr (local 5)'],
  [(2 << 24) | 5, 'remote-node (local 5)'],
  [66770, '66770 (cluster 1)'],
  [0xff000001, '4278190081'],
])('identity %i is %s', (id, text) => {
  expect(identityText(id)).toBe(text);
});

test('identity 9 has a name from 1.15 on', () => {
  expect([identityText(9, 14), identityText(9, 15)]).toEqual(['9', 'world-ipv4']);
});

// The renumbering of 1.18 is a trap: the same slot means another program.
test.each([
  [0, 13, undefined],
  [1, 13, 'DROP_NOTIFY'],
  [29, 13, 'IPV4_CT_EGRESS'],
  [30, 13, 'IPV6_CT_INGRESS'],
  [30, 20, 'IPV4_CT_EGRESS'],
  [7, 12, 'IPV4_FROM_LXC'],
  [15, 12, 'IPV4_NODEPORT_NAT'],
  [19, 13, 'IPV4_ENCAP_NODEPORT_NAT'],
  [48, 18, undefined],
  [48, 19, 'IPV4_POLICY_DENIED'],
])('slot %i of 1.%i is %s', (slot, era, name) => {
  expect(slotName(slot, era)).toBe(name);
  if (name) expect(slotOf(name, era)).toBe(slot);
});

test('every version has tail calls for IPv4 and IPv6 twins', () => {
  for (const era of ERAS) {
    expect(slotOf('IPV4_FROM_LXC', era)).toBe(7);
    expect(slotOf('IPV6_FROM_LXC', era)).toBe(10);
  }
});

test.each([
  [0, 13, 'none'],
  [0x1500, 13, 'SNAT_DONE'],
  [0x0300, 14, 'SNAT_DONE'],
  [0x1500, 16, 'EGW_DONE unknown'],
  [0x23450f01, 13, 'IDENTITY 74565 (cluster 1)'],
  [0x10270200, 13, 'TO_PROXY port 10000'],
  [0x0203, 14, 'TO_PROXY cluster 3'],
  [0x002a0900, 13, 'PROXY_EGRESS_EPID endpoint 42'],
  [0x00053e00, 13, 'ENCRYPT key 3 node 5'],
  [0x1e00, 14, 'WG_ENCRYPTED'],
  [0x00020d00, 20, 'DECRYPT node 2'],
  [0x0400, 13, '0x400'],
  [0x0800, 18, 'PROXY_TO_WORLD'],
  [0x0800, 19, 'SKIP_TPROXY'],
  [-256, 13, 'IDENTITY 65535'],
])('mark %i of 1.%i is %s', (mark, era, text) => {
  expect(describeMark(mark, era)).toBe(text);
});

test('the identity of a mark has its halves swapped', () => {
  expect(markIdentity(0x23450f01)).toBe(0x12345);
});

test.each([
  [1, 13, 'bpf_host.c'],
  [103, 13, 'egress_policies.h'],
  [103, 16, 'srv6.h'],
  [110, 17, 'l3.h'],
  [110, 18, 'local_delivery.h'],
  [110, 20, 'trace.h'],
  [0, 20, undefined],
  [200, 20, undefined],
  [1, 12, undefined],
])('file %i of 1.%i is %s', (id, era, name) => {
  expect(sourceFileName(id, era)).toBe(name);
});

test('a file id in several versions has all its names', () => {
  expect(sourceFileNames(103, { since: 13, until: 17 })).toEqual(['egress_policies.h', 'srv6.h']);
  expect(sourceFileNames(105, { since: 13, until: 17 })).toEqual(['nodeport.h']);
});

test('trace points and reasons', () => {
  expect([tracePointName(4), tracePointName(12, 17), tracePointName(12, 18)]).toEqual([
    'TO_OVERLAY',
    '12',
    'FROM_CRYPTO',
  ]);
  expect(traceReason(0x82)).toEqual({ name: 'reply', encrypted: true });
  expect(traceReason(4, 16)).toEqual({ name: '4', encrypted: false });
});

test('metrics', () => {
  expect([0, 133, 11, 15, 77].map((code) => metricReasonName(code))).toEqual([
    'FORWARDED',
    'POLICY',
    'MISSED_CUSTOM_CALL',
    'MTU_ERROR_MSG',
    '77',
  ]);
  expect(metricReasonName(12, 13)).toBe('12');
});

test('connection tracking', () => {
  expect([ctStatusName(4, 15), ctStatusName(4, 16), ctStatusName(9)]).toEqual(['REOPENED', undefined, undefined]);
  expect([tupleFlagsText(0), tupleFlagsText(5)]).toEqual(['out', 'in, service']);
});

test('cb slots and tc_index', () => {
  expect(cbNames(1, 13)).toContain('ENCRYPT_IDENTITY');
  expect(cbNames(4, 20)).toEqual(expect.arrayContaining(['CT_STATE', 'ENCRYPT_IDENTITY', 'FROM_TUNNEL']));
  expect(describeTcIndex(5, 13)).toBe('SKIP_INGRESS_PROXY | SKIP_NODEPORT');
  expect(describeTcIndex(0x21, 20)).toBe('FROM_INGRESS_PROXY | 0x20');
  expect(describeTcIndex(0, 13)).toBe('0');
});
