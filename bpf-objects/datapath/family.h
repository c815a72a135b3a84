/*
 * The address family being compiled. Whoever needs both includes the family's headers twice, with FAMILY defined as 4 and as 6:
 * they have no include guards. FN(name) is name4 or name6, FAMILY_NAME(cilium_lb, _affinity) is cilium_lb4_affinity or its twin.
 */
#undef ICMP_PROTOCOL
#undef L3_DADDR
#undef L3_SADDR
#undef IPCACHE_PREFIX
#undef ENDPOINT_FAMILY

#ifndef FN
#define FN(name) CONCAT(name, FAMILY)
#define FAMILY_NAME_(prefix, family, suffix) prefix##family##suffix
#define FAMILY_NAME__(prefix, family, suffix) FAMILY_NAME_(prefix, family, suffix)
#define FAMILY_NAME(prefix, suffix) FAMILY_NAME__(prefix, FAMILY, suffix)
#define IS_IPV6 (FAMILY == 6)
#endif

#if FAMILY == 4
#define ICMP_PROTOCOL IPPROTO_ICMP
#define L3_SADDR (ETH_HLEN + offsetof(struct iphdr, saddr))
#define L3_DADDR (ETH_HLEN + offsetof(struct iphdr, daddr))
#define IPCACHE_PREFIX 64 /* 32 bits of fixed fields come first */
#define ENDPOINT_FAMILY ENDPOINT_KEY_4

typedef __be32 address4;

INLINE bool same4(const address4 *a, const address4 *b)
{
	return *a == *b;
}

/* Value of a configuration variable as an address of the family. */
INLINE address4 config_address4(const volatile union v4addr *from)
{
	return from->be32;
}

#else
#define ICMP_PROTOCOL IPPROTO_ICMPV6
#define L3_SADDR (ETH_HLEN + offsetof(struct ipv6hdr, saddr))
#define L3_DADDR (ETH_HLEN + offsetof(struct ipv6hdr, daddr))
#define IPCACHE_PREFIX 160
#define ENDPOINT_FAMILY ENDPOINT_KEY_6

typedef union v6addr address6;

INLINE bool same6(const address6 *a, const address6 *b)
{
	return a->p1 == b->p1 && a->p2 == b->p2 && a->p3 == b->p3 && a->p4 == b->p4;
}

INLINE address6 config_address6(const volatile union v6addr *from)
{
	return config6(from);
}
#endif

/* A configured address of the family: FAMILY_CONFIG(nat_ipv, _masquerade) */
#ifndef FAMILY_CONFIG
#define FAMILY_CONFIG(prefix, suffix) FN(config_address)(&CONFIG(FAMILY_NAME(prefix, suffix)))
#define FAMILY_SWITCH(prefix) CONFIG(FN(prefix))
#endif
