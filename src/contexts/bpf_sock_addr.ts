import { type ContextField, type FieldOptions, field, pointer, whole } from './field.js';

/** Size of `struct bpf_sock_addr`. */
export const SOCK_ADDR_SIZE = 72;

const HIDDEN: FieldOptions = { reads: [] };
const WORD: FieldOptions = { reads: [1, 2, 4], writes: [4] };
const WORDS: FieldOptions = { reads: [1, 2, 4, 8], writes: [4, 8] };

/**
 * What an attach type may touch (sock_addr_is_valid_access): addresses of its own family only, the source address of a
 * message only when sending. Unix socket hooks (`cgroup_unix_*`) see no address. Undefined: everything.
 */
export function sockAddrFields(attachType: string | undefined): ContextField[] {
  const isAny = attachType === undefined;
  const isV4 = isAny || /inet4|udp4/.test(attachType);
  const isV6 = isAny || /inet6|udp6/.test(attachType);
  const isSending = isAny || attachType.includes('sendmsg');
  return [
    whole('user_family', 0),
    field('user_ip4', 4, { ...(isV4 ? WORD : HIDDEN), format: 'ipv4' }),
    field('user_ip6', 8, { ...(isV6 ? WORDS : HIDDEN), count: 4, format: 'ipv6' }),
    field('user_port', 24, { ...WORD, backing: 2, format: 'be16' }),
    whole('family', 28),
    whole('type', 32),
    whole('protocol', 36),
    field('msg_src_ip4', 40, { ...(isV4 && isSending ? WORD : HIDDEN), format: 'ipv4' }),
    field('msg_src_ip6', 44, { ...(isV6 && isSending ? WORDS : HIDDEN), count: 4, format: 'ipv6' }),
    pointer('sk', 64),
  ];
}
