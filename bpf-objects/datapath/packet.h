/* Reads the headers of a packet. Included per family. */

/* What the look-ups need of a packet; the tuple has the order of the wire and no ports until load_ports. */
struct FN(packet) {
	struct FN(ct_tuple) tuple __attribute__((aligned(8)));
	__u32 l4; /* offset of the L4 header */
	bool has_l4; /* false for all but the first fragment */
#if FAMILY == 4
	struct iphdr ip;
#endif
};

#if FAMILY == 6
#define MOST_EXTENSION_HEADERS 4

/* Offset of the L4 header behind extension headers, whose protocol replaces *next; or a drop reason. */
INLINE int skip_extension_headers(struct __sk_buff *skb, __u8 *next)
{
	int offset = ETH_HLEN + sizeof(struct ipv6hdr);

	for (int i = 0; i < MOST_EXTENSION_HEADERS; i++) {
		struct ipv6_opt_hdr header;

		switch (*next) {
		case IPPROTO_NONE:
			return DROP_INVALID_EXTHDR;
		case IPPROTO_FRAGMENT:
			return DROP_FRAG_NOSUPPORT;
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_AH:
		case IPPROTO_DSTOPTS:
			if (bpf_skb_load_bytes(skb, offset, &header, sizeof(header)) < 0)
				return DROP_INVALID;
			/* AH counts words of 4 bytes and starts at 2, the others words of 8 and start at 1. */
			offset += *next == IPPROTO_AH ? (header.hdrlen + 2) << 2 : (header.hdrlen + 1) << 3;
			*next = header.nexthdr;
			break;
		default:
			return offset;
		}
	}
	return DROP_INVALID_EXTHDR;
}
#endif

/* Reads the network header. Returns 0 or a drop reason. */
INLINE int FN(parse)(struct __sk_buff *skb, struct FN(packet) *packet)
{
#if FAMILY == 4
	struct iphdr *ip = &packet->ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, ip, sizeof(*ip)) < 0 || ip->ihl < 5)
		return DROP_INVALID;
	packet->tuple.daddr = ip->daddr;
	packet->tuple.saddr = ip->saddr;
	packet->tuple.nexthdr = ip->protocol;
	packet->l4 = ETH_HLEN + ip->ihl * 4;
	packet->has_l4 = has_l4_header(ip);
#else
	int l4;

	packet->tuple.nexthdr = 0;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, nexthdr), &packet->tuple.nexthdr, 1) < 0 ||
	    bpf_skb_load_bytes(skb, L3_SADDR, &packet->tuple.saddr, 16) < 0 ||
	    bpf_skb_load_bytes(skb, L3_DADDR, &packet->tuple.daddr, 16) < 0)
		return DROP_INVALID;
	l4 = skip_extension_headers(skb, &packet->tuple.nexthdr);
	if (l4 < 0)
		return l4;
	packet->l4 = l4;
	packet->has_l4 = true;
#endif
	packet->tuple.dport = 0;
	packet->tuple.sport = 0;
	packet->tuple.flags = 0;
	return 0;
}

/* Reads the source and destination port, also for fragments. Returns 0 or a drop reason. */
INLINE int FN(read_ports)(struct __sk_buff *skb, const struct FN(packet) *packet, __u8 direction, struct fragment_ports *ports)
{
#if FAMILY == 4
	if (is_fragment(&packet->ip))
		return track_fragment(skb, &packet->ip, packet->l4, direction, ports);
#endif
	return bpf_skb_load_bytes(skb, packet->l4, ports, sizeof(*ports)) < 0 ? DROP_CT_INVALID_HDR : 0;
}

INLINE bool FN(has_ports)(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

#if FAMILY == 4
INLINE bool is_icmp_error4(__u8 type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

INLINE bool is_echo_request4(__u8 type)
{
	return type == ICMP_ECHO;
}

INLINE bool is_echo_reply4(__u8 type)
{
	return type == ICMP_ECHOREPLY;
}
#else
INLINE bool is_icmp_error6(__u8 type)
{
	return type == ICMPV6_DEST_UNREACH || type == ICMPV6_PKT_TOOBIG || type == ICMPV6_TIME_EXCEED || type == ICMPV6_PARAMPROB;
}

INLINE bool is_echo_request6(__u8 type)
{
	return type == ICMPV6_ECHO_REQUEST;
}

INLINE bool is_echo_reply6(__u8 type)
{
	return type == ICMPV6_ECHO_REPLY;
}
#endif

/* Type and echo identifier (0 for other types) of an ICMP message. */
INLINE int FN(read_icmp)(struct __sk_buff *skb, const struct FN(packet) *packet, __u8 *type, __be16 *identifier)
{
	*identifier = 0;
	if (bpf_skb_load_bytes(skb, packet->l4, type, 1) < 0)
		return DROP_CT_INVALID_HDR;
	if ((FN(is_echo_request)(*type) || FN(is_echo_reply)(*type)) && bpf_skb_load_bytes(skb, packet->l4 + 4, identifier, 2) < 0)
		return DROP_CT_INVALID_HDR;
	return 0;
}

/* The port that policies are asked about: of the destination, or the ICMP type where rules may name one. */
INLINE __be16 FN(policy_port)(struct __sk_buff *skb, const struct FN(packet) *packet)
{
	__u8 type;

	if (!CONFIG(enable_icmp_rule) || packet->tuple.nexthdr != ICMP_PROTOCOL || bpf_skb_load_bytes(skb, packet->l4, &type, 1) < 0)
		return packet->tuple.dport;
	return bpf_htons(type);
}
