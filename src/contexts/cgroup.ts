import { type ContextField, field, pointer, whole } from './field.js';

/** Size of `struct bpf_cgroup_dev_ctx`. */
export const CGROUP_DEVICE_SIZE = 12;
/** Size of `struct bpf_sysctl`. */
export const SYSCTL_SIZE = 8;
/** Size of `struct bpf_sockopt`. */
export const SOCKOPT_SIZE = 40;

/** cgroup_dev_is_valid_access. */
export function cgroupDeviceFields(): ContextField[] {
  return [field('access_type', 0), whole('major', 4), whole('minor', 8)];
}

/** sysctl_is_valid_access. */
export function sysctlFields(): ContextField[] {
  return [field('write', 0), field('file_pos', 4, { writes: [4] })];
}

/** cg_sockopt_is_valid_access: getsockopt may change the length and result, setsockopt level, name and length. */
export function sockoptFields(attachType: string | undefined): ContextField[] {
  const isGet = attachType !== 'cgroup_setsockopt';
  const isSet = attachType !== 'cgroup_getsockopt';
  const request = isSet ? { writes: [4] } : {};
  return [
    pointer('sk', 0),
    pointer('optval', 8),
    pointer('optval_end', 16),
    whole('level', 24, request),
    whole('optname', 28, request),
    whole('optlen', 32, { writes: [4] }),
    whole('retval', 36, isGet ? { writes: [4] } : { reads: [] }),
  ];
}
