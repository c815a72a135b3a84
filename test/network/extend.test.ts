import { describe, expect, test } from 'vitest';
import { scenarioSource } from '../../src/network/scenario/extend.js';
import { readScenario } from '../../src/network/scenario/read.js';

const BASE = [
  'name: base',
  'nodes:',
  '  n: { addresses: [192.0.2.1/24], podCIDRs: [10.0.0.0/24] }',
  'pods:',
  '  p: { node: n }',
];

/** Reads a scenario out of files given as lines of text, the first of which is asked for. */
function read(files: Record<string, readonly string[]>) {
  const [[name, lines]] = Object.entries(files) as [[string, readonly string[]]];
  return readScenario(lines.join('\n'), name, (base, from) => {
    const found = files[base];
    if (!found) throw new Error(`${from} asks for ${base}`);
    return { text: found.join('\n'), name: base };
  });
}

function problems(files: Record<string, readonly string[]>): string[] {
  try {
    read(files);
  } catch (error) {
    return (error as Error).message.split('\n');
  }
  return [];
}

describe('a scenario that extends another', () => {
  test('names are merged, plain values replaced', () => {
    const scenario = read({
      'own.yaml': [
        'extends: base.yaml',
        'name: own',
        'features: { ipv6: true }',
        'pods:',
        '  p: { ipv4: 10.0.0.9 }',
        '  q: { node: n }',
      ],
      'base.yaml': [...BASE, 'features: { routing: native }'],
    });
    expect(scenario).toMatchObject({
      name: 'own',
      features: { ipv6: true, routing: 'native' },
      pods: { p: { node: 'n', ipv4: '10.0.0.9' }, q: { node: 'n' } },
    });
    expect(scenario).not.toHaveProperty('extends');
  });

  test('lists are replaced as a whole', () => {
    const flow = (port: number) => `  - { from: { pod: p }, to: { address: 192.0.2.9, port: ${port} } }`;
    const { flows } = read({
      'own.yaml': ['extends: base.yaml', 'name: own', 'flows:', flow(3)],
      'base.yaml': [...BASE, 'flows:', flow(1), flow(2)],
    });
    expect(flows.map(({ to }) => to.port)).toEqual([3]);
  });

  test('null removes a name, also one that the base does not have', () => {
    const { pods } = read({
      'own.yaml': ['extends: base.yaml', 'name: own', 'pods: { p: { ipv4: null, mtu: null }, gone: null }'],
      'base.yaml': [...BASE.slice(0, -1), '  p: { node: n, ipv4: 10.0.0.7 }', '  gone: { node: n }'],
    });
    expect(Object.keys(pods)).toEqual(['p']);
    expect(pods.p).toMatchObject({ node: 'n' });
    expect(pods.p?.ipv4).toBeUndefined();
  });

  test('bases extend others themselves', () => {
    const scenario = read({
      'own.yaml': ['extends: middle.yaml', 'description: own'],
      'middle.yaml': ['extends: base.yaml', 'name: middle'],
      'base.yaml': BASE,
    });
    expect(scenario).toMatchObject({ name: 'middle', description: 'own', nodes: { n: {} } });
  });
});

describe('errors of extended scenarios', () => {
  test.each<[string, Record<string, readonly string[]>, (string | RegExp)[]]>([
    [
      'in the derived file: its own place',
      { 'own.yaml': ['extends: base.yaml', 'pods:', '  q: { nod: n }'], 'base.yaml': BASE },
      ['own.yaml:3:6: pods.q.node: missing', 'own.yaml:3:8: pods.q.nod: unknown name nod (did you mean node?)'],
    ],
    [
      'in the base: its place there',
      { 'own.yaml': ['extends: base.yaml', 'name: own'], 'base.yaml': [...BASE, 'features: { routing: tunel }'] },
      [/^base\.yaml:6:22: features\.routing: expected one of tunnel, native/],
    ],
    [
      'an unknown name in the base, of what the derived file changes elsewhere',
      {
        'own.yaml': ['extends: base.yaml', 'pods: { p: { ipv4: 10.0.0.9 } }'],
        'base.yaml': [...BASE.slice(0, -1), '  p: { node: n, ipv: 1 }'],
      },
      [/^base\.yaml:5:17: pods\.p\.ipv: unknown name ipv/],
    ],
    [
      'a reference of the derived file into the base',
      { 'own.yaml': ['extends: base.yaml', 'pods:', '  q: { node: m }'], 'base.yaml': BASE },
      [/^own\.yaml:3:14: pods\.q\.node: .*m/],
    ],
    [
      'text that is no YAML, in the base',
      { 'own.yaml': ['extends: base.yaml'], 'base.yaml': ['name: x', 'nodes: [1'] },
      [/^base\.yaml:2:\d+: /],
    ],
    [
      'a base that is no text',
      { 'own.yaml': ['name: x', 'extends: [a]'] },
      ['own.yaml:2:10: extends: expected the path of a scenario'],
    ],
    [
      'a file that extends itself',
      { 'own.yaml': ['extends: own.yaml'] },
      ['own.yaml:1:10: extends: more than 8 scenarios extend one another'],
    ],
    [
      'two that extend each other',
      { 'a.yaml': ['extends: b.yaml'], 'b.yaml': ['name: x', 'extends: a.yaml'] },
      [/^[ab]\.yaml:\d:10: extends: more than 8 scenarios extend one another$/],
    ],
  ])('%s', (_, files, expected) => {
    const found = problems(files);
    expect(found).toEqual(expected.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))));
  });

  test('eight levels are read, nine are not', () => {
    const levels = (count: number): Record<string, readonly string[]> => ({
      ...Object.fromEntries(
        Array.from({ length: count }, (_, i) => [
          `${i}.yaml`,
          [`extends: ${i + 1 < count ? `${i + 1}.yaml` : 'base.yaml'}`],
        ]),
      ),
      'base.yaml': BASE,
    });
    expect(read(levels(8)).name).toBe('base');
    expect(problems(levels(9))).toEqual(['8.yaml:1:10: extends: more than 8 scenarios extend one another']);
  });

  test('without files there is nothing to extend', () => {
    expect(() => scenarioSource('extends: base.yaml', 'own.yaml', undefined)).toThrow(
      'own.yaml:1:10: extends: base.yaml cannot be read here',
    );
  });
});
