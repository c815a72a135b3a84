import { type ContextField, type FieldOptions, field, whole } from './field.js';

/** Size of `struct bpf_sock`. */
export const SOCK_SIZE = 80;

/** Programs that set up a socket: they may write its device, mark and priority, and see no local address yet. */
const CREATORS = new Set(['cgroup_inet_sock_create', 'cgroup_inet_sock_release']);

const HIDDEN: FieldOptions = { reads: [] };
/** Narrow reads begin at the field's first byte and nowhere else (bpf_sock_is_valid_access). */
const AT_START: FieldOptions = { narrowEnd: 1 };

/**
 * `attachType` of a cgroup_sock program decides what it may write and which local address it sees
 * (sock_filter_is_valid_access); undefined = a socket that a look-up or `sk_fullsock` handed out.
 */
export function sockFields(attachType: string | undefined): ContextField[] {
  const isLookedUp = attachType === undefined;
  const creator: FieldOptions = attachType !== undefined && CREATORS.has(attachType) ? { writes: [4] } : HIDDEN;
  const owner: FieldOptions = isLookedUp ? {} : creator;
  const sees4 = isLookedUp || attachType === 'cgroup_inet4_post_bind';
  const sees6 = isLookedUp || attachType === 'cgroup_inet6_post_bind';
  return [
    whole('bound_dev_if', 0, owner),
    field('family', 4, { ...AT_START, backing: 2 }),
    field('type', 8, { ...AT_START, backing: 2 }),
    field('protocol', 12, { ...AT_START, backing: 2 }),
    whole('mark', 16, owner),
    whole('priority', 20, owner),
    field('src_ip4', 24, { ...(sees4 ? {} : HIDDEN), format: 'ipv4' }),
    field('src_ip6', 28, { ...(sees6 ? {} : HIDDEN), count: 4, format: 'ipv6' }),
    field('src_port', 44, { ...AT_START, ...(sees4 || sees6 ? {} : HIDDEN), backing: 2 }),
    field('dst_port', 48, { narrowEnd: 2, backing: 2, format: 'be16' }),
    field('dst_ip4', 52, { format: 'ipv4' }),
    field('dst_ip6', 56, { count: 4, format: 'ipv6' }),
    field('state', 72, { ...AT_START, backing: 1 }),
    // -1 for a socket without a queue: the kernel widens its 16-bit field itself.
    field('rx_queue_mapping', 76, AT_START),
  ];
}
