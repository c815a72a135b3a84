import { readFileSync } from 'node:fs';
import type { LoadedObject, Machine } from '../../src/machine/machine.js';
import type { Device } from '../../src/network/device.js';
import type { Hook, HookPoint } from '../../src/network/hooks.js';
import type { Host } from '../../src/network/host.js';
import { ProgramHook } from '../../src/network/program-hook.js';
import { loadObject } from '../../src/object/load.js';

export const HOOKS_OBJECT = readFileSync(new URL('../../bpf-objects/network-hooks.o', import.meta.url));

/** Steps of tc_act in network-hooks.c. */
export const STEP = { fields: 1, tunnel: 2, clone: 4, redirect: 8, peer: 16, neighbour: 32 } as const;

/** `struct settings` of network-hooks.c. */
export interface Settings {
  steps?: number;
  verdict?: number;
  ifindex?: number;
  redirect_flags?: number;
  mark?: number;
  tc_index?: number;
  queue_mapping?: number;
  priority?: number;
  cb?: number[];
  tunnel_id?: number;
  /** Host order, as in struct bpf_tunnel_key. */
  tunnel_remote?: number;
  tunnel_flags?: number;
  tstamp?: bigint;
}

const DEFAULTS: Required<Settings> = {
  ...{ steps: 0, verdict: 0, ifindex: 0, redirect_flags: 0, mark: 0, tc_index: 0, queue_mapping: 0, priority: 0 },
  ...{ cb: [0, 0, 0, 0, 0], tunnel_id: 0, tunnel_remote: 0, tunnel_flags: 0, tstamp: 0n },
};

/** All fields of `struct settings`. */
export const complete = (settings: Settings): Required<Settings> => ({ ...DEFAULTS, ...settings });

/** A private instance of network-hooks.o. */
export function loadHooks(machine: Machine): LoadedObject {
  return machine.load(loadObject(HOOKS_OBJECT, { name: 'network-hooks.o' }));
}

/** A tc_act with settings of its own; `seen` reads what it saw last (`struct seen`). */
export function actHook(host: Host, settings: Settings = {}): { hook: Hook; seen: () => Record<string, unknown> } {
  if (!host.machine) throw new Error('the host has no machine');
  const object = loadHooks(host.machine);
  object.map('settings').set(0, complete(settings));
  return {
    hook: new ProgramHook(object.program('tc_act')),
    seen: () => object.map('seen').get(0) as Record<string, unknown>,
  };
}

/** Attaches a tc_act of its own. */
export function attachAct(
  device: Device,
  point: Exclude<HookPoint, 'xdp'>,
  settings: Settings = {},
): () => Record<string, unknown> {
  const { hook, seen } = actHook(device.namespace.host, settings);
  device.attach(point, hook);
  return seen;
}
