import { UsageError } from '../../errors.js';
import { formatAddress, parseAddress } from '../../packet/addresses.js';
import { readPcap } from '../../packet/pcap.js';
import { EchoFlow } from '../echo-flow.js';
import type { FlowOptions, FlowResult } from '../flow.js';
import { frameOf } from '../ip.js';
import type { Namespace } from '../namespace.js';
import type { Cluster } from '../scenario/cluster.js';
import type { ScenarioFlow } from '../scenario/schema.js';
import { TcpFlow } from '../tcp-flow.js';
import { UdpFlow } from '../udp-flow.js';
import { type Destination, destinationOf } from './destination.js';
import { isRaw, payloadOf, rawPacket, type ScenarioPacket, SHORTEST, segmentOf } from './packets.js';
import type { ClusterNetwork } from './topology.js';

/** A flow after it was played. */
export interface PlayedFlow {
  readonly flow: ScenarioFlow;
  readonly label: string;
  readonly destination: Destination;
  /** Numbers of all packets that came up meanwhile, in order. */
  readonly packets: readonly number[];
  readonly result: FlowResult;
}

/** Gives the bytes of a file that a scenario names. */
export type ReadFile = (path: string) => Uint8Array;

/** Port of clients that a flow gives none. */
const CLIENT_PORT = 40000;
/** Echo requests of a flow that lists no packets. */
const ECHOES = 1;

/** Plays one flow to its end. Throws UsageError for a flow the cluster cannot have. */
export function playFlow(
  cluster: Cluster,
  built: ClusterNetwork,
  flow: ScenarioFlow,
  label: string,
  readFile: ReadFile,
): PlayedFlow {
  const { network } = built;
  const destination = destinationOf(cluster, flow, label);
  const before = new Set(network.journal.packets());
  const result = play(built, flow, label, destination, readFile);
  const packets = network.journal.packets().filter((packet) => !before.has(packet));
  return { flow, label, destination, packets, result };
}

function play(
  built: ClusterNetwork,
  flow: ScenarioFlow,
  label: string,
  destination: Destination,
  readFile: ReadFile,
): FlowResult {
  const client = clientOf(built, flow, label);
  if (flow.pcap !== undefined) return playFrames(built, client, readPcap(readFile(flow.pcap)).packets, flow.pcap);
  if (flow.protocol === 'icmp' && !flow.packets?.some(isSpecialEcho)) return playEcho(built, client, flow, destination);
  const packets = flow.packets ?? SHORTEST[flow.protocol === 'icmp' ? 'sctp' : flow.protocol];
  if (flow.protocol === 'sctp' || flow.protocol === 'icmp' || packets.some(isRaw))
    return playRaw(built, client, flow, packets, destination);
  const options = flowOptions(built, client, flow, destination);
  const player =
    flow.protocol === 'tcp'
      ? new TcpFlow(options, packets.map(segmentOf))
      : new UdpFlow(
          options,
          packets.map((packet) => ({ from: packet.from, payload: payloadOf(packet) })),
        );
  player.start();
  built.network.run();
  return player.result;
}

/** ICMP packets other than plain echo requests. */
function isSpecialEcho(packet: ScenarioPacket): boolean {
  return packet.icmpType !== undefined || packet.from === 'server' || isRaw(packet);
}

function clientOf(built: ClusterNetwork, { from }: ScenarioFlow, label: string): Namespace {
  const name = from.pod ?? from.external ?? from.node!;
  const client = from.node === undefined ? built.namespaces.get(name) : built.hosts.get(name)?.root;
  if (!client) throw new UsageError(`${label}: there is no ${name} in the network`);
  return client;
}

function flowOptions(
  built: ClusterNetwork,
  client: Namespace,
  flow: ScenarioFlow,
  destination: Destination,
): FlowOptions {
  const servers = (flow.listening ? destination.servers : []).flatMap(({ name, port }) => {
    const namespace = built.namespaces.get(name) ?? built.hosts.get(name)?.root;
    return namespace ? [{ namespace, port }] : [];
  });
  const [server] = destination.servers;
  return {
    client,
    clientPort: flow.sourcePort,
    destination: { address: parseAddress(destination.address), port: destination.port },
    servers,
    names: { client: client.path, server: server?.name ?? 'nobody' },
  };
}

function playEcho(built: ClusterNetwork, client: Namespace, flow: ScenarioFlow, destination: Destination): FlowResult {
  const [first] = flow.packets ?? [];
  const player = new EchoFlow({
    client,
    destination: parseAddress(destination.address),
    identifier: flow.sourcePort,
    count: flow.packets?.length ?? ECHOES,
    size: first ? payloadOf(first)?.length : undefined,
    ttl: first?.ttl,
    dontFragment: first?.dontFragment,
  });
  player.start();
  built.network.run();
  return player.result;
}

/** Packets that no socket sends: each goes out once the one before has come to rest. */
function playRaw(
  built: ClusterNetwork,
  client: Namespace,
  flow: ScenarioFlow,
  packets: readonly ScenarioPacket[],
  destination: Destination,
): FlowResult {
  const { network } = built;
  const to = parseAddress(destination.address);
  const source = client.sourceFor(to);
  if (!source)
    return { completed: false, sent: 0, arrived: 0, error: `${client.path} has no route to the destination` };
  const ends = {
    source: formatAddress(source),
    sourcePort: flow.sourcePort ?? CLIENT_PORT,
    destination: destination.address,
    port: destination.port,
  };
  const sent = packets.map((packet) => {
    const skb = client.newSkb(frameOf(rawPacket(packet, flow.protocol, ends)), `raw socket of ${client.path}`);
    if (packet.vlan !== undefined) skb.vlan = { protocol: 0x8100, tci: packet.vlan };
    network.schedule(0n, () => client.output(skb));
    network.run();
    return skb.id;
  });
  return arrival(built, sent);
}

/** Frames of a capture, out of the client's first device. */
function playFrames(
  built: ClusterNetwork,
  client: Namespace,
  frames: readonly { data: Uint8Array }[],
  file: string,
): FlowResult {
  const device = client.devices.find(({ kind }) => kind !== 'loopback');
  if (!device) throw new UsageError(`${client.path} has no device to play ${file} on`);
  const sent = frames.map(({ data }) => {
    const packet = built.network.emit(device, data);
    built.network.run();
    return packet;
  });
  return arrival(built, sent);
}

/** How many of the packets were delivered somewhere. */
function arrival({ network }: ClusterNetwork, sent: readonly number[]): FlowResult {
  const arrived = sent.filter((packet) => network.journal.of(packet).some(({ step }) => step.kind === 'deliver'));
  const completed = arrived.length === sent.length;
  return {
    completed,
    sent: sent.length,
    arrived: arrived.length,
    error: completed ? undefined : `${sent.length - arrived.length} of ${sent.length} packets did not arrive`,
  };
}
