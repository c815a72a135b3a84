import { type Cidr, cidrContains } from '../packet/addresses.js';
import { DEFAULT_TABLE, LOCAL_TABLE, MAIN_TABLE, type Route, type RouteInput, RouteTable, routeOf } from './routes.js';

/** One line of `ip rule`. */
export interface Rule {
  readonly priority: number;
  readonly from?: Cidr;
  readonly to?: Cidr;
  /** Matches if `packet mark & mask` is `value`. */
  readonly mark?: { readonly value: number; readonly mask: number };
  /** Name of the receiving device; `lo` is what the host itself sends. */
  readonly input?: string;
  readonly output?: string;
  readonly action: 'lookup' | 'blackhole' | 'unreachable' | 'prohibit';
  /** Table of a look-up. */
  readonly table: number;
}

export type RuleInput = Pick<Rule, 'priority'> & Partial<Rule>;

/** What a routing decision depends on. */
export interface FlowKey {
  readonly destination: Uint8Array;
  readonly source?: Uint8Array;
  readonly mark: number;
  /** Receiving device, undefined for what the host sends itself. */
  readonly input?: string;
  /** Device the route has to lead to, undefined = any. */
  readonly output?: string;
}

/** The rule that decided, and the route it found; without a route the rule itself refuses. */
export interface RouteDecision {
  readonly rule: Rule;
  readonly route: Route | undefined;
}

export type Family = 4 | 6;
export const familyOf = (address: Uint8Array): Family => (address.length === 4 ? 4 : 6);

function matches(rule: Rule, key: FlowKey): boolean {
  if (rule.mark && (key.mark & rule.mark.mask) >>> 0 !== rule.mark.value >>> 0) return false;
  if (rule.input !== undefined && rule.input !== (key.input ?? 'lo')) return false;
  if (rule.output !== undefined && rule.output !== key.output) return false;
  if (rule.to && !cidrContains(rule.to, key.destination)) return false;
  return !rule.from || rule.from.prefixLength === 0 || (!!key.source && cidrContains(rule.from, key.source));
}

/** Rules and tables of a namespace, each family on its own. */
export class RoutingPolicy {
  readonly #rules: Record<Family, Rule[]> = {
    4: [lookupRule(0, LOCAL_TABLE), lookupRule(32766, MAIN_TABLE), lookupRule(32767, DEFAULT_TABLE)],
    6: [lookupRule(0, LOCAL_TABLE), lookupRule(32766, MAIN_TABLE)],
  };
  readonly #tables: Record<Family, Map<number, RouteTable>> = { 4: new Map(), 6: new Map() };
  /** Grows with every change, so that copies of the tables know that they are old. */
  version = 0;

  rules(family: Family): readonly Rule[] {
    return this.#rules[family];
  }

  /** Numbers of the tables that have routes. */
  tables(family: Family): number[] {
    return [...this.#tables[family].keys()].sort((a, b) => a - b);
  }

  table(family: Family, number: number): RouteTable {
    const known = this.#tables[family].get(number);
    if (known) return known;
    const table = new RouteTable();
    this.#tables[family].set(number, table);
    return table;
  }

  /** Adds a rule behind those of the same or a lower priority. */
  addRule(family: Family, input: RuleInput): Rule {
    const rule: Rule = { action: 'lookup', table: MAIN_TABLE, ...input };
    const rules = this.#rules[family];
    const before = rules.findIndex((other) => other.priority > rule.priority);
    rules.splice(before < 0 ? rules.length : before, 0, rule);
    this.version++;
    return rule;
  }

  /** Removes the first rule with a priority. False if there is none. */
  removeRule(family: Family, priority: number): boolean {
    const index = this.#rules[family].findIndex((rule) => rule.priority === priority);
    if (index < 0) return false;
    this.#rules[family].splice(index, 1);
    this.version++;
    return true;
  }

  addRoute(input: RouteInput, table: number = MAIN_TABLE): Route {
    const route = routeOf(input);
    this.table(familyOf(route.destination.address), table).add(route);
    this.version++;
    return route;
  }

  removeRoute(destination: Cidr, table: number = MAIN_TABLE, device?: string): boolean {
    const removed = this.table(familyOf(destination.address), table).remove(destination, device);
    if (removed) this.version++;
    return removed;
  }

  /** Follows the rules (fib_rules_lookup): undefined if no table has a route. `usable` leaves out routes of devices that are down. */
  lookup(key: FlowKey, usable?: (route: Route) => boolean): RouteDecision | undefined {
    const family = familyOf(key.destination);
    for (const rule of this.#rules[family]) {
      if (!matches(rule, key)) continue;
      if (rule.action !== 'lookup') return { rule, route: undefined };
      const route = this.#tables[family].get(rule.table)?.find(key.destination, key.output, usable);
      if (route && route.type !== 'throw') return { rule, route };
    }
    return undefined;
  }
}

function lookupRule(priority: number, table: number): Rule {
  return { priority, action: 'lookup', table };
}
