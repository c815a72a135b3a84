import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper } from './helper.js';

/** Id of the root of the cgroup hierarchy. */
const ROOT = 1n;

/** The cgroup of the environment lies directly below the root, or is the root. */
function ancestor(call: HelperCall, level: number): bigint {
  if (level === 0) return ROOT;
  return level === 1 && call.env.cgroupId !== ROOT ? call.env.cgroupId : 0n;
}

const id: HostHelper = (call) => call.env.cgroupId;
/** No net_cls cgroup and no route realm: 0, as under BPF_PROG_TEST_RUN. */
const none: HostHelper = () => 0;

/** Index checks of cgroup arrays; their slots hold file descriptors of cgroups, so they stay empty here. */
function under(call: HelperCall, map: bigint, index: number): number {
  const info = call.mapAt?.(map);
  if (info && index >= info.maxEntries) return -Errno.E2BIG;
  return -Errno.EAGAIN;
}

export const CGROUP_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [17, none],
  [24, none],
  [33, (call) => under(call, call.arg(2), call.u32(3))],
  [37, (call) => under(call, call.arg(1), call.u32(2))],
  [79, id],
  [80, id],
  [83, (call) => ancestor(call, call.s32(2))],
  [123, (call) => ancestor(call, call.s32(1))],
  [128, id],
  [129, (call) => ancestor(call, call.s32(2))],
  [151, none],
];
