import { CGROUP_HELPERS } from './cgroup.js';
import { DYNPTR_HELPERS } from './dynptr.js';
import { FIB_HELPERS } from './fib.js';
import type { HostHelper } from './helper.js';
import { PERF_HELPERS } from './perf.js';
import { PRINT_HELPERS } from './print.js';
import { PROBE_HELPERS } from './probe.js';
import { RETVAL_HELPERS } from './retval.js';
import { SK_STORAGE_HELPERS } from './sk-storage.js';
import { SOCK_OPS_HELPERS } from './sock-ops.js';
import { SOCKET_OPTION_HELPERS } from './socket-options.js';
import { SOCKET_HELPERS } from './sockets.js';
import { STRING_HELPERS } from './strings.js';
import { SYNCOOKIE_HELPERS } from './syncookies.js';
import { TASK_HELPERS } from './task.js';
import { TIMER_HELPERS } from './timers.js';

/** Helpers implemented in TypeScript, by id: the ones that table.ts calls 'host'. */
export const HOST_HELPERS: ReadonlyMap<number, HostHelper> = new Map([
  ...CGROUP_HELPERS,
  ...DYNPTR_HELPERS,
  ...FIB_HELPERS,
  ...PERF_HELPERS,
  ...PRINT_HELPERS,
  ...PROBE_HELPERS,
  ...RETVAL_HELPERS,
  ...SK_STORAGE_HELPERS,
  ...SOCK_OPS_HELPERS,
  ...SOCKET_OPTION_HELPERS,
  ...SOCKET_HELPERS,
  ...STRING_HELPERS,
  ...SYNCOOKIE_HELPERS,
  ...TASK_HELPERS,
  ...TIMER_HELPERS,
]);
