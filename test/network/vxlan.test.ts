import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine.js';
import type { Device } from '../../src/network/device.js';
import { hookOf, TC } from '../../src/network/hooks.js';
import { parseAddress } from '../../src/packet/addresses.js';
import { verifyChecksums } from '../../src/packet/checksum.js';
import { layersOf, numberOf, parsePacket } from '../../src/packet/parse.js';
import { actHook, attachAct, STEP } from './hooks-object.js';
import { curl, type Node, type TwoNodes, twoNodes, withoutArp } from './two-nodes.js';

const ZERO_CSUM_TX = 2;

const isIp4 = (bytes: Uint8Array): boolean => bytes[12] === 0x08 && bytes[13] === 0x00;

const addressNumber = (address: string): number =>
  parseAddress(address).reduce((number, byte) => number * 256 + byte, 0);

interface Ends {
  set: TwoNodes;
  vxlan1: Device;
  vxlan2: Device;
  /** What programs saw: node1's eth0 egress and tunnel ingress, then node2's. */
  seen: (() => Record<string, unknown>)[];
}

/**
 * Two nodes that send what comes from their Pods through tunnel devices, and what comes out of those to their Pods. ARP
 * stays with the nodes. Programs are instances of network-hooks.o.
 */
function tunnelled(protocol: 'vxlan' | 'geneve'): Ends {
  const set = twoNodes({ hosts: [{ machine: Machine.create() }, { machine: Machine.create() }] });
  const seen: Ends['seen'] = [];
  const add = (node: Node, remote: string, id: number): Device => {
    const tunnel = node.host.addTunnel({ name: `cilium_${protocol}`, ifindex: 5, protocol, mtu: 1450 });
    const { hook } = actHook(node.host, {
      steps: STEP.fields | STEP.tunnel | STEP.redirect,
      mark: 0xcafe,
      ifindex: tunnel.ifindex,
      tunnel_id: id,
      tunnel_remote: addressNumber(remote),
      tunnel_flags: ZERO_CSUM_TX,
    });
    node.lxc.attach(
      'tc-ingress',
      hookOf('tunnel', (skb, view) => (isIp4(skb.bytes) ? hook.run(skb, view) : { verdict: TC.OK })),
    );
    node.lxc.attach(
      'tc-egress',
      hookOf('rewrite', (skb) => {
        if (isIp4(skb.bytes)) skb.setEthernet(node.podEth0.mac, node.lxc.mac);
        return { verdict: TC.OK };
      }),
    );
    seen.push(attachAct(node.eth0, 'tc-egress'));
    seen.push(attachAct(tunnel, 'tc-ingress', { steps: STEP.redirect, ifindex: node.lxc.ifindex }));
    return tunnel;
  };
  const vxlan1 = add(set.node1, '192.168.1.13', 1001);
  const vxlan2 = add(set.node2, '192.168.1.15', 1002);
  return { set, vxlan1, vxlan2, seen };
}

describe.each(['vxlan', 'geneve'] as const)('ten packets through %s, programs at tc', (protocol) => {
  const { set, vxlan1, vxlan2, seen } = tunnelled(protocol);
  const flow = curl(set);

  test('all arrive, none is dropped', () => {
    expect(set.network.journal.drops().map((entry) => entry.step.detail)).toEqual([]);
    expect(flow.result.completed).toBe(true);
    expect(withoutArp(set.node2.podEth0.capture.text())).toHaveLength(10);
  });

  test('between the nodes they are tunnel frames of the right VNI, checksums right', () => {
    const frames = set.node1.eth0.capture.frames.filter(({ bytes }) => isIp4(bytes));
    expect(frames).toHaveLength(10);
    for (const { bytes, direction } of frames) {
      expect(verifyChecksums(bytes)).toEqual([]);
      const packet = parsePacket(bytes);
      const [outer] = layersOf(packet, 'ipv4');
      const [udp] = layersOf(packet, 'udp');
      const [tunnel] = layersOf(packet, protocol);
      expect(numberOf(tunnel!, 'vni')).toBe(direction === 'out' ? 1001 : 1002);
      expect(numberOf(udp!, 'dstport')).toBe(protocol === 'vxlan' ? 8472 : 6081);
      expect(numberOf(udp!, 'checksum')).toBe(0);
      expect(numberOf(udp!, 'srcport')).toBeGreaterThanOrEqual(32768);
      expect(numberOf(outer!, 'ttl')).toBe(64);
      expect(numberOf(outer!, 'flags')).toBe(0);
    }
    const ports = frames
      .filter(({ direction }) => direction === 'out')
      .map(({ bytes }) => numberOf(layersOf(parsePacket(bytes), 'udp')[0]!, 'srcport'));
    expect(new Set(ports).size).toBe(1);
  });

  test('the tunnel device shows the inner frames', () => {
    for (const device of [vxlan1, vxlan2]) expect(device.capture.text()).toHaveLength(10);
    expect(vxlan2.capture.text()[0]).toMatch(/^IP 10\.0\.0\.250\.40418 > 10\.0\.1\.60\.80: Flags \[S\]/);
  });

  test('programs see the mark at the physical device and the key on the other side', () => {
    const [egress1, ingress1, , ingress2] = seen;
    // Encapsulation within one namespace keeps the mark.
    expect(egress1!()).toMatchObject({ mark: 0xcafe, ifindex: 2, tunnel: -22 });
    expect(ingress2!()).toMatchObject({
      runs: 6,
      mark: 0,
      ifindex: 5,
      ingress_ifindex: 5,
      tunnel: 0,
      tunnel_id: 1001,
      tunnel_remote: addressNumber('192.168.1.15'),
    });
    expect(ingress1!()).toMatchObject({ runs: 4, tunnel_id: 1002, tunnel_remote: addressNumber('192.168.1.13') });
  });

  test('encapsulation keeps the number of the packet', () => {
    const [syn] = set.network.journal.packets();
    const steps = set.network.journal.of(syn!).map(({ step }) => step.kind);
    expect(steps.filter((kind) => kind === 'encapsulate' || kind === 'decapsulate')).toEqual([
      'encapsulate',
      'decapsulate',
    ]);
    expect(steps.at(-1)).toBe('deliver');
  });
});
