import { NO_NAMES, type WalkRecord } from '../../src/network/account/record.js';
import type { Device } from '../../src/network/device.js';
import { type HookResult, hookOf, TC } from '../../src/network/hooks.js';
import type { Host } from '../../src/network/host.js';
import { Network } from '../../src/network/network.js';
import { TcpFlow } from '../../src/network/tcp-flow.js';
import { parseAddress, parseCidr } from '../../src/packet/addresses.js';
import { u16 } from '../../src/packet/bytes.js';
import { CURL, end } from './two-nodes.js';

const OK: HookResult = { verdict: TC.OK };

interface Node {
  host: Host;
  tunnel: Device;
  lxcs: Device[];
  podMacs: Uint8Array[];
}

/**
 * Nodes with Pods whose packets hooks, which are functions, redirect through VXLAN devices, as Cilium does: from the Pod's
 * device to the tunnel, from the tunnel to the Pod's device, or from Pod to Pod on one node.
 */
export function panorama(
  nodes: number,
  pods: number,
  options: { localPeer?: boolean; tunnelTo?: string } = {},
): WalkRecord {
  const network = new Network();
  const wire = network.wire('underlay');
  const all = Array.from({ length: nodes }, (_, i) => addNode(network, i, pods));
  for (const [i, { host }] of all.entries()) {
    const eth0 = wire.attach(host.root, { name: 'eth0', ifindex: 2 });
    eth0.addAddress(parseCidr(`192.168.1.${11 + i}/24`));
    for (const point of ['tc-ingress', 'tc-egress'] as const)
      eth0.attach(
        point,
        hookOf(point === 'tc-ingress' ? 'cil_from_netdev' : 'cil_to_netdev', () => OK),
      );
  }
  for (const [i, node] of all.entries()) attachHooks(node, i, options.tunnelTo);
  const [first, last] = [all[0]!, options.localPeer ? all[0]! : all[1]!];
  const server = options.localPeer ? 1 : 0;
  const flow = new TcpFlow(
    {
      client: first.host.namespaces[1]!,
      clientPort: 40418,
      destination: end(`10.0.${options.localPeer ? 0 : 1}.${10 + server}`, 80),
      servers: [{ namespace: last.host.namespaces[1 + server]!, port: 80 }],
    },
    CURL,
  ).start();
  network.run();
  return {
    title: `${nodes} nodes of ${pods} Pods`,
    description: 'Hooks that are functions send packets through VXLAN.',
    network,
    names: NO_NAMES,
    flows: [{ name: 'curl', result: flow.result }],
  };
}

function addNode(network: Network, index: number, pods: number): Node {
  const host = network.host(`node${index + 1}`);
  const router = `10.0.${index}.1`;
  const { near } = host.addVeth({ name: 'cilium_host', ifindex: 4 }, { name: 'cilium_net', ifindex: 3 });
  near.addAddress(parseCidr(`${router}/32`));
  near.attach(
    'tc-egress',
    hookOf('cil_from_host', () => OK),
  );
  near.attach(
    'tc-ingress',
    hookOf('cil_to_host', () => OK),
  );
  const tunnel = host.addTunnel({ name: 'cilium_vxlan', ifindex: 5, protocol: 'vxlan', mtu: 1450 });
  const lxcs: Device[] = [];
  const podMacs: Uint8Array[] = [];
  for (let pod = 0; pod < pods; pod++) {
    const namespace = host.namespace(`pod${index + 1}${pod + 1}`);
    const pair = host.addVeth(
      { name: `lxc${index + 1}${pod + 1}d69da958e9b`, ifindex: 20 + 2 * pod },
      { namespace, name: 'eth0', ifindex: 19 + 2 * pod },
    );
    pair.far.addAddress(parseCidr(`10.0.${index}.${10 + pod}/32`));
    namespace.routing.addRoute({ destination: parseCidr(`${router}/32`), device: 'eth0' });
    namespace.routing.addRoute({
      destination: parseCidr('0.0.0.0/0'),
      gateway: parseAddress(router),
      device: 'eth0',
    });
    lxcs.push(pair.near);
    podMacs.push(pair.far.mac);
  }
  return { host, tunnel, lxcs, podMacs };
}

/** Destination of an IPv4 frame as its third and last byte: node and Pod. */
function target(bytes: Uint8Array): { node: number; pod: number } | undefined {
  return u16(bytes, 12) === 0x0800 ? { node: bytes[32]!, pod: bytes[33]! - 10 } : undefined;
}

function attachHooks({ tunnel, lxcs, podMacs }: Node, own: number, tunnelTo: string | undefined): void {
  const redirect = (ifindex: number): HookResult => ({
    verdict: TC.REDIRECT,
    redirect: { kind: 'redirect', ifindex, flags: 0n },
  });
  for (const [pod, lxc] of lxcs.entries()) {
    lxc.attach(
      'tc-ingress',
      hookOf('cil_from_container', (skb) => {
        const to = target(skb.bytes);
        if (!to) return OK;
        if (to.node === own) return redirect(lxcs[to.pod]!.ifindex);
        const remote = parseAddress(tunnelTo ?? `192.168.1.${11 + to.node}`);
        skb.tunnel = {
          direction: 'send',
          metadata: {
            ...{ id: 1000 + own, remote, local: new Uint8Array(4), tos: 0, ttl: 0, label: 0 },
            ...{ checksum: false, dontFragment: false, options: new Uint8Array() },
          },
        };
        return redirect(tunnel.ifindex);
      }),
    );
    lxc.attach(
      'tc-egress',
      hookOf('cil_to_container', (skb) => {
        if (target(skb.bytes)) skb.setEthernet(podMacs[pod]!, lxc.mac);
        return OK;
      }),
    );
  }
  tunnel.attach(
    'tc-egress',
    hookOf('cil_to_overlay', () => OK),
  );
  tunnel.attach(
    'tc-ingress',
    hookOf('cil_from_overlay', (skb) => {
      const to = target(skb.bytes);
      return to ? redirect(lxcs[to.pod]!.ifindex) : OK;
    }),
  );
}
