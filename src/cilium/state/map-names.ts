import { MapType } from '../../../assembly/abi.js';
import type { MapSpec } from '../../object/spec.js';

/**
 * Names under which a map occurs in objects besides its canonical one, without the `test_` prefix of bare-tree objects and
 * without suffixes for endpoints and devices. Versions of a map's layout are told apart by its types.
 */
const ALIASES: Readonly<Record<string, string>> = {
  cilium_ipcache_v2: 'cilium_ipcache',
  cilium_policy_v2: 'cilium_policy',
  POLICY_CALL_MAP: 'cilium_call_policy',
  POLICY_EGRESSCALL_MAP: 'cilium_egresscall_policy',
  cilium_egress_policy: 'cilium_egresscall_policy',
  cilium_calls_hostns: 'cilium_calls',
  cilium_calls_netdev: 'cilium_calls',
  cilium_calls_overlay: 'cilium_calls',
  cilium_lb4_services: 'cilium_lb4_services_v2',
  cilium_lb6_services: 'cilium_lb6_services_v2',
  cilium_lb4_backends_v2: 'cilium_lb4_backends',
  cilium_lb6_backends_v2: 'cilium_lb6_backends',
  cilium_lb4_backends_v3: 'cilium_lb4_backends',
  cilium_lb6_backends_v3: 'cilium_lb6_backends',
  cilium_lb4_maglev_outer: 'cilium_lb4_maglev',
  cilium_lb6_maglev_outer: 'cilium_lb6_maglev',
  cilium_ct_tcp4: 'cilium_ct4_global',
  cilium_ct_tcp6: 'cilium_ct6_global',
  cilium_ct4: 'cilium_ct4_global',
  cilium_ct6: 'cilium_ct6_global',
  cilium_ct_any4: 'cilium_ct_any4_global',
  cilium_ct_any6: 'cilium_ct_any6_global',
  cilium_neigh4: 'cilium_nodeport_neigh4',
  cilium_neigh6: 'cilium_nodeport_neigh6',
  cilium_node_map_v2: 'cilium_node_map',
  cilium_auth: 'cilium_auth_map',
  CT_TAIL_CALL_BUFFER4: 'cilium_tail_call_buffer4',
  CT_TAIL_CALL_BUFFER6: 'cilium_tail_call_buffer6',
};

/** Maps with a name of their own that ends in a number. */
const NUMBERED = /_(\d{5}|[1-9]\d*)$/;

/** One name for a map of any version: `test_cilium_lb4_services` and `cilium_lb4_services_v2` are the same. */
export function canonicalMapName(name: string, type?: number): string {
  const production = name.replace(/^test_/, '');
  const plain = /^cilium_(calls|policy|ct)/.test(production) ? production.replace(NUMBERED, '') : production;
  // Bare-tree objects up to 1.16 call the prog array of policy programs like the policy map.
  if (plain === 'cilium_policy' && type === MapType.PROG_ARRAY) return 'cilium_call_policy';
  return ALIASES[plain] ?? plain;
}

/** Maps that every instance of an object has for itself: tail calls, policy, scratch. */
export function isPrivateMap(map: MapSpec): boolean {
  const name = canonicalMapName(map.name, map.type);
  return map.pinning === 0 || name === 'cilium_calls' || name === 'cilium_policy' || name === 'cilium_calls_custom';
}
