import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Match, portPrefixes, settleConflicts, toPrefixes } from '../../src/network/scenario/verdict-rules.js';
import type { VerdictEntry } from '../../src/network/scenario/verdicts.js';
import { smallCluster } from '../support/scenarios.js';

/** Entries of one Pod's direction as short texts: `identity/protocol/port[/prefix] allow|deny`. */
function entries(name: string, direction: 'ingress' | 'egress', ...lines: string[]): string[] {
  const endpoint = smallCluster(...lines).endpoints.find((candidate) => candidate.name === name)!;
  return endpoint.verdicts.filter((entry) => entry.direction === direction).map(short);
}

function short({ identity, protocol, port, prefix, deny, proxyPort }: VerdictEntry): string {
  const ports = prefix === 16 ? `${port}` : prefix === 0 ? '*' : `${port}/${prefix}`;
  const verdict = deny ? 'deny' : proxyPort === undefined ? 'allow' : `proxy ${proxyPort}`;
  return `${identity}/${protocol}/${ports} ${verdict}`;
}

const ALL = '0/0/* allow';
const LOCALHOST = '1/0/* allow';

describe('enforcement', () => {
  it('allows everything where no policy selects the Pod', () => {
    expect(entries('server', 'ingress')).toEqual([ALL]);
    expect(entries('server', 'egress')).toEqual([ALL]);
  });

  it('enforces the directions that a policy has, and lets the host in', () => {
    const policy = ['policies:', '  - endpointSelector: { matchLabels: { app: server } }', '    ingress: []'];
    expect(entries('server', 'ingress', ...policy)).toEqual([LOCALHOST]);
    expect(entries('server', 'egress', ...policy)).toEqual([ALL]);
    expect(entries('other', 'ingress', ...policy)).toEqual([ALL]);
  });

  it('can be always and never', () => {
    expect(entries('server', 'ingress', 'features: { policyEnforcement: always }')).toEqual([LOCALHOST]);
    expect(entries('server', 'egress', 'features: { policyEnforcement: always }')).toEqual([]);
    const policy = ['policies:', '  - { endpointSelector: {}, ingress: [] }'];
    expect(entries('server', 'ingress', 'features: { policyEnforcement: never }', ...policy)).toEqual([ALL]);
  });
});

describe('peers and ports', () => {
  const ingress = (...rule: string[]) =>
    entries(
      'server',
      'ingress',
      'policies:',
      '  - endpointSelector: { matchLabels: { app: server } }',
      '    ingress:',
      ...rule,
    );

  it('selects Pods by labels', () => {
    expect(ingress('      - fromEndpoints: [{ matchLabels: { app: client } }]')).toEqual(['1000/0/* allow', LOCALHOST]);
    expect(ingress('      - fromEndpoints: [{ matchExpressions: [{ key: tier, operator: Exists }] }]')).toEqual([
      '1235/0/* allow',
      LOCALHOST,
    ]);
    expect(
      ingress('      - fromEndpoints: [{ matchExpressions: [{ key: app, operator: NotIn, values: [client] }] }]'),
    ).toEqual(['1234/0/* allow', '1235/0/* allow', LOCALHOST]);
    expect(ingress('      - fromEndpoints: []')).toEqual([LOCALHOST]);
  });

  it('takes ports of everybody where a rule names no peers', () => {
    expect(ingress('      - toPorts: [{ ports: [{ port: "80", protocol: TCP }] }]')).toEqual([
      '0/6/80 allow',
      LOCALHOST,
    ]);
  });

  it('expands protocol ANY and port ranges', () => {
    expect(ingress('      - toPorts: [{ ports: [{ port: 53 }] }]').slice(0, 3)).toEqual([
      '0/6/53 allow',
      '0/17/53 allow',
      '0/132/53 allow',
    ]);
    expect(ingress('      - toPorts: [{ ports: [{ port: 8080, endPort: 8083, protocol: TCP }] }]')[0]).toBe(
      '0/6/8080/14 allow',
    );
    expect(ingress('      - toPorts: [{ ports: [{ port: 0, protocol: UDP }] }]')[0]).toBe('0/17/* allow');
  });

  it('redirects to a proxy', () => {
    expect(ingress('      - toPorts: [{ ports: [{ port: 80, protocol: TCP }], proxyPort: 9000 }]')[0]).toBe(
      '0/6/80 proxy 9000',
    );
  });

  it('takes ICMP types as ports', () => {
    expect(ingress('      - icmps: [{ fields: [{ type: 8 }, { family: IPv6, type: 128 }] }]').slice(0, 2)).toEqual([
      '0/1/8 allow',
      '0/58/128 allow',
    ]);
  });

  it('knows the entities', () => {
    expect(ingress('      - fromEntities: [world]')).toEqual(['2/0/* allow', LOCALHOST]);
    expect(ingress('      - fromEntities: [all]')).toEqual([ALL, LOCALHOST]);
    expect(ingress('      - fromEntities: [remote-node]')).toEqual(['6/0/* allow', '7/0/* allow', LOCALHOST]);
    expect(ingress('      - fromEntities: [cluster]')).toEqual(
      [1, 6, 7, 8, 5, 4, 3, 1000, 1234, 1235].map((identity) => `${identity}/0/* allow`),
    );
  });

  it('gives prefixes identities; an exception has one that is not allowed', () => {
    const policy = [
      'policies:',
      '  - endpointSelector: { matchLabels: { app: server } }',
      '    egress:',
      '      - toCIDRSet: [{ cidr: 10.0.0.0/8, except: [10.96.0.0/12] }]',
      '      - toCIDR: [10.1.2.3/32]',
    ];
    expect(smallCluster(...policy).identities.cidrs).toEqual([
      { cidr: '10.0.0.0/8', identity: 0x1000001 },
      { cidr: '10.96.0.0/12', identity: 0x1000002 },
      { cidr: '10.1.2.3/32', identity: 0x1000003 },
    ]);
    expect(entries('server', 'egress', ...policy)).toEqual([`${0x1000001}/0/* allow`, `${0x1000003}/0/* allow`]);
  });

  it('stays inside the namespace of the policy', () => {
    const policy = [
      'policies:',
      '  - { namespace: prod, endpointSelector: {}, ingress: [] }',
      '  - { namespace: default, endpointSelector: { matchLabels: { app: server } }, egress: [{ toEndpoints: [{}] }] }',
    ];
    expect(entries('server', 'ingress', ...policy)).toEqual([ALL]);
    expect(entries('server', 'egress', ...policy)).toHaveLength(3);
  });
});

describe('host policies', () => {
  it('select nodes by their labels', () => {
    const { nodes } = smallCluster('policies:', '  - { nodeSelector: { matchLabels: { role: x } }, ingress: [] }');
    expect(nodes[0]!.verdicts.filter(({ direction }) => direction === 'ingress').map(short)).toEqual([ALL]);
    const all = smallCluster('policies:', '  - { nodeSelector: {}, ingress: [] }').nodes[0]!.verdicts;
    expect(all.filter(({ direction }) => direction === 'ingress')).toEqual([]);
  });
});

describe('deny', () => {
  const both = (...lines: string[]) =>
    entries('server', 'ingress', 'policies:', '  - endpointSelector: { matchLabels: { app: server } }', ...lines);

  it('removes what it covers', () => {
    expect(
      both(
        '    ingress: [{ fromEndpoints: [{ matchLabels: { app: client } }], toPorts: [{ ports: [{ port: 80, protocol: TCP }] }] }]',
        '    ingressDeny: [{ fromEndpoints: [{ matchLabels: { app: client } }] }]',
      ),
    ).toEqual([LOCALHOST, '1000/0/* deny']);
  });

  it('gets an entry of its own where an allow entry would be found first', () => {
    expect(
      both(
        '    ingress: [{ toPorts: [{ ports: [{ port: 80, protocol: TCP }] }] }]',
        '    ingressDeny: [{ fromEndpoints: [{ matchLabels: { app: client } }] }]',
      ),
    ).toEqual(['0/6/80 allow', LOCALHOST, '1000/0/* deny', '1000/6/80 deny']);
  });

  const range = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }));
  const match = fc
    .record({ identity: fc.constantFrom(0, 7, 8), protocol: fc.constantFrom(0, 6, 17), range, deny: fc.boolean() })
    .map(
      ({ identity, protocol, range: [x, y], deny }): Match => ({
        identity,
        protocol,
        first: protocol === 0 ? 0 : Math.min(x, y),
        last: protocol === 0 ? 0xffff : Math.max(x, y),
        deny,
        proxyPort: undefined,
        rule: 'r',
      }),
    );

  it('wins over every allow rule in a look-up as the datapath does it', () => {
    fc.assert(
      fc.property(fc.array(match, { maxLength: 8 }), (matches) => {
        const found = toPrefixes('ingress', settleConflicts(matches));
        for (const identity of [7, 9])
          for (const protocol of [6, 132])
            for (const port of [0, 1, 20, 40, 41]) {
              const hits = matches.filter(
                (rule) =>
                  [0, identity].includes(rule.identity) &&
                  [0, protocol].includes(rule.protocol) &&
                  rule.first <= port &&
                  port <= rule.last,
              );
              const expected = hits.length === 0 ? 'none' : hits.some(({ deny }) => deny) ? 'deny' : 'allow';
              expect(lookup(found, identity, protocol, port)).toBe(expected);
            }
      }),
    );
  });
});

/** Longest prefix for the identity and for identity 0; the longer wins, the identity's own if they are equal. */
function lookup(found: readonly VerdictEntry[], identity: number, protocol: number, port: number): string {
  const best = (wanted: number) =>
    found
      .filter(
        (entry) =>
          entry.identity === wanted &&
          (entry.protocol === 0 || entry.protocol === protocol) &&
          (entry.prefix === 0 || entry.port >> (16 - entry.prefix) === port >> (16 - entry.prefix)),
      )
      .map((entry) => ({ entry, length: entry.protocol === 0 ? 0 : 8 + entry.prefix }))
      .sort((a, b) => b.length - a.length)[0];
  const own = best(identity);
  const any = best(0);
  const chosen = own && (!any || own.length >= any.length) ? own : any;
  return chosen === undefined ? 'none' : chosen.entry.deny ? 'deny' : 'allow';
}

describe('port prefixes', () => {
  it('make up exactly the range', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 0, max: 65535 }), (x, y) => {
        const [first, last] = [Math.min(x, y), Math.max(x, y)];
        let next = first;
        for (const { port, prefix } of portPrefixes(first, last)) {
          expect(port).toBe(next);
          expect(port % 2 ** (16 - prefix)).toBe(0);
          next += 2 ** (16 - prefix);
        }
        expect(next).toBe(last + 1);
      }),
    );
  });
});
