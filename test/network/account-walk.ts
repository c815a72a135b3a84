import { readFileSync } from 'node:fs';
import { type LoadedObject, Machine } from '../../src/machine/machine.js';
import type { Names, WalkRecord } from '../../src/network/account/record.js';
import { ProgramAddressHook, ProgramHook } from '../../src/network/program-hook.js';
import { TcpFlow } from '../../src/network/tcp-flow.js';
import { loadObject } from '../../src/object/load.js';
import { CURL, end, routeNatively, type TwoNodes, twoNodes } from './two-nodes.js';

const SPEC = loadObject(readFileSync('bpf-objects/account-hooks.o'), { name: 'account-hooks.o' });

export const NAMES: Names = {
  addresses: new Map([
    ['10.0.0.250', 'network'],
    ['10.0.1.60', 'nginx'],
    ['172.16.16.87', 'nginx Service'],
    ['192.168.1.15', 'node1'],
    ['192.168.1.13', 'node2'],
  ]),
  identities: new Map([
    [1001, 'network'],
    [1002, 'nginx'],
  ]),
};

const RECORDED = { recordMaps: true, recordAccesses: true };

export interface AccountWalk extends TwoNodes {
  object: LoadedObject;
  record: WalkRecord;
}

export interface WalkOptions {
  /** Translates at connect() instead of packet by packet. */
  socketLB?: boolean;
  /** Changes the world before the flow starts. */
  prepare?: (walk: Omit<AccountWalk, 'record'>) => void;
  /** What the client asks for. Default: the Service. */
  destination?: string;
}

/** curl from the Pod on node1 to the Service of the Pod on node2: programs of account-hooks.o on the client's side. */
export function walkToService({ socketLB = false, prepare, destination }: WalkOptions = {}): AccountWalk {
  const machine = Machine.create();
  const object = machine.load(SPEC);
  const set = twoNodes({ wire: { fabric: undefined }, hosts: [{ machine }, { machine: Machine.create() }] });
  routeNatively(set);
  const { network, node1, node2 } = set;
  const fill = (map: string, key: unknown, value: unknown): void => object.map(map).set(key, value);
  fill('cilium_lb4_services_v2', { address: '172.16.16.87', dport: 80 }, { count: 1, rev_nat_index: 7 });
  fill('cilium_lb4_services_v2', { address: '172.16.16.87', dport: 80, backend_slot: 1 }, { backend_id: 5 });
  fill('cilium_lb4_backends_v2', 5, { address: '10.0.1.60', port: 80 });
  fill('cilium_lb4_reverse_nat', 7, { address: '172.16.16.87', port: 80 });
  fill('cilium_ipcache', '10.0.1.60', { sec_label: 1002, tunnel_endpoint: '192.168.1.13' });
  fill('cilium_policy', { sec_label: 1002, dport: 80, protocol: 6, egress: 1 }, {});
  node1.lxc.attach('tc-ingress', new ProgramHook(object.program('cil_from_container'), RECORDED));
  node1.lxc.attach('tc-egress', new ProgramHook(object.program('cil_to_container'), RECORDED));
  if (socketLB)
    node1.host.attachAddressHook('connect4', new ProgramAddressHook(object.program('cil_sock4_connect'), RECORDED));
  prepare?.({ ...set, object });
  const flow = new TcpFlow(
    {
      client: node1.pod,
      clientPort: 40418,
      destination: end(destination ?? '172.16.16.87', 80),
      servers: [{ namespace: node2.pod, port: 80 }],
      names: { client: 'curl', server: 'nginx' },
    },
    CURL,
  ).start();
  network.run();
  return {
    ...set,
    object,
    record: {
      title: 'Pod to Service',
      description: 'curl -I 172.16.16.87:80 from the Pod network on node1; the backend nginx runs on node2.',
      network,
      names: NAMES,
      flows: [{ name: 'curl', result: flow.result }],
    },
  };
}
