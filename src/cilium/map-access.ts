/** A use of a map element by a program, decoded by the map's types. */
export interface DecodedAccess {
  readonly map: string;
  readonly operation: 'lookup' | 'update' | 'delete' | 'tail call';
  readonly key: unknown;
  readonly keyText: string;
  readonly keyBytes: Uint8Array;
  /** Of a tail call the program's name. Undefined if nothing was found. */
  readonly value: unknown;
  readonly valueText: string | undefined;
  readonly valueBytes: Uint8Array | undefined;
  /** 0 or a negative errno; what is not found has -ENOENT. */
  readonly error: number;
  /** Such as ENOENT; undefined without error. */
  readonly errorName: string | undefined;
}

/** What the maps of Cilium's datapath are for, by what every version's name of them has in it. */
export const MAPS = {
  services: /_lb[46]_services/,
  backends: /_lb[46]_backends/,
  reverseNat: /_lb[46]_reverse_(nat|sk)/,
  conntrack: /_ct(_any|_tcp)?[46]/,
  sourceNat: /_snat_v[46]/,
  ipcache: /_ipcache/,
  policy: /cilium_policy/,
  endpoints: /_lxc$|_lxc_/,
  tunnels: /_tunnel_map/,
  nodes: /_node_map/,
  tailCalls: /_calls|call_policy|CALL_MAP/,
  sourceRanges: /_source_range/,
  fragments: /_frag/,
  neighbours: /_nodeport_neigh|_neigh[46]/,
  metrics: /_metrics/,
  egressGateway: /_egress_gw/,
  vtep: /_vtep/,
  devices: /_devices/,
  authentication: /_auth/,
} as const;

export type MapPurpose = keyof typeof MAPS;

/** Accesses of maps that serve one purpose. */
export function accessesOf(accesses: readonly DecodedAccess[], purpose: MapPurpose): DecodedAccess[] {
  return accesses.filter(({ map }) => MAPS[purpose].test(map));
}
