import { decodeContext } from '../contexts/context.js';
import type { Outcome, Program, RunInput } from '../machine/machine.js';
import { formatAddress } from '../packet/addresses.js';
import { u16 } from '../packet/bytes.js';
import type { Hook, HookResult, HookView } from './hooks.js';
import type { Namespace } from './namespace.js';
import type { Skb, SkbFields } from './skb.js';
import type { AddressHook, AddressHookView, SocketAddress } from './sockets.js';

/** What a run may be asked for besides its result. */
export type HookRunOptions = Pick<RunInput, 'recordMaps' | 'recordAccesses' | 'trace' | 'coverage'>;

const AF_INET = 2;
const AF_INET6 = 10;
/** Offsets in struct bpf_sock_addr. */
const SOCK_ADDR = { ip4: 4, ip6: 8, port: 24 };
/** Offsets in struct xdp_md. */
const XDP_MD = { data: 0, metadata: 8 };

/** Lets helpers see the namespace a program runs in. */
function enter(program: Program, namespace: Namespace): void {
  if (program.object.machine === namespace.host.machine) namespace.host.enter(namespace);
}

/** The skb's state as context fields (struct __sk_buff). */
export function contextOf(skb: Skb, ifindex: number): Record<string, unknown> {
  return {
    mark: skb.mark,
    priority: skb.priority,
    cb: skb.cb,
    tc_index: skb.tcIndex,
    queue_mapping: skb.queueMapping,
    tstamp: skb.tstamp,
    tstamp_type: skb.tstampType,
    pkt_type: skb.packetType,
    protocol: skb.protocol,
    hash: skb.hash,
    vlan_present: skb.vlan ? 1 : 0,
    vlan_tci: skb.vlan?.tci ?? 0,
    vlan_proto: skb.vlan?.protocol ?? 0,
    ingress_ifindex: skb.ingressIfindex,
    ifindex,
  };
}

/** Takes the state that a program left behind. */
function takeContext(skb: SkbFields, fields: Readonly<Record<string, unknown>>): void {
  const number = (name: string): number => Number(fields[name]);
  skb.mark = number('mark');
  skb.priority = number('priority');
  skb.cb = [...(fields.cb as number[])];
  skb.tcIndex = number('tc_index');
  skb.queueMapping = number('queue_mapping');
  skb.tstamp = fields.tstamp as bigint;
  skb.tstampType = number('tstamp_type');
  skb.packetType = number('pkt_type');
  skb.protocol = number('protocol');
  skb.hash = number('hash');
  skb.vlan = number('vlan_present') ? { protocol: number('vlan_proto'), tci: number('vlan_tci') } : undefined;
}

/** A program with what its runs are asked for. */
class ProgramRunner {
  readonly program: Program;
  protected readonly options: HookRunOptions;

  constructor(program: Program, options: HookRunOptions = {}) {
    this.program = program;
    this.options = options;
  }

  get name(): string {
    return this.program.name;
  }
}

/** A program of a machine on a device: sched_cls (or sched_act) at tc, xdp at xdp. */
export class ProgramHook extends ProgramRunner implements Hook {
  run(skb: Skb, view: HookView): HookResult {
    enter(this.program, view.device.namespace);
    return view.point === 'xdp' ? this.#runXdp(skb, view) : this.#runTc(skb, view);
  }

  #runTc(skb: Skb, view: HookView): HookResult {
    const { program } = this;
    const outcome = program.run({
      ...this.options,
      packet: skb.bytes,
      context: contextOf(skb, view.device.ifindex),
      clock: view.now,
      socket: skb.socket ?? null,
      skb: { atIngress: view.point === 'tc-ingress', tunnel: skb.tunnel, metadata: skb.metadata },
    });
    const fields = program.decodeContext(outcome);
    takeContext(skb, fields);
    skb.bytes = outcome.packet ?? skb.bytes;
    if (outcome.tunnel) skb.tunnel = { direction: 'send', metadata: outcome.tunnel };
    if (outcome.assignedSocket) skb.socket = outcome.assignedSocket;
    return {
      verdict: outcome.retval | 0,
      verdictName: outcome.verdict,
      redirect: outcome.redirect,
      classId: Number(fields.tc_classid),
      clones: this.#clones(skb, outcome, view),
      outcome,
    };
  }

  /** Copies as clone_redirect made them: with the skb's state at that moment. */
  #clones(skb: Skb, outcome: Outcome, view: HookView): NonNullable<HookResult['clones']> {
    return outcome.events.flatMap((event) => {
      if (event.kind !== 'clone') return [];
      const copy = view.device.namespace.newSkb(event.packet, `clone_redirect of ${this.name}`, skb.id);
      Object.assign(copy, skb.fields(), { passes: skb.passes });
      takeContext(copy, decodeContext(this.program.contextType, event.context));
      if (event.tunnel) copy.tunnel = { direction: 'send', metadata: event.tunnel };
      return [{ ifindex: event.ifindex, ingress: event.ingress, skb: copy }];
    });
  }

  #runXdp(skb: Skb, view: HookView): HookResult {
    const outcome = this.program.run({
      ...this.options,
      packet: skb.wireBytes,
      context: { ingress_ifindex: view.device.ifindex },
      clock: view.now,
    });
    const context = new DataView(outcome.context.buffer, outcome.context.byteOffset);
    const length = context.getUint32(XDP_MD.data, true) - context.getUint32(XDP_MD.metadata, true);
    const bytes = outcome.packet ?? skb.wireBytes;
    skb.vlan = undefined;
    skb.metadata = bytes.slice(0, length);
    skb.bytes = bytes.slice(length);
    return { verdict: outcome.retval, verdictName: outcome.verdict, redirect: outcome.redirect, outcome };
  }
}

/** A cgroup_sock_addr program on the addresses of system calls. */
export class ProgramAddressHook extends ProgramRunner implements AddressHook {
  run(address: SocketAddress, view: AddressHookView): { allowed: boolean; outcome: Outcome } {
    enter(this.program, view.namespace);
    const { socket } = address;
    const isIp4 = address.address.length === 4;
    const outcome = this.program.run({
      ...this.options,
      clock: view.now,
      socket,
      context: {
        user_family: isIp4 ? AF_INET : AF_INET6,
        [isIp4 ? 'user_ip4' : 'user_ip6']: formatAddress(address.address),
        user_port: address.port,
        family: socket.family,
        type: socket.type,
        protocol: socket.protocol,
      },
    });
    const allowed = outcome.retval === 1 && !outcome.fault;
    if (allowed) {
      const at = isIp4 ? SOCK_ADDR.ip4 : SOCK_ADDR.ip6;
      address.address = outcome.context.slice(at, at + address.address.length);
      address.port = u16(outcome.context, SOCK_ADDR.port);
    }
    return { allowed, outcome };
  }
}
