/* skb->mark: how programs and the host's stack tell each other whose packet it is. */
#pragma once
#include "tailcalls.h"

enum {
	MARK_MASK = 0x0f00,
	MARK_TO_PROXY = 0x0200,
	MARK_SNAT_DONE = 0x1500,
	MARK_PROXY_EGRESS_EPID = 0x0900,
	MARK_PROXY_INGRESS = 0x0a00,
	MARK_PROXY_EGRESS = 0x0b00,
	MARK_HOST = 0x0c00,
	MARK_IDENTITY = 0x0f00,
};

INLINE void set_identity_mark(struct __sk_buff *skb, __u32 identity)
{
	skb->mark = MARK_IDENTITY | (identity & 0xffff) << 16 | (identity >> 16 & 0xff);
}

INLINE __u32 identity_of_mark(__u32 mark)
{
	return (mark & 0xff) << 16 | mark >> 16;
}

/* Identity of a packet from the stack; the mark is cleared so that it does not hit routing rules again. Returns the magic. */
INLINE __u32 take_mark(struct __sk_buff *skb, __u32 *identity)
{
	__u32 mark = skb->mark, magic = mark & MARK_MASK;

	switch (magic) {
	case MARK_PROXY_INGRESS:
		skb->tc_index |= SKIP_INGRESS_PROXY;
		*identity = identity_of_mark(mark);
		break;
	case MARK_PROXY_EGRESS:
		skb->tc_index |= SKIP_EGRESS_PROXY;
		*identity = identity_of_mark(mark);
		break;
	case MARK_IDENTITY:
		*identity = identity_of_mark(mark);
		break;
	case MARK_HOST:
		*identity = HOST_ID;
		break;
	case MARK_PROXY_EGRESS_EPID:
		*identity = mark >> 16; /* an endpoint id */
		break;
	default:
		*identity = WORLD_ID;
	}
	skb->mark = 0;
	return magic;
}

INLINE bool is_snat_done(struct __sk_buff *skb)
{
	return (skb->mark & MARK_SNAT_DONE) == MARK_SNAT_DONE;
}

/* Hands a packet to a proxy on this host: the port is as stored in the policy, network order. */
INLINE int to_proxy(struct __sk_buff *skb, __be16 port)
{
	skb->mark = MARK_TO_PROXY | (__u32)port << 16;
	bpf_skb_change_type(skb, PACKET_HOST);
	return TC_ACT_OK;
}
