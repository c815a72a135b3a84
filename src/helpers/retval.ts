import type { HelperCall, HostHelper } from './helper.js';
import { RETVAL } from './hidden.js';

/** cgroup_sockopt programs see the same number as the retval field of their context. */
const SOCKOPT_RETVAL = 36;

function offset(call: HelperCall): number {
  return call.programType === 'cgroup_sockopt' ? SOCKOPT_RETVAL : RETVAL;
}

/** get_retval(): what set_retval stored, 0 before. */
const getRetval: HostHelper = (call) => call.context.getInt32(offset(call), true);

/** set_retval(int): any number is taken. */
const setRetval: HostHelper = (call) => {
  call.context.setInt32(offset(call), call.s32(1), true);
  return 0;
};

export const RETVAL_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [186, getRetval],
  [187, setRetval],
];
