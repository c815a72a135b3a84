import type { Backend, Frontend } from '../../network/scenario/frontends.js';
import { canonicalCidr } from '../../network/scenario/identities.js';
import { familyOf, splitCidr } from './addresses.js';
import { type MapLayout, NetworkOrder } from './layout.js';
import { maglevSeeds, maglevTable } from './maglev.js';
import type { PlanContext, PlannedEntry, PlannedMap } from './plan-types.js';

/** Flags of frontends (bpf/lib/common.h, SVC_FLAG_*). */
const FLAG = {
  EXTERNAL_IP: 0x01,
  NODEPORT: 0x02,
  EXT_LOCAL_SCOPE: 0x04,
  AFFINITY: 0x10,
  LOADBALANCER: 0x20,
  ROUTABLE: 0x40,
  SOURCE_RANGE: 0x80,
} as const;
const FLAG2 = { INT_LOCAL_SCOPE: 0x10, TWO_SCOPES: 0x20 } as const;

const KIND_FLAGS: Readonly<Record<Frontend['kind'], number>> = {
  ClusterIP: 0,
  NodePort: FLAG.NODEPORT | FLAG.ROUTABLE,
  ExternalIP: FLAG.EXTERNAL_IP | FLAG.ROUTABLE,
  LoadBalancer: FLAG.LOADBALANCER | FLAG.ROUTABLE,
};

/** LB_LOOKUP_SCOPE_EXT, LB_LOOKUP_SCOPE_INT. */
const SCOPE_EXTERNAL = 0;
const SCOPE_INTERNAL = 1;

const BACKEND_STATES: Readonly<Record<Backend['state'], number>> = {
  active: 0,
  terminating: 1,
  quarantined: 2,
  maintenance: 3,
};
const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' };
/** LB_SELECTION_*, in the upper byte of the affinity timeout (1.17+). */
const ALGORITHMS = { random: 1, maglev: 2 } as const;

/** What the programs see of a frontend in one scope. */
interface ScopedFrontend {
  frontend: Frontend;
  scope: number;
  flags: number;
  flags2: number;
  backends: Backend[];
}

/** All load-balancer maps of one family; those that no object has are left out. */
export function serviceMaps(context: PlanContext, family: 4 | 6): PlannedMap[] {
  const { cluster, node, objects, features } = context;
  if (!(family === 6 ? features.ipv6 : features.ipv4)) return [];
  const isOwn = (address: string) => familyOf(address) === (family === 6 ? 2 : 1);
  const frontends = cluster.frontends.filter(
    (frontend) => isOwn(frontend.address) && (frontend.node === undefined || frontend.node === node.name),
  );
  const layout = (name: string) => objects.layout(`cilium_lb${family}_${name}`);
  const scoped = frontends.flatMap((frontend) => scopesOf(frontend, node.name));
  // Programs of 1.19 and later always look Services up by protocol; those before find 0 (= any) whatever they ask for.
  const hasProtocols = objects.layout('cilium_policy')?.hasValue('precedence') ?? false;
  const used = new Set(frontends.flatMap(({ backends }) => backends));
  const plan = (found: MapLayout | undefined, entries: (layout: MapLayout) => PlannedEntry[]): PlannedMap[] =>
    found ? [{ map: found.spec.name, entries: entries(found) }] : [];
  const table = layout('maglev');
  return [
    ...plan(layout('services_v2'), (found) => scoped.flatMap((one) => serviceEntries(one, found, hasProtocols))),
    ...plan(layout('backends'), (found) => [...used].map((backend) => backendEntry(backend, found))),
    ...plan(layout('reverse_nat'), (found) =>
      frontends.map(({ id, address, port }) => ({
        key: id,
        value: found.value({ address, port: new NetworkOrder(port) }),
      })),
    ),
    ...plan(layout('source_range'), (found) => frontends.flatMap((frontend) => sourceRanges(frontend, found))),
    ...(table ? [maglevMap(scoped, table, features.loadBalancer.hashSeed)] : []),
  ];
}

/** cilium_lb_affinity_match: which backends a sticky client may keep. */
export function affinityMatchMap({ cluster, node, objects }: PlanContext): PlannedMap | undefined {
  const layout = objects.layout('cilium_lb_affinity_match');
  if (!layout) return undefined;
  const sticky = cluster.frontends.filter(
    ({ affinity, node: only }) => affinity !== undefined && (only === undefined || only === node.name),
  );
  return {
    map: layout.spec.name,
    entries: sticky.flatMap(({ id, backends }) =>
      backends
        .filter(({ state }) => state === 'active')
        .map((backend) => ({
          key: layout.key({ backend_id: backend.id, rev_nat_id: id }),
          value: 1,
        })),
    ),
  };
}

/** With a Local traffic policy, the programs look up two scopes: local backends for one, all for the other. */
function scopesOf(frontend: Frontend, node: string): ScopedFrontend[] {
  const base = KIND_FLAGS[frontend.kind];
  const flags =
    base |
    (frontend.affinity === undefined ? 0 : FLAG.AFFINITY) |
    (frontend.sourceRanges.length ? FLAG.SOURCE_RANGE : 0);
  const local = frontend.backends.filter((backend) => backend.node === node);
  if (frontend.kind === 'ClusterIP') {
    const isLocal = frontend.internalTrafficPolicy === 'Local';
    return [
      {
        frontend,
        scope: SCOPE_EXTERNAL,
        flags,
        flags2: isLocal ? FLAG2.INT_LOCAL_SCOPE : 0,
        backends: isLocal ? local : frontend.backends,
      },
    ];
  }
  if (frontend.externalTrafficPolicy !== 'Local')
    return [{ frontend, scope: SCOPE_EXTERNAL, flags, flags2: 0, backends: frontend.backends }];
  const both = { frontend, flags: flags | FLAG.EXT_LOCAL_SCOPE, flags2: FLAG2.TWO_SCOPES };
  return [
    { ...both, scope: SCOPE_EXTERNAL, backends: local },
    { ...both, scope: SCOPE_INTERNAL, backends: frontend.backends },
  ];
}

/** Backends that new connections may get: the active ones, terminating ones if there is nothing else. */
function selectable(backends: readonly Backend[]): Backend[] {
  const active = backends.filter(({ state }) => state === 'active');
  return active.length ? active : backends.filter(({ state }) => state === 'terminating');
}

function serviceEntries(
  { frontend, scope, flags, flags2, backends }: ScopedFrontend,
  layout: MapLayout,
  hasProtocols: boolean,
): PlannedEntry[] {
  const key = (slot: number) =>
    layout.key({
      address: frontend.address,
      dport: new NetworkOrder(frontend.port),
      backend_slot: slot,
      proto: hasProtocols ? frontend.protocol : 0,
      scope,
    });
  const usable = selectable(backends);
  const isCurrent = layout.hasValue('qcount');
  const quarantined = isCurrent ? backends.filter(({ state }) => state === 'quarantined') : [];
  const algorithm = isCurrent ? ALGORITHMS[frontend.algorithm] * 2 ** 24 : 0;
  const first = {
    key: key(0),
    value: layout.value({
      affinity_timeout: algorithm + (frontend.affinity ?? 0),
      count: usable.length,
      qcount: quarantined.length,
      rev_nat_index: frontend.id,
      flags,
      flags2,
    }),
  };
  const slots = [...usable, ...quarantined].map((backend, i) => ({
    key: key(i + 1),
    value: layout.value({ backend_id: backend.id, rev_nat_index: frontend.id }),
  }));
  return [first, ...slots];
}

function backendEntry(backend: Backend, layout: MapLayout): PlannedEntry {
  const hasProtocols = layout.hasValue('cluster_id');
  return {
    key: backend.id,
    value: layout.value({
      address: backend.address,
      port: new NetworkOrder(backend.port),
      proto: hasProtocols ? backend.protocol : 0,
      flags: BACKEND_STATES[backend.state],
    }),
  };
}

/** Bits of the Service id and padding in front of the address. */
const SOURCE_RANGE_STATIC_BITS = 32;

function sourceRanges({ id, sourceRanges: ranges }: Frontend, layout: MapLayout): PlannedEntry[] {
  return ranges.map((range) => {
    const { address, length } = splitCidr(canonicalCidr(range));
    return {
      key: layout.key({ lpm_key: { prefixlen: SOURCE_RANGE_STATIC_BITS + length }, rev_nat_id: id, addr: address }),
      value: 0,
    };
  });
}

/**
 * The outer map holds one inner array with one element, the table; its size is that of the object's definition. Only
 * Services that use Maglev have one.
 */
function maglevMap(scoped: readonly ScopedFrontend[], layout: MapLayout, hashSeed: string): PlannedMap {
  const size = (layout.spec.inner?.valueSize ?? 0) / 4;
  const { murmur } = maglevSeeds(hashSeed);
  const wanted = new Map<number, Backend[]>();
  for (const { frontend, backends } of scoped)
    if (frontend.algorithm === 'maglev' && !wanted.has(frontend.id)) wanted.set(frontend.id, selectable(backends));
  return {
    map: layout.spec.name,
    entries: [],
    inner: [...wanted]
      .filter(([, backends]) => backends.length > 0)
      .map(([id, backends]) => {
        const named = backends.map((backend) => ({ ...backend, protocol: PROTOCOL_NAMES[backend.protocol]! }));
        const table = maglevTable(named, size, murmur);
        return { key: id, entries: [{ key: 0, value: new Uint8Array(table.buffer) }] };
      }),
  };
}
