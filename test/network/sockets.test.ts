import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine.js';
import { EchoFlow } from '../../src/network/echo-flow.js';
import { ProgramAddressHook } from '../../src/network/program-hook.js';
import { TcpFlow } from '../../src/network/tcp-flow.js';
import { UdpFlow } from '../../src/network/udp-flow.js';
import { parseAddress } from '../../src/packet/addresses.js';
import { setU16 } from '../../src/packet/bytes.js';
import { loadHooks } from './hooks-object.js';
import { BACKEND, CURL, end, routeNatively, type TwoNodes, twoNodes } from './two-nodes.js';

const SERVICE = '172.16.16.87';

/** `struct end` of network-hooks.c: both fields in network order, as the context has them. */
function endBytes(address: string, port: number): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes.set(parseAddress(address));
  setU16(bytes, 4, port);
  return bytes;
}

/** Address hooks on node1 that lead 172.16.16.87:80 to the backend, and refuse port 81. */
function withService(): TwoNodes {
  const set = twoNodes({ wire: { fabric: undefined }, hosts: [{ machine: Machine.create() }, {}] });
  routeNatively(set);
  const { host } = set.node1;
  const object = loadHooks(host.machine!);
  object.map('services').setBytes(endBytes(SERVICE, 80), endBytes('10.0.1.60', 8080));
  object.map('services').setBytes(endBytes(SERVICE, 81), new Uint8Array(8));
  host.attachAddressHook('connect4', new ProgramAddressHook(object.program('sock_connect4')));
  host.attachAddressHook('sendmsg4', new ProgramAddressHook(object.program('sock_sendmsg4')));
  host.attachAddressHook('recvmsg4', new ProgramAddressHook(object.program('sock_recvmsg4')));
  return set;
}

describe('programs on socket addresses', () => {
  test('connect() leads to the backend; the packets already say so', () => {
    const set = withService();
    const flow = new TcpFlow(
      { client: set.node1.pod, destination: end(SERVICE, 80), servers: [{ namespace: set.node2.pod, port: 8080 }] },
      CURL,
    ).start();
    set.network.run();
    expect(flow.result.completed).toBe(true);
    const [step] = set.network.journal.entries.map((entry) => entry.step).filter(({ kind }) => kind === 'socket');
    expect(step).toMatchObject({
      ...{ hook: 'connect4', name: 'sock_connect4', allowed: true },
      before: { address: parseAddress(SERVICE), port: 80 },
      after: { address: BACKEND, port: 8080 },
    });
    expect(set.node1.podEth0.capture.text().filter((line) => line.includes(SERVICE))).toEqual([]);
  });

  test('a program that refuses: no packet, and the reason', () => {
    const set = withService();
    const flow = new TcpFlow({ client: set.node1.pod, destination: end(SERVICE, 81) }, CURL).start();
    set.network.run();
    expect(flow.result).toMatchObject({ completed: false, sent: 0 });
    expect(flow.result.error).toBe('connect(172.16.16.87:81) is not permitted: a program refused it');
    expect(set.network.journal.packets()).toEqual([]);
  });

  test.each([true, false])('UDP, connected: %s; answers seem to come from the service', (connected) => {
    const set = withService();
    const ping = { from: 'client', payload: Uint8Array.of(1, 2, 3) } as const;
    const pong = { from: 'server', payload: Uint8Array.of(4, 5) } as const;
    const flow = new UdpFlow(
      {
        connected,
        client: set.node1.pod,
        destination: end(SERVICE, 80),
        servers: [{ namespace: set.node2.pod, port: 8080 }],
      },
      [ping, pong, ping, pong],
    ).start();
    set.network.run();
    expect(flow.result).toEqual({ completed: true, sent: 4, arrived: 4, error: undefined });
    expect(flow.answers).toEqual([end(SERVICE, 80), end(SERVICE, 80)]);
    const hooks = set.network.journal.entries.flatMap(({ step }) => (step.kind === 'socket' ? [step.hook] : []));
    expect(hooks).toEqual(
      connected ? ['connect4', 'recvmsg4', 'recvmsg4'] : ['sendmsg4', 'recvmsg4', 'sendmsg4', 'recvmsg4'],
    );
  });
});

describe('flows that do not come through', () => {
  test('without a server: a reset answers', () => {
    const set = twoNodes({ wire: { fabric: undefined } });
    routeNatively(set);
    const flow = new TcpFlow({ client: set.node1.pod, destination: end('10.0.1.60', 80) }, CURL).start();
    set.network.run();
    expect(flow.result).toMatchObject({ completed: false, sent: 1, arrived: 0 });
    expect(flow.result.error).toMatch(/^client got a reset/);
  });

  test('a lost segment stops the script; which one is a matter of the seed alone', () => {
    const lost = (seed: number): number => {
      const set = twoNodes({ wire: { fabric: undefined, loss: 0.3 }, network: { seed } });
      routeNatively(set);
      const flow = new TcpFlow(
        { client: set.node1.pod, destination: end('10.0.1.60', 80), servers: [{ namespace: set.node2.pod, port: 80 }] },
        CURL,
      ).start();
      set.network.run();
      if (!flow.result.completed)
        expect(set.network.journal.drops().some(({ step }) => step.reason === 'lost on the wire')).toBe(true);
      return flow.result.arrived;
    };
    const runs = [1, 2, 3, 4, 5, 6].map(lost);
    expect([1, 2, 3, 4, 5, 6].map(lost)).toEqual(runs);
    expect(new Set(runs).size).toBeGreaterThan(1);
  });

  test('frames overtake each other on a wire that reorders', () => {
    const set = twoNodes({ wire: { fabric: undefined, reorder: 0.5, reorderDelay: 5_000_000n }, network: { seed: 3 } });
    routeNatively(set);
    const flow = new UdpFlow(
      { client: set.node1.pod, destination: end('10.0.1.60', 53), servers: [{ namespace: set.node2.pod, port: 53 }] },
      Array.from({ length: 12 }, (_, i) => ({ from: 'client', payload: Uint8Array.of(i) })),
    ).start();
    set.network.run();
    expect(flow.result.completed).toBe(true);
    const order = set.node2.podEth0.capture.frames.map(({ bytes }) => bytes).filter((bytes) => bytes[23] === 17);
    const numbers = order.map((bytes) => bytes.at(-1)!);
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(numbers).not.toEqual([...numbers].sort((a, b) => a - b));
  });

  test('echo requests one after the other', () => {
    const set = twoNodes({ wire: { fabric: undefined } });
    routeNatively(set);
    const flow = new EchoFlow({ client: set.node1.pod, destination: BACKEND, count: 3 }).start();
    set.network.run();
    expect(flow.result).toEqual({ completed: true, sent: 3, arrived: 3, error: undefined });
  });
});
