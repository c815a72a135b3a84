import { type ContextField, packetPointer, pointer, whole } from './field.js';

/** Size of `struct sk_msg_md`. */
export const SK_MSG_SIZE = 80;

/** sk_msg_is_valid_access: whole words and pointers, read only. */
export function skMsgFields(): ContextField[] {
  return [
    packetPointer('data', 0),
    packetPointer('data_end', 8),
    whole('family', 16),
    whole('remote_ip4', 20, { format: 'ipv4' }),
    whole('local_ip4', 24, { format: 'ipv4' }),
    whole('remote_ip6', 28, { count: 4, format: 'ipv6' }),
    whole('local_ip6', 44, { count: 4, format: 'ipv6' }),
    whole('remote_port', 60, { format: 'be16high' }),
    whole('local_port', 64),
    whole('size', 68),
    pointer('sk', 72),
  ];
}
