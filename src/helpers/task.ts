import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper } from './helper.js';

const pair = (high: number, low: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

const pidTgid: HostHelper = (call) => pair(call.env.task.tgid, call.env.task.pid);
const uidGid: HostHelper = (call) => pair(call.env.task.gid, call.env.task.uid);

/** get_current_comm(buf, size): cut to size - 1, filled up with zeros. */
const comm: HostHelper = (call) => {
  const size = call.u32(2);
  const bytes = new Uint8Array(size);
  bytes.set(new TextEncoder().encode(call.env.task.comm).subarray(0, Math.max(0, size - 1)));
  call.write(call.arg(1), bytes);
  return 0;
};

/** There is no task_struct to point to: NULL, so that following it faults. */
const noTask: HostHelper = () => 0n;

/** Stack helpers: there is no kernel or user stack below the program, which the kernel answers with EFAULT. */
const STACK_FLAGS = 0xffn | 0x100n;
const STACK_ID_FLAGS = STACK_FLAGS | 0x200n | 0x400n;
const STACK_BUILD_FLAGS = STACK_FLAGS | 0x800n;

const stackId: HostHelper = (call) => ((call.arg(3) & ~STACK_ID_FLAGS) !== 0n ? -Errno.EINVAL : -Errno.EFAULT);

const stack: HostHelper = (call: HelperCall) => {
  call.write(call.arg(2), new Uint8Array(call.u32(3)));
  return (call.arg(4) & ~STACK_BUILD_FLAGS) !== 0n ? -Errno.EINVAL : -Errno.EFAULT;
};

/** get_branch_snapshot(entries, size, flags): ENOENT without branch records, as on hardware that has none. */
const branches: HostHelper = (call) => (call.arg(3) !== 0n ? -Errno.EINVAL : -Errno.ENOENT);

/** ima_inode_hash: no integrity measurement. */
const imaHash: HostHelper = () => -Errno.EOPNOTSUPP;

export const TASK_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [14, pidTgid],
  [15, uidGid],
  [16, comm],
  [27, stackId],
  [35, noTask],
  [67, stack],
  [158, noTask],
  [161, imaHash],
  [175, noTask],
  [176, branches],
];
