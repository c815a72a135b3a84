/* The ARP responder: a Pod's gateway, and everything behind it, has the MAC address of the host's end of its device. */
#pragma once
#include "ethernet.h"
#include "events.h"

/* Answers a request on the device it came from; everything else passes. Returns a verdict or a drop reason. */
INLINE int answer_arp(struct __sk_buff *skb)
{
	union macaddr own = config_mac(&CONFIG(interface_mac));
	struct arp_message message;
	__u8 requester[ETH_ALEN];
	__be32 address;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &message, sizeof(message)) < 0)
		return DROP_INVALID;
	if (message.operation != bpf_htons(ARP_REQUEST) || message.hardware != bpf_htons(ARP_ETHERNET) ||
	    message.target == CONFIG(endpoint_ipv4).be32)
		return TC_ACT_OK;
	__builtin_memcpy(requester, message.sender_mac, ETH_ALEN);
	address = message.target;
	message.operation = bpf_htons(ARP_REPLY);
	message.target = message.sender;
	message.sender = address;
	__builtin_memcpy(message.target_mac, requester, ETH_ALEN);
	__builtin_memcpy(message.sender_mac, own.addr, ETH_ALEN);
	if (set_destination_mac(skb, requester) < 0 || set_source_mac(skb, own.addr) < 0 ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &message, sizeof(message), 0) < 0)
		return DROP_WRITE_ERROR;
	return bpf_redirect(skb->ifindex, 0);
}
