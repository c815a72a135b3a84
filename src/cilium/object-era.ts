import type { ObjectSpec } from '../object/spec.js';
import type { Era } from './era.js';

const isOwn = (spec: ObjectSpec): boolean => spec.variables.some(({ label }) => label === 'enable_per_packet_lb');

/** What only objects of a version and the later ones have; the newest first. */
const SIGNS: readonly { readonly era: Era; readonly holds: (spec: ObjectSpec) => boolean }[] = [
  { era: 20, holds: (spec) => hasVariable(spec, 'enable_netkit', 'nat_46x64_prefix') },
  { era: 19, holds: (spec) => hasMap(spec, /^cilium_percpu_trace_id$/) },
  { era: 18, holds: (spec) => spec.programs.some(({ section }) => /^(tc|xdp)\/(entry|tail)$/.test(section)) },
  { era: 17, holds: (spec) => spec.variables.some(({ name, isConfig }) => isConfig && name.startsWith('__config_')) },
  { era: 16, holds: (spec) => hasVariable(spec, 'THIS_INTERFACE_MAC_1') },
  { era: 15, holds: (spec) => spec.variables.some(({ section }) => section === '.rodata.config') },
  { era: 14, holds: (spec) => spec.programs.some(({ section }) => section === 'tc' || section === 'xdp') },
  { era: 13, holds: (spec) => spec.programs.some(({ name }) => name.startsWith('cil_')) },
  { era: 12, holds: (spec) => hasMap(spec, /egresscall|EGRESSCALL/) },
  { era: 11, holds: (spec) => spec.maps.some(({ origin }) => origin === 'btf') },
];

function hasVariable(spec: ObjectSpec, ...labels: string[]): boolean {
  return spec.variables.some(({ label }) => labels.includes(label));
}

function hasMap(spec: ObjectSpec, name: RegExp): boolean {
  return spec.maps.some((map) => name.test(map.name));
}

/**
 * The Cilium version that an object comes from, by what it has: 13 for 1.13, 10 for 1.10 and before. offkernel's own datapath has
 * the layouts of 1.13. Objects lack most features of their version, so the answer may be too low by one.
 */
export function eraOfObject(spec: ObjectSpec): Era {
  if (isOwn(spec)) return 13;
  return SIGNS.find(({ holds }) => holds(spec))?.era ?? 10;
}
