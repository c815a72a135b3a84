import { cidrContains, parseAddress, parseCidr } from '../../packet/addresses.js';
import { didYouMean } from '../../text.js';
import type { Scenario } from './schema.js';

/** Something wrong between parts of a scenario. */
export interface ReferenceProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Report = (path: readonly (string | number)[], message: string) => void;

/** Names that refer to nothing, numbers given twice, addresses outside their ranges. */
export function checkReferences(scenario: Scenario): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  if (Object.keys(scenario.nodes).length === 0) report(['nodes'], 'expected at least one node');
  if (!scenario.features.ipv4 && !scenario.features.ipv6) report(['features'], 'expected ipv4 or ipv6 to be on');
  checkNodes(scenario, report);
  checkPods(scenario, report);
  checkServices(scenario, report);
  checkFlows(scenario, report);
  for (const node of Object.keys(scenario.overrides))
    checkName(scenario.nodes, 'node', node, ['overrides', node], report);
  return problems;
}

function checkName(
  known: Record<string, unknown>,
  what: string,
  name: string | undefined,
  path: readonly (string | number)[],
  report: Report,
): void {
  if (name === undefined || Object.hasOwn(known, name)) return;
  const names = Object.keys(known);
  report(path, `no ${what} ${name}${didYouMean(name, names)}; there are: ${names.join(', ') || 'none'}`);
}

function checkNodes({ nodes }: Scenario, report: Report): void {
  for (const [name, node] of Object.entries(nodes)) {
    const path = ['nodes', name];
    if (Object.keys(node.devices).length === 0) report([...path, 'devices'], 'expected at least one device');
    const addresses = [...node.addresses, ...Object.values(node.devices).flatMap((device) => device.addresses)];
    if (addresses.length === 0) report(path, 'expected addresses such as [192.168.1.15/24]');
    const taken = new Map<number, string>();
    const claim = (index: number | undefined, device: string, at: readonly (string | number)[]) => {
      if (index === undefined) return;
      const other = taken.get(index);
      if (other) report(at, `interface index ${index} is already ${other}'s`);
      else taken.set(index, device);
    };
    for (const [device, { ifindex }] of Object.entries(node.devices))
      claim(ifindex, device, [...path, 'devices', device, 'ifindex']);
    claim(node.ciliumHost.ifindex, 'cilium_host', [...path, 'ciliumHost', 'ifindex']);
    claim(node.ciliumNet.ifindex, 'cilium_net', [...path, 'ciliumNet', 'ifindex']);
    claim(node.tunnelDevice.ifindex, 'the tunnel device', [...path, 'tunnelDevice', 'ifindex']);
  }
}

function checkPods({ nodes, pods }: Scenario, report: Report): void {
  const addresses = new Map<string, string>();
  const ids = new Map<string, string>();
  const indexes = new Map<string, string>();
  for (const [name, pod] of Object.entries(pods)) {
    const path = ['pods', name];
    checkName(nodes, 'node', pod.node, [...path, 'node'], report);
    const node = nodes[pod.node];
    for (const family of ['ipv4', 'ipv6'] as const) {
      const address = pod[family];
      if (address === undefined) continue;
      claim(addresses, address, name, [...path, family], `address ${address}`, report);
      const own = (node?.podCIDRs ?? []).filter((cidr) => cidr.includes(':') === (family === 'ipv6'));
      if (own.length && !own.some((cidr) => cidrContains(parseCidr(cidr), parseAddress(address))))
        report([...path, family], `${address} lies outside ${pod.node}'s podCIDRs ${own.join(', ')}`);
    }
    if (pod.endpointId !== undefined)
      claim(
        ids,
        `${pod.node} ${pod.endpointId}`,
        name,
        [...path, 'endpointId'],
        `endpoint id ${pod.endpointId}`,
        report,
      );
    const index = pod.hostInterface.ifindex;
    if (index !== undefined)
      claim(
        indexes,
        `${pod.node} ${index}`,
        name,
        [...path, 'hostInterface', 'ifindex'],
        `interface index ${index}`,
        report,
      );
  }
}

function claim(
  taken: Map<string, string>,
  key: string,
  owner: string,
  path: readonly (string | number)[],
  what: string,
  report: Report,
): void {
  const other = taken.get(key);
  if (other !== undefined) report(path, `${what} is already ${other}'s`);
  else taken.set(key, owner);
}

function checkServices({ services, pods, features }: Scenario, report: Report): void {
  for (const [name, service] of Object.entries(services)) {
    const path = ['services', name];
    if (service.backends && service.selector) report([...path, 'selector'], 'expected either backends or selector');
    if (service.clusterIPs.length + service.externalIPs.length + service.loadBalancerIPs.length === 0)
      report(path, 'expected clusterIPs, externalIPs or loadBalancerIPs');
    for (const [i, backend] of (service.backends ?? []).entries())
      checkName(pods, 'Pod', backend.pod, [...path, 'backends', i, 'pod'], report);
    const [first, last] = features.nodePort.range;
    for (const [i, { nodePort }] of service.ports.entries()) {
      if (nodePort !== undefined && (nodePort < first || nodePort > last))
        report([...path, 'ports', i, 'nodePort'], `${nodePort} lies outside features.nodePort.range ${first}..${last}`);
    }
  }
}

function checkFlows({ flows, pods, nodes, external, services }: Scenario, report: Report): void {
  for (const [i, flow] of flows.entries()) {
    const path = ['flows', i];
    for (const end of ['from', 'to'] as const) {
      checkName(pods, 'Pod', flow[end].pod, [...path, end, 'pod'], report);
      checkName(nodes, 'node', flow[end].node, [...path, end, 'node'], report);
      checkName(external, 'external host', flow[end].external, [...path, end, 'external'], report);
    }
    checkName(services, 'Service', flow.to.service, [...path, 'to', 'service'], report);
    const named = flow.to.service === undefined ? undefined : services[flow.to.service];
    if (named && flow.protocol !== 'icmp') {
      const ports = named.ports.filter(({ protocol }) => protocol.toLowerCase() === flow.protocol);
      const known = ports.some((candidate) => candidate.port === flow.to.port);
      if (flow.to.port !== undefined && !known)
        report(
          [...path, 'to', 'port'],
          `Service ${flow.to.service} has no ${flow.protocol} port ${flow.to.port}; there are: ${ports.map((candidate) => candidate.port).join(', ') || 'none'}`,
        );
    } else if (flow.to.port === undefined && flow.protocol !== 'icmp') {
      report([...path, 'to'], `expected a port for ${flow.protocol}`);
    }
    if (flow.packets && flow.pcap) report([...path, 'pcap'], 'expected either packets or pcap');
  }
}
