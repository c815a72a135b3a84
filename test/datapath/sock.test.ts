import { describe, expect, test } from 'vitest';
import type { LoadedObject, Outcome } from '../../src/machine/machine.js';
import { address6, Node } from './node.js';

const VIP = '172.16.16.87';
const COOKIE = 77n;

function sockNode(): { node: Node; sock: LoadedObject } {
  const node = new Node({ enable_ipv6: true });
  const sock = node.load('sock');
  node.machine.setHelper('get_socket_cookie', () => COOKIE);
  node.machine.setHelper('get_prandom_u32', () => 1);
  return { node, sock };
}

function call(
  sock: LoadedObject,
  program: string,
  address: string,
  port: number,
): { address: unknown; port: number; outcome: Outcome } {
  const v6 = address.includes(':');
  const outcome = sock.program(program).run({
    context: {
      user_family: v6 ? 10 : 2,
      ...(v6 ? { user_ip6: address } : { user_ip4: address }),
      user_port: port,
      protocol: 6,
    },
    recordMaps: true,
  });
  expect(outcome.fault).toBeUndefined();
  expect(outcome.retval).toBe(1);
  const after = sock.program(program).decodeContext(outcome) as {
    user_ip4: string;
    user_ip6: string;
    user_port: number;
  };
  return { address: v6 ? after.user_ip6 : after.user_ip4, port: after.user_port, outcome };
}

describe.each([
  { family: 4, vip: VIP, backends: ['10.0.1.1', '10.0.1.60'], own: '192.168.1.15', peer: '192.168.1.13' },
  { family: 6, vip: 'fd10::87', backends: ['fd01::1', 'fd01::60'], own: 'fd99::15', peer: 'fd99::13' },
])('socket load balancing, IPv$family', ({ family, vip, backends, own, peer }) => {
  const service = {
    address: vip,
    port: 80,
    index: 7,
    backends: backends.map((address, id) => ({ id: id + 1, address, port: 8080 })),
  };
  const program = (name: string): string => `cil_sock${family}_${name}`;

  test('connect goes to a backend, and getpeername shows the service', () => {
    const { node, sock } = sockNode();
    node.service(service);
    const connected = call(sock, program('connect'), vip, 80);
    expect([connected.address, connected.port]).toEqual([backends[1]!, 8080]);
    const peer = call(sock, program('getpeername'), backends[1]!, 8080);
    expect([peer.address, peer.port]).toEqual([vip, 80]);
    // Another socket asked for the backend itself.
    node.machine.setHelper('get_socket_cookie', () => COOKIE + 1n);
    expect(call(sock, program('getpeername'), backends[1]!, 8080).address).toEqual(backends[1]!);
  });

  test('sendmsg and recvmsg', () => {
    const { node, sock } = sockNode();
    node.service(service);
    expect(call(sock, program('sendmsg'), vip, 80).address).toEqual(backends[1]!);
    const received = call(sock, program('recvmsg'), backends[1]!, 8080);
    expect([received.address, received.port]).toEqual([vip, 80]);
    // The service is gone: the entry too.
    node.map(`cilium_lb${family}_services_v2`).clear();
    expect(call(sock, program('recvmsg'), backends[1]!, 8080).address).toEqual(backends[1]!);
    expect(node.map(`cilium_lb${family}_reverse_sk`).count).toBe(0);
    expect(node.metric(8, 'ingress').count).toBe(1n);
  });

  test('no service, or one without backends: the address stays', () => {
    const { node, sock } = sockNode();
    expect(call(sock, program('connect'), vip, 80).address).toEqual(vip);
    node.service({ ...service, backends: [] });
    expect(call(sock, program('connect'), vip, 80).address).toEqual(vip);
    node.service(service);
    node.map(`cilium_lb${family}_backends_v2`).clear();
    expect(call(sock, program('connect'), vip, 80).address).toEqual(vip);
    expect(node.metric(6, 'egress').count).toBe(1n);
  });

  test('affinity by network namespace', () => {
    const { node, sock } = sockNode();
    node.service({ ...service, flags: 0x10, affinity: 60 });
    for (const id of [1, 2]) node.set('cilium_lb_affinity_match', { backend_id: id, rev_nat_id: 7 }, 1);
    expect(call(sock, program('connect'), vip, 80).address).toEqual(backends[1]!);
    node.machine.setHelper('get_prandom_u32', () => 0);
    expect(call(sock, program('connect'), vip, 80).address).toEqual(backends[1]!);
  });

  test('NodePort services at the addresses of nodes and at loopback', () => {
    const { node, sock } = sockNode();
    const any = family === 4 ? '0.0.0.0' : '::';
    node.service({ ...service, address: any, port: 31000, flags: 0x02 });
    node.identity(own, 1);
    node.identity(peer, 6);
    for (const address of [own, peer, family === 4 ? '127.0.0.1' : '::1'])
      expect(call(sock, program('connect'), address, 31000).address).toEqual(backends[1]!);
    // Outside the range, and at other addresses, it is no NodePort.
    expect(call(sock, program('connect'), own, 80).address).toEqual(own);
    expect(call(sock, program('connect'), vip, 31000).address).toEqual(vip);
  });
});

test('without IPv6 the IPv6 programs leave addresses alone', () => {
  const node = new Node();
  const sock = node.load('sock');
  node.set('cilium_lb6_services_v2', { address: address6('fd10::87'), dport: 80 }, { count: 1 });
  expect(call(sock, 'cil_sock6_connect', 'fd10::87', 80).address).toEqual('fd10::87');
});
