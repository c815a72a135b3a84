import type { RunEnvironment } from '../helpers/helper.js';

/** Ambient inputs of a machine, all explicit: the same inputs give the same outcome. */
export interface MachineInputs {
  /** Possible CPUs (per-CPU maps, perf arrays without size). */
  cpus: number;
  /** CPU the program runs on. */
  cpu: number;
  /** CLOCK_MONOTONIC at the start of a run, ns. */
  clock: bigint;
  /** ns added by every read of the clock. */
  clockStep: bigint;
  /** Seed of the random number generator, not 0. */
  seed: bigint;
  /** Instructions a run may execute before it ends in a fault. */
  budget: bigint;
}

export const DEFAULT_INPUTS: Readonly<MachineInputs> = {
  cpus: 1,
  cpu: 0,
  clock: 1_000_000_000_000n,
  clockStep: 0n,
  seed: 0x9e3779b97f4a7c15n,
  budget: 100_000_000n,
};

/** The network namespace of BPF_PROG_TEST_RUN in an empty namespace: lo alone, no routes, no sockets. */
export function defaultEnvironment(): RunEnvironment {
  return {
    devices: [{ ifindex: 1, name: 'lo', mac: new Uint8Array(6), mtu: 65536, up: true, forwarding: false }],
    routes: [],
    neighbours: [],
    sockets: [],
    netnsCookie: 1n,
    cgroupId: 1n,
    task: { pid: 1, tgid: 1, uid: 0, gid: 0, comm: 'offkernel' },
  };
}
