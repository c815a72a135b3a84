import type { Device } from '../device.js';
import { ROOT_NAMESPACE } from '../host.js';
import type { Network } from '../network.js';

/** Devices that something passed, host by host. */
function busyDevices(network: Network): Device[] {
  return network.hosts.flatMap((host) =>
    host.namespaces.flatMap((namespace) => namespace.devices.filter((device) => device.capture.frames.length > 0)),
  );
}

/** `node1-eth0`, or `node1-nginx-eth0` outside the root namespace; nothing that a file name must not have. */
export function captureName({ namespace, name }: Device): string {
  const inner = namespace.name === ROOT_NAMESPACE ? [] : [namespace.name];
  return [namespace.host.name, ...inner, name].join('-').replace(/[^\w.-]/g, '_');
}

/**
 * A pcap file (link type Ethernet) for every device that something passed, by file name. `epoch` is the wall clock, in ns
 * since 1970, when the network's clock was 0.
 */
export function capturePcaps(network: Network, epoch = 0n): Map<string, Uint8Array> {
  return new Map(busyDevices(network).map((device) => [`${captureName(device)}.pcap`, device.capture.pcap(epoch)]));
}

/** What `tcpdump -n -i DEVICE` would have printed, by device. */
export function captureTexts(network: Network, options: { absolute?: boolean } = {}): Map<string, string[]> {
  return new Map(busyDevices(network).map((device) => [captureName(device), device.capture.text(options)]));
}
