import { eraOfObject } from '../../cilium/object-era.js';
import { endText } from '../account/changes.js';
import type { Names, WalkRecord } from '../account/record.js';
import type { Cluster } from '../scenario/cluster.js';
import { isAsExpected, type Walk } from './walk.js';

/** What the account of a walk is made from. */
export function walkRecord(walk: Walk): WalkRecord {
  const { scenario, cluster, built, nodes, flows } = walk;
  return {
    title: scenario.name,
    description: scenario.description,
    network: built.network,
    names: namesOf(cluster),
    flows: flows.map((played) => {
      const { verdict, reason } = played.flow.expect;
      return {
        ...{ name: played.label, result: played.result, asExpected: isAsExpected(walk, played) },
        expected: reason === undefined ? verdict : `${verdict}: ${reason}`,
      };
    }),
    constantsOf: ({ at, step }) =>
      nodes
        .get(at.host)
        ?.instances.find(({ plan }) =>
          plan.attach.some(
            ({ program, device, hook }) =>
              step.kind === 'hook' && program === step.name && device === at.device && hook === step.hook,
          ),
        )?.plan.config,
    eraOf: (host) => {
      const [instance] = nodes.get(host)?.instances ?? [];
      return instance && eraOfObject(instance.object.spec);
    },
  };
}

/** Names of Pods, nodes, external hosts and Services by address, of Pods by identity. */
function namesOf(cluster: Cluster): Names {
  const addresses = new Map<string, string>();
  const add = (name: string, ...own: (string | undefined)[]) => {
    for (const address of own) if (address !== undefined && !addresses.has(address)) addresses.set(address, name);
  };
  for (const { name, ipv4, ipv6 } of [...cluster.endpoints, ...cluster.nodes, ...cluster.externals])
    add(name, ipv4, ipv6);
  for (const node of cluster.nodes) add(`${node.name} router`, node.routerIPv4, node.routerIPv6);
  for (const { service, kind, address, port } of cluster.frontends) {
    const label = kind === 'ClusterIP' ? `Service ${service}` : `Service ${service} (${kind})`;
    add(label, endText(address, port));
    if (kind === 'ClusterIP') add(label, address);
  }
  const identities = new Map(cluster.endpoints.map(({ identity, name }) => [identity, name]));
  return { addresses, identities };
}
