import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper } from './helper.js';
import { viewOf, word } from './memory.js';

/** CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME. */
const CLOCKS = new Set([0n, 1n, 7n]);
/** BPF_F_TIMER_ABS | BPF_F_TIMER_CPU_PIN. */
const START_FLAGS = 3n;
const TIMER_SIZE = 16;

/** What the 16 bytes of struct bpf_timer hold here; programs cannot look into them. */
interface Timer {
  map: number;
  callback: number;
  isInitialised: boolean;
  isActive: boolean;
}

function load(call: HelperCall): Timer {
  const view = viewOf(call.read(call.arg(1), TIMER_SIZE));
  const state = view.getUint32(8, true);
  return {
    map: view.getUint32(0, true),
    callback: view.getUint32(4, true),
    isInitialised: (state & 1) !== 0,
    isActive: (state & 2) !== 0,
  };
}

function store(call: HelperCall, timer: Timer): void {
  const state = (timer.isInitialised ? 1n : 0n) | (timer.isActive ? 2n : 0n);
  const targets = BigInt(timer.map) | (BigInt(timer.callback) << 32n);
  call.write(call.arg(1), Uint8Array.from([...word(targets), ...word(state)]));
}

/** timer_init(timer, map, flags): flags is the clock; EBUSY the second time. */
const init: HostHelper = (call) => {
  if (!CLOCKS.has(call.arg(3))) return -Errno.EINVAL;
  if (load(call).isInitialised) return -Errno.EBUSY;
  store(call, { map: call.u32(2), callback: 0, isInitialised: true, isActive: false });
  return 0;
};

/** timer_set_callback(timer, callback). */
const setCallback: HostHelper = (call) => {
  const timer = load(call);
  if (!timer.isInitialised) return -Errno.EINVAL;
  store(call, { ...timer, callback: call.u32(2) });
  return 0;
};

/** timer_start(timer, ns, flags): the timer is active until it is cancelled; it does not fire by itself. */
const start: HostHelper = (call) => {
  const flags = call.arg(3);
  if ((flags & ~START_FLAGS) !== 0n) return -Errno.EINVAL;
  const timer = load(call);
  if (!timer.isInitialised || timer.callback === 0) return -Errno.EINVAL;
  store(call, { ...timer, isActive: true });
  call.timerStarted?.({
    timer: call.arg(1),
    map: BigInt(timer.map),
    callback: BigInt(timer.callback),
    nanoseconds: call.arg(2),
    flags,
  });
  return 0;
};

/** timer_cancel(timer): 1 if it was active; the callback is forgotten. */
const cancel: HostHelper = (call) => {
  const timer = load(call);
  if (!timer.isInitialised) return -Errno.EINVAL;
  store(call, { ...timer, callback: 0, isActive: false });
  return timer.isActive ? 1 : 0;
};

export const TIMER_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [169, init],
  [170, setCallback],
  [171, start],
  [172, cancel],
];
