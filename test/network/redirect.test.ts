import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine.js';
import type { Device } from '../../src/network/device.js';
import { type Hook, hookOf, TC } from '../../src/network/hooks.js';
import { ProgramHook } from '../../src/network/program-hook.js';
import type { Skb } from '../../src/network/skb.js';
import { UdpFlow } from '../../src/network/udp-flow.js';
import { formatMac, parseAddress } from '../../src/packet/addresses.js';
import { buildPacket } from '../../src/packet/words.js';
import { attachAct, loadHooks, STEP } from './hooks-object.js';
import { end, FABRIC, routeNatively, type TwoNodes, twoNodes } from './two-nodes.js';

function withMachines(): TwoNodes {
  return twoNodes({ hosts: [{ machine: Machine.create() }, { machine: Machine.create() }] });
}

/** A UDP packet to a device, by MAC, from outside to the Pod of node1 or the address given. */
const udpTo = (device: Device, destination = '10.0.0.250:6000'): Uint8Array =>
  buildPacket(`udp 192.168.1.1:5000 > ${destination} eth=02:00:00:00:00:99>${formatMac(device.mac)}`);

/** A hook that keeps copies of what it sees. */
const watch = (name: string, seen: Skb[], verdict: number = TC.OK): Hook =>
  hookOf(name, (skb) => {
    seen.push(skb.clone());
    return { verdict };
  });

/** Injects a UDP packet into node1's eth0, where `steps` redirect it; what the Pod's own hook then sees. */
function redirected(steps: number, settings: Record<string, number> = {}) {
  const set = withMachines();
  const { node1, network } = set;
  const peerSeen: Skb[] = [];
  const egressSeen: Skb[] = [];
  attachAct(node1.eth0, 'tc-ingress', {
    steps: STEP.fields | steps,
    ...{ mark: 0x1234, tc_index: 7, queue_mapping: 3, priority: 6, cb: [1, 2, 3, 4, 5], tstamp: 999n },
    ifindex: node1.lxc.ifindex,
    ...settings,
  });
  node1.lxc.attach('tc-egress', watch('egress', egressSeen));
  node1.podEth0.attach('tc-ingress', watch('peer', peerSeen, TC.STOLEN));
  network.inject(node1.eth0, udpTo(node1.podEth0));
  network.run();
  return { set, network, egress: egressSeen[0], peer: peerSeen[0] };
}

describe('what a redirect keeps of the skb', () => {
  test('redirect: tc egress of the device sees it all but the time stamp; the other namespace neither mark nor priority', () => {
    const { egress, peer } = redirected(STEP.redirect);
    expect(egress).toMatchObject({
      ...{ mark: 0x1234, tcIndex: 7, queueMapping: 3, priority: 6, cb: [1, 2, 3, 4, 5], tstamp: 0n, ingressIfindex: 2 },
    });
    // TC_ACT_OK of the egress hook stores its class number, 0, as tc_index.
    expect(peer).toMatchObject({
      mark: 0,
      priority: 0,
      cb: [1, 2, 3, 4, 5],
      tcIndex: 0,
      queueMapping: 0,
      ingressIfindex: 19,
    });
  });

  test('redirect_peer: no tc egress, the mark stays, the packet appears on the peer', () => {
    const { egress, peer, set } = redirected(STEP.peer);
    expect(egress).toBeUndefined();
    expect(peer).toMatchObject({
      mark: 0x1234,
      tcIndex: 7,
      queueMapping: 3,
      priority: 6,
      ingressIfindex: 19,
      packetType: 0,
    });
    expect(set.node1.lxc.capture.frames).toEqual([]);
    expect(set.node1.podEth0.capture.frames).toHaveLength(1);
  });

  test('redirect to ingress: as received there, packet type by the MAC, mark kept within the namespace', () => {
    const set = withMachines();
    const { node1, network } = set;
    attachAct(node1.eth0, 'tc-ingress', {
      ...{ steps: STEP.fields | STEP.redirect, mark: 5, priority: 6, ifindex: node1.lxc.ifindex, redirect_flags: 1 },
    });
    const seen = attachAct(node1.lxc, 'tc-ingress', { verdict: TC.SHOT });
    network.inject(node1.eth0, udpTo(node1.lxc));
    network.run();
    expect(seen()).toMatchObject({ runs: 1, mark: 5, priority: 0, pkt_type: 0, ifindex: 20, ingress_ifindex: 20 });
    expect(network.journal.drops()).toMatchObject([
      { step: { reason: 'hook verdict' }, at: { device: node1.lxc.name } },
    ]);
  });

  test('redirect_neigh: next hop of the route out of the device, MAC by ARP', () => {
    const set = withMachines();
    const { node1, network } = set;
    attachAct(node1.lxc, 'tc-ingress', { steps: STEP.neighbour, ifindex: 2 });
    network.inject(node1.lxc, buildPacket('udp 10.0.0.250:1 > 192.168.1.13:2 ttl=9'));
    network.run();
    const [arp, , frame] = node1.eth0.capture.frames;
    expect(arp?.bytes.subarray(12, 14)).toEqual(Uint8Array.of(8, 6));
    expect(frame?.bytes.subarray(0, 6)).toEqual(FABRIC);
    expect(frame?.bytes.subarray(6, 12)).toEqual(node1.eth0.mac);
    // The kernel does not lower the TTL there.
    expect(frame?.bytes[22]).toBe(9);
  });

  test('clone_redirect: the copy has its own number, the packet goes on', () => {
    const set = withMachines();
    const { node1, network } = set;
    attachAct(node1.lxc, 'tc-ingress', { steps: STEP.clone, ifindex: 2, verdict: TC.SHOT });
    const id = network.inject(node1.lxc, buildPacket('udp 10.0.0.250:1 > 192.168.1.13:2'));
    network.run();
    expect(network.journal.of(id).at(-1)?.step).toMatchObject({ kind: 'drop', reason: 'hook verdict' });
    expect(network.journal.entries.some(({ step }) => step.kind === 'send' && step.answers === id)).toBe(true);
    expect(node1.eth0.capture.frames).toHaveLength(1);
  });

  test.each([
    ['a device that is not there', STEP.redirect, { ifindex: 99 }, 'no device has ifindex 99'],
    ['the peer of a device without one', STEP.peer, { ifindex: 2 }, 'eth0 has no peer'],
  ])('%s: dropped, with the reason', (_, steps, settings, detail) => {
    const { network } = redirected(steps, settings);
    expect(network.journal.drops()).toMatchObject([{ step: { reason: 'redirect failed', detail } }]);
  });
});

describe('verdicts', () => {
  const verdictOf = (...verdicts: number[]) => {
    const set = withMachines();
    const { node1, network } = set;
    for (const verdict of verdicts) attachAct(node1.eth0, 'tc-ingress', { verdict });
    const id = network.inject(node1.eth0, udpTo(node1.eth0, '192.168.1.15:9'));
    network.run();
    const steps = network.journal.of(id).map(({ step }) => step);
    return { hooks: steps.filter(({ kind }) => kind === 'hook').length, last: steps.at(-1)!, steps };
  };

  test.each([
    ['TC_ACT_OK ends the list', [TC.OK, TC.SHOT], 1, 'port unreachable'],
    ['TC_ACT_UNSPEC goes on', [TC.UNSPEC, TC.SHOT], 2, 'hook verdict'],
    ['TC_ACT_PIPE goes on under direct action', [3, TC.SHOT], 2, 'hook verdict'],
    ['an error code of a program goes on', [-142, TC.SHOT], 2, 'hook verdict'],
    ['and is passed if nobody follows', [-142], 1, 'port unreachable'],
  ])('%s', (_, verdicts, hooks, reason) => {
    const result = verdictOf(...verdicts);
    expect(result.hooks).toBe(hooks);
    const drops = result.steps.filter((step) => step.kind === 'drop');
    expect(drops).toMatchObject([{ reason }]);
  });

  test('TC_ACT_STOLEN ends the packet without a drop', () => {
    const { last } = verdictOf(TC.STOLEN);
    expect(last).toMatchObject({ kind: 'consume', by: 'tc_act' });
  });
});

describe('xdp', () => {
  test('metadata reaches tc ingress of the device', () => {
    const { node1, network } = withMachines();
    node1.eth0.attach('xdp', new ProgramHook(loadHooks(node1.host.machine!).program('xdp_mark')));
    const seen = attachAct(node1.eth0, 'tc-ingress', { verdict: TC.SHOT });
    network.inject(node1.eth0, udpTo(node1.eth0));
    network.run();
    expect(seen()).toMatchObject({ runs: 1, metadata: 0x12345678, len: 42 });
  });
});

describe('loops', () => {
  test('egress redirects within each other end', () => {
    const { node1, network } = withMachines();
    attachAct(node1.eth0, 'tc-egress', { steps: STEP.redirect, ifindex: 2 });
    network.emit(node1.eth0, buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2'));
    network.run();
    expect(network.journal.drops()).toMatchObject([{ step: { reason: 'forwarding loop' } }]);
  });

  test('two devices that redirect to each other end', () => {
    const { node1, network } = withMachines();
    attachAct(node1.eth0, 'tc-ingress', { steps: STEP.redirect, ifindex: node1.lxc.ifindex, redirect_flags: 1 });
    attachAct(node1.lxc, 'tc-ingress', { steps: STEP.redirect, ifindex: 2, redirect_flags: 1 });
    network.inject(node1.eth0, buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2'));
    network.run();
    expect(network.journal.drops()).toMatchObject([{ step: { reason: 'forwarding loop' } }]);
  });

  test('routes that point at each other end by TTL', () => {
    const set = twoNodes({ wire: { fabric: undefined } });
    routeNatively(set);
    const { node1, node2, network } = set;
    const destination = { address: parseAddress('10.9.0.0'), prefixLength: 16 };
    node1.host.root.routing.addRoute({ destination, gateway: parseAddress('192.168.1.13'), device: 'eth0' });
    node2.host.root.routing.addRoute({ destination, gateway: parseAddress('192.168.1.15'), device: 'eth0' });
    const flow = new UdpFlow({ client: node1.pod, destination: end('10.9.0.1', 53) }, [{ from: 'client' }]).start();
    network.run();
    expect(network.journal.drops()[0]).toMatchObject({ step: { reason: 'ttl expired' } });
    expect(flow.result.error).toBe('client got an ICMP error (type 11, code 0)');
  });
});
