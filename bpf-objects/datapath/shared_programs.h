/* Tail-called programs that every tc object has. */
#pragma once

SEC("tc")
int tail_drop_notify(struct __sk_buff *skb)
{
	emit_drop(skb);
	return (__u8)get_cb(skb, 4);
}

SEC("tc")
int tail_icmp4_send_time_exceeded(struct __sk_buff *skb)
{
	int ret;

	report_expired(skb);
	ret = send_time_exceeded4(skb);
	return ret < 0 ? TC_ACT_SHOT : ret;
}

SEC("tc")
int tail_icmp6_send_time_exceeded(struct __sk_buff *skb)
{
	int ret;

	report_expired(skb);
	ret = send_time_exceeded6(skb);
	return ret < 0 ? TC_ACT_SHOT : ret;
}
