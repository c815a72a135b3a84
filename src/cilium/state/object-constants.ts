import type { FunctionSpec, ObjectSpec } from '../../object/spec.js';
import { parseMac } from '../../packet/addresses.js';
import type { NodeObjects } from './node-objects.js';

/** Constants that objects up to 1.17 carry in their instructions instead of in configuration variables. */
export interface ObjectConstants {
  /** HOST_IFINDEX: where packets for the host are redirected to. */
  hostIfindex?: number | undefined;
  /** ENCAP_IFINDEX: the tunnel device. */
  encapIfindex?: number | undefined;
  /** HOST_EP_ID; 0x1092 in objects of the bare tree. */
  hostEndpointId?: number | undefined;
  /** HOST_IFINDEX_MAC, the destination of packets for the host. */
  hostMac?: string | undefined;
}

const HELPER_REDIRECT = 23;
const HELPER_SET_TUNNEL_KEY = 21;
/** How far in front of a call its argument is looked for. */
const WINDOW = 40;

/** What the dummy headers of the bare tree define (node_config.h, ep_config.h). */
const BARE_HOST_ENDPOINT_ID = 0x1092;
const BARE_HOST_MAC = 'ce:72:a7:03:88:56';

const OPCODE_CALL = 0x85;
const CLASS_LDX = 1;
const CLASS_ALU = 4;
const CLASS_ALU64 = 7;
const MOV32_IMMEDIATE = 0xb4;
const MOV64_IMMEDIATE = 0xb7;

/** Constant ifindex arguments of redirect() in a function, with whether the tunnel key was set before in the code. */
function redirectTargets(fn: FunctionSpec): { ifindex: number; isTunnel: boolean }[] {
  const view = new DataView(fn.instructions.buffer, fn.instructions.byteOffset, fn.instructions.byteLength);
  const opcode = (i: number) => view.getUint8(8 * i);
  const destination = (i: number) => view.getUint8(8 * i + 1) & 15;
  const isHelper = (i: number, id: number) =>
    opcode(i) === OPCODE_CALL && view.getUint8(8 * i + 1) >> 4 === 0 && view.getInt32(8 * i + 4, true) === id;
  const found: { ifindex: number; isTunnel: boolean }[] = [];
  let isTunnel = false;
  for (let i = 0; i < view.byteLength / 8; i++) {
    if (isHelper(i, HELPER_SET_TUNNEL_KEY)) isTunnel = true;
    if (!isHelper(i, HELPER_REDIRECT)) continue;
    for (let j = i - 1; j >= Math.max(0, i - WINDOW); j--) {
      const kind = opcode(j) & 7;
      const writes = (kind <= CLASS_LDX || kind === CLASS_ALU || kind === CLASS_ALU64) && destination(j) === 1;
      if (!writes) continue;
      if (opcode(j) === MOV32_IMMEDIATE || opcode(j) === MOV64_IMMEDIATE)
        found.push({ ifindex: view.getInt32(8 * j + 4, true), isTunnel });
      break;
    }
  }
  return found;
}

function mostFrequent(numbers: readonly number[]): number | undefined {
  const counts = new Map<number, number>();
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** Whether the first four bytes of a MAC address occur as an immediate. */
function mentionsMac(object: ObjectSpec, mac: string): boolean {
  const word = new DataView(parseMac(mac).buffer).getInt32(0, true);
  return object.functions.some((fn) => {
    const view = new DataView(fn.instructions.buffer, fn.instructions.byteOffset, fn.instructions.byteLength);
    for (let at = 4; at < view.byteLength; at += 8) if (view.getInt32(at, true) === word) return true;
    return false;
  });
}

/**
 * Reads from the instructions what the objects have been compiled for. `told` (a scenario's objectConstants) wins. Fields
 * stay undefined where the objects take the value from a configuration variable or do not need it.
 */
export function objectConstants(objects: NodeObjects, told: ObjectConstants = {}): ObjectConstants {
  const { lxc, host, overlay } = objects.specs;
  const targets = (specs: readonly (ObjectSpec | undefined)[]) =>
    specs.flatMap((spec) => spec?.functions ?? []).flatMap(redirectTargets);
  const isConfigured = ['lxc', 'host', 'overlay'].some((kind) =>
    objects.variable(kind as 'lxc' | 'host' | 'overlay', 'cilium_host_ifindex'),
  );
  const tunnel = targets([lxc, host]).filter(({ isTunnel, ifindex }) => isTunnel && ifindex > 0);
  const plain = targets([overlay, lxc]).filter(({ isTunnel, ifindex }) => !isTunnel && ifindex > 0);
  const hasHostEndpointId = ['lxc', 'host'].some((kind) => objects.variable(kind as 'lxc' | 'host', 'host_ep_id'));
  const mentions = [lxc, host, overlay].some((spec) => spec && mentionsMac(spec, BARE_HOST_MAC));
  return {
    hostIfindex: told.hostIfindex ?? (isConfigured ? undefined : mostFrequent(plain.map(({ ifindex }) => ifindex))),
    encapIfindex: told.encapIfindex ?? mostFrequent(tunnel.map(({ ifindex }) => ifindex)),
    hostEndpointId: told.hostEndpointId ?? (hasHostEndpointId ? undefined : BARE_HOST_ENDPOINT_ID),
    hostMac: told.hostMac ?? (mentions ? BARE_HOST_MAC : undefined),
  };
}
