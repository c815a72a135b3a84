import { type Cidr, cidrContains, formatCidr } from '../packet/addresses.js';
import { equalBytes } from '../packet/bytes.js';

/** Numbers of the tables every namespace has. */
export const LOCAL_TABLE = 255;
export const MAIN_TABLE = 254;
export const DEFAULT_TABLE = 253;

export type RouteType = 'unicast' | 'local' | 'broadcast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw';
export type RouteScope = 'global' | 'link' | 'host';

export interface Route {
  readonly destination: Cidr;
  readonly type: RouteType;
  /** Next hop; undefined = on link. An IPv4 route may have an IPv6 one. */
  readonly gateway?: Uint8Array;
  /** Name of the device; none for blackhole, unreachable and prohibit. */
  readonly device?: string;
  /** Preferred source address. */
  readonly source?: Uint8Array;
  readonly mtu?: number;
  readonly metric: number;
  readonly scope: RouteScope;
  /** Who added it, as `ip route` shows it. */
  readonly protocol: 'kernel' | 'boot' | 'static';
}

/** A route as a caller gives it; the rest gets iproute2's defaults. */
export type RouteInput = Pick<Route, 'destination'> & Partial<Route>;

const IPV6_METRIC = 1024;

/** Fills in what `ip route add` would. */
export function routeOf(input: RouteInput): Route {
  const type = input.type ?? 'unicast';
  const isOnLink = type === 'unicast' && !input.gateway && input.destination.address.length === 4;
  const scope: RouteScope = type === 'local' ? 'host' : type === 'broadcast' || isOnLink ? 'link' : 'global';
  const metric = input.destination.address.length === 16 && type !== 'local' ? IPV6_METRIC : 0;
  return { type, scope, metric, protocol: 'boot', ...input };
}

/** Routes of one table and family: longest prefix first, then the lower metric, then the earlier one. */
export class RouteTable {
  readonly #routes: Route[] = [];

  get routes(): readonly Route[] {
    return this.#routes;
  }

  add(route: Route): void {
    this.#routes.push(route);
  }

  /** Removes the routes to a prefix (over a device, if one is named). True if there were any. */
  remove(destination: Cidr, device?: string): boolean {
    const before = this.#routes.length;
    const text = formatCidr(destination);
    for (let i = before - 1; i >= 0; i--) {
      const route = this.#routes[i]!;
      if (formatCidr(route.destination) === text && (device === undefined || route.device === device))
        this.#routes.splice(i, 1);
    }
    return this.#routes.length < before;
  }

  /** `output` limits unicast routes to one device, as a socket bound to it does. */
  find(destination: Uint8Array, output?: string, usable: (route: Route) => boolean = () => true): Route | undefined {
    let best: Route | undefined;
    for (const route of this.#routes) {
      if (!cidrContains(route.destination, destination) || !usable(route)) continue;
      if (output !== undefined && route.type === 'unicast' && route.device !== output) continue;
      const longer = route.destination.prefixLength - (best?.destination.prefixLength ?? -1);
      if (!best || longer > 0 || (longer === 0 && route.metric < best.metric)) best = route;
    }
    return best;
  }

  /** Every route that an address of a device brought along. */
  removeOf(device: string, address: Uint8Array): void {
    for (let i = this.#routes.length - 1; i >= 0; i--) {
      const route = this.#routes[i]!;
      if (route.device === device && route.source && equalBytes(route.source, address)) this.#routes.splice(i, 1);
    }
  }
}
