/* Host routing: to the next hop by the kernel's routing table, past its stack. Included per family. */

INLINE void FN(set_fib_addresses)(struct bpf_fib_lookup *fib, const FN(address) *source, const FN(address) *destination)
{
#if FAMILY == 4
	fib->family = AF_INET;
	fib->ipv4_src = *source;
	fib->ipv4_dst = *destination;
#else
	fib->family = AF_INET6;
	__builtin_memcpy(fib->ipv6_src, source, sizeof(*source));
	__builtin_memcpy(fib->ipv6_dst, destination, sizeof(*destination));
#endif
}

/* Looks up the route of a packet that came in on the program's device. Returns the kernel's BPF_FIB_LKUP_RET_*. */
INLINE int FN(find_route)(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const FN(address) *source,
			  const FN(address) *destination)
{
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->ifindex = skb->ifindex;
	FN(set_fib_addresses)(fib, source, destination);
	return bpf_fib_lookup(skb, fib, sizeof(*fib), 0);
}

/* Sends a packet along its route. Returns a verdict or DROP_NO_FIB with *result the kernel's answer. */
INLINE int FN(redirect_by_route)(struct __sk_buff *skb, const FN(address) *source, const FN(address) *destination, __u8 direction,
				 __u32 *ifindex, int *result)
{
	struct bpf_redir_neigh next_hop = {};
	struct bpf_fib_lookup fib;
	int ret;

	*result = FN(find_route)(skb, &fib, source, destination);
	if (*result != BPF_FIB_LKUP_RET_SUCCESS && *result != BPF_FIB_LKUP_RET_NO_NEIGH)
		return DROP_NO_FIB;
	*ifindex = fib.ifindex;
	if (*result == BPF_FIB_LKUP_RET_SUCCESS) {
		ret = FN(route)(skb, fib.smac, fib.dmac, direction);
		return ret < 0 ? ret : bpf_redirect(fib.ifindex, 0);
	}
	/* The kernel asks for the neighbour; the look-up left the next hop in the place of the destination. */
	ret = FN(decrement_ttl)(skb, direction);
	if (ret < 0)
		return ret;
	next_hop.nh_family = fib.family;
	if (fib.family == AF_INET)
		next_hop.ipv4_nh = fib.ipv4_dst;
	else
		__builtin_memcpy(next_hop.ipv6_nh, fib.ipv6_dst, sizeof(next_hop.ipv6_nh));
	return bpf_redirect_neigh(fib.ifindex, &next_hop, sizeof(next_hop), 0);
}
