/* Ethernet addresses. */
#pragma once
#include "common.h"

INLINE int set_source_mac(struct __sk_buff *skb, const void *mac)
{
	return bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_source), mac, ETH_ALEN, 0) < 0 ? DROP_WRITE_ERROR : 0;
}

INLINE int set_destination_mac(struct __sk_buff *skb, const void *mac)
{
	return bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_dest), mac, ETH_ALEN, 0) < 0 ? DROP_WRITE_ERROR : 0;
}
