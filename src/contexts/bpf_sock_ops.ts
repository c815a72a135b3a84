import { TCP_COUNTERS } from './bpf_tcp_sock.js';
import { type ContextField, field, NARROW, packetPointer, pointer, whole } from './field.js';

/** Size of `struct bpf_sock_ops`. */
export const SOCK_OPS_SIZE = 224;

/** Whole words, but for the counters, pointers and TCP flags at the end (sock_ops_is_valid_access). */
export function sockOpsFields(): ContextField[] {
  const [cwnd, srtt, ...counters] = TCP_COUNTERS;
  const names = [cwnd, srtt, 'bpf_sock_ops_cb_flags', 'state', ...counters];
  return [
    whole('op', 0),
    // The union of args and reply: only reply, the first word, may be written.
    whole('reply', 4, { writes: [4] }),
    whole('args', 8, { count: 3 }),
    whole('family', 20),
    whole('remote_ip4', 24, { format: 'ipv4' }),
    whole('local_ip4', 28, { format: 'ipv4' }),
    whole('remote_ip6', 32, { count: 4, format: 'ipv6' }),
    whole('local_ip6', 48, { count: 4, format: 'ipv6' }),
    whole('remote_port', 64, { format: 'be16high' }),
    whole('local_port', 68),
    whole('is_fullsock', 72),
    ...names.map((name, index) => whole(name, 76 + index * 4)),
    whole('sk_txhash', 164, { writes: [4] }),
    whole('bytes_received', 168, { size: 8 }),
    whole('bytes_acked', 176, { size: 8 }),
    pointer('sk', 184),
    packetPointer('skb_data', 192),
    packetPointer('skb_data_end', 200),
    whole('skb_len', 208),
    field('skb_tcp_flags', 212, { reads: NARROW, backing: 1, narrowEnd: 1 }),
    whole('skb_hwtstamp', 216, { size: 8 }),
  ];
}
