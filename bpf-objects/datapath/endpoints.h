/* Who has an address: local endpoints and identities. Included per family. */

INLINE struct endpoint_info *FN(find_endpoint)(const FN(address) *address)
{
	struct endpoint_key key = { .family = ENDPOINT_FAMILY };

	key.FN(ip) = *address;
	return bpf_map_lookup_elem(&cilium_lxc, &key);
}

INLINE struct remote_endpoint_info *FN(find_identity)(const FN(address) *address)
{
	struct ipcache_key key = { .lpm_key.prefixlen = IPCACHE_PREFIX, .family = ENDPOINT_FAMILY };

	key.FN(ip) = *address;
	return bpf_map_lookup_elem(&cilium_ipcache, &key);
}

/* Identity of an address, `otherwise` if nobody knows it. */
INLINE __u32 FN(identity_of)(const FN(address) *address, __u32 otherwise)
{
	struct remote_endpoint_info *info = FN(find_identity)(address);

	return info && info->sec_label ? info->sec_label : otherwise;
}

/*
 * Identity of a packet's source. One that came with the packet is better than the ipcache's, unless it is a reserved one. Masqueraded
 * traffic has the host's address, so the ipcache is not believed when it says host.
 */
INLINE __u32 FN(resolve_source)(const FN(address) *source, __u32 claimed)
{
	__u32 identity;

	if (!is_reserved_identity(claimed))
		return claimed;
	identity = FN(identity_of)(source, HOST_ID);
	return identity == HOST_ID ? claimed : identity;
}

/* Node behind which an address lives, from the ipcache or by prefix; 0 if none. */
INLINE __be32 FN(find_tunnel_endpoint)(const FN(address) *address)
{
	struct remote_endpoint_info *info = FN(find_identity)(address);
	struct endpoint_key key = { .family = ENDPOINT_FAMILY }, *prefix;

	if (info && info->tunnel_endpoint)
		return info->tunnel_endpoint;
	key.FN(ip) = *address;
#if FAMILY == 4
	key.ip4 &= CONFIG(pod_cidr_ipv4_mask).be32;
#else
	key.ip6.p4 = 0;
#endif
	prefix = bpf_map_lookup_elem(&cilium_tunnel_map, &key);
	return prefix ? prefix->ip4 : 0;
}
