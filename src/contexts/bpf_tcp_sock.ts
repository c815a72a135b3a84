import { type ContextField, whole } from './field.js';

/** Size of `struct bpf_tcp_sock`. */
export const TCP_SOCK_SIZE = 112;

/** Counters of a TCP connection in the order that bpf_tcp_sock and bpf_sock_ops share. */
export const TCP_COUNTERS = [
  'snd_cwnd',
  'srtt_us',
  'rtt_min',
  'snd_ssthresh',
  'rcv_nxt',
  'snd_nxt',
  'snd_una',
  'mss_cache',
  'ecn_flags',
  'rate_delivered',
  'rate_interval_us',
  'packets_out',
  'retrans_out',
  'total_retrans',
  'segs_in',
  'data_segs_in',
  'segs_out',
  'data_segs_out',
  'lost_out',
  'sacked_out',
] as const;

/** Whole words, but for two 8-byte counters (bpf_tcp_sock_is_valid_access). */
export function tcpSockFields(): ContextField[] {
  const tail = ['dsack_dups', 'delivered', 'delivered_ce', 'icsk_retransmits'];
  return [
    ...TCP_COUNTERS.map((name, index) => whole(name, index * 4)),
    whole('bytes_received', 80, { size: 8 }),
    whole('bytes_acked', 88, { size: 8 }),
    ...tail.map((name, index) => whole(name, 96 + index * 4)),
  ];
}
