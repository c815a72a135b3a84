import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { resolveCluster } from '../../src/network/scenario/cluster.js';
import { readScenario } from '../../src/network/scenario/read.js';
import type { Scenario } from '../../src/network/scenario/schema.js';

/** Text of a scenario that comes with offkernel. */
export function bundledScenario(name: string): string {
  return readFileSync(new URL(`../../scenarios/${name}.yaml`, import.meta.url), 'utf8');
}

/** Reads a scenario that extends bundled ones; `name` is its path below their folder. */
export function readExtending(text: string, name: string): Scenario {
  return readScenario(text, name, (base, from) => {
    const path = posix.join(posix.dirname(from), base);
    return { text: bundledScenario(path.replace(/\.yaml$/, '')), name: path };
  });
}

/** Reads a scenario from the lines of its YAML text. */
export function scenario(...lines: string[]): Scenario {
  return readScenario(lines.join('\n'), 'test.yaml');
}

/** Two nodes with Pods client (a), server (b) and other (b), and whatever else `lines` say. */
export function smallCluster(...lines: string[]) {
  return resolveCluster(
    scenario(
      'name: small',
      'nodes:',
      '  a: { addresses: [192.168.0.1/24], podCIDRs: [10.0.1.0/24, fd00:1::/64] }',
      '  b: { addresses: [192.168.0.2/24], podCIDRs: [10.0.2.0/24, fd00:2::/64] }',
      'pods:',
      '  client: { node: a, ipv4: 10.0.1.5, identity: 1000, endpointId: 11 }',
      '  server: { node: b, ipv4: 10.0.2.7, identity: 1234, endpointId: 12 }',
      '  other: { node: b, ipv4: 10.0.2.8, identity: 1235, endpointId: 13, labels: { tier: back } }',
      ...lines,
    ),
  );
}
