/* Load balancing of packets: DNAT to a backend, and the reverse for its replies. Included per family. */

INLINE __u32 FN(hash_of)(const struct FN(ct_tuple) *tuple)
{
	__u32 ports = (__u32)tuple->dport << 16 | tuple->sport;
#if FAMILY == 4
	return hash_words(tuple->saddr, ports, tuple->nexthdr, CONFIG(hash_init4_seed));
#else
	__u32 a = tuple->saddr.p1, b = tuple->saddr.p2, c = tuple->saddr.p3;

	hash_mix(&a, &b, &c);
	a += tuple->saddr.p4;
	b += ports;
	c += tuple->nexthdr;
	hash_mix(&a, &b, &c);
	a += CONFIG(hash_init6_seed);
	hash_final(&a, &b, &c);
	return c;
#endif
}

/* A backend id by the service's Maglev table if there is one, else by random choice; 0 if there is none. */
INLINE __u32 FN(select_backend)(struct FN(lb_key) *key, const struct FN(ct_tuple) *tuple, const struct lb_service *service)
{
	__u16 index = service->rev_nat_index;
	void *inner = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _maglev), &index);
	__u32 zero = 0, slot, *table;

	if (!inner)
		return FN(select_random)(key, service);
	table = bpf_map_lookup_elem(inner, &zero);
	if (!table)
		return 0;
	slot = FN(hash_of)(tuple) % MAGLEV_TABLE_SIZE;
	/* The verifier does not know the range of a remainder, and the compiler must not take the check away. */
	asm volatile("" : "+r"(slot));
	return slot < MAGLEV_TABLE_SIZE ? table[slot] : 0;
}

INLINE bool FN(is_in_source_range)(const struct lb_service *service, const FN(address) *source)
{
	struct FN(lb_source_range_key) key = { .lpm_key.prefixlen = 32 + 8 * sizeof(*source), .rev_nat_id = service->rev_nat_index };

	if (!(service->flags & SERVICE_SOURCE_RANGE))
		return true;
	key.addr = *source;
	return bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _source_range), &key);
}

/*
 * The backend of a packet to a service: that of its connection, unless it is gone; for a new one that of the client's affinity, or a
 * new choice. Creates or updates the SERVICE entry. Returns null if there is no backend.
 */
INLINE struct FN(lb_backend) *FN(choose_backend)(struct __sk_buff *skb, struct FN(packet) *packet, struct FN(lb_key) *key,
						 const struct lb_service *service, struct ct_state *state)
{
	struct FN(ct_tuple) *tuple = &packet->tuple;
	struct FN(lb_affinity_key) client = { .rev_nat_id = service->rev_nat_index };
	bool has_affinity = service->flags & SERVICE_AFFINITY;
	struct FN(lb_backend) *backend = NULL;
	struct ct_entry *entry;
	__u32 monitor, id = 0;
	int status;

	client.client_id.client_ip = tuple->saddr;
	status = FN(ct_lookup)(skb, packet, CT_SERVICE, state, &monitor);
	if (status < 0)
		return NULL;
	if (status != CT_NEW && (!state->rev_nat_index || state->rev_nat_index == service->rev_nat_index)) {
		id = state->backend_id;
		backend = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _backends_v2), &id);
		/* Established connections stay with a backend that drains, new ones do not. */
		if (backend && backend->flags != BACKEND_ACTIVE && state->syn)
			backend = NULL;
	} else if (has_affinity) {
		id = FN(find_affinity)(service, &client);
		if (id)
			backend = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _backends_v2), &id);
	}
	if (!backend) {
		id = FN(select_backend)(key, tuple, service);
		backend = FN(find_backend)(id);
		if (!backend)
			return NULL;
	}
	state->backend_id = id;
	state->rev_nat_index = service->rev_nat_index;
	if (status == CT_NEW) {
		if (FN(ct_create)(skb, tuple, CT_SERVICE, state, false, false) < 0)
			return NULL;
	} else {
		entry = bpf_map_lookup_elem(FN(ct_map)(tuple->nexthdr), tuple);
		if (entry) {
			entry->backend_id = id;
			entry->rev_nat_index = service->rev_nat_index;
		}
	}
	if (has_affinity)
		FN(keep_affinity)(&client, id);
	return backend;
}

/* Translates a packet to a backend of the service. Changes packet->tuple's address; `state` is for the connection's entry. */
INLINE int FN(translate_service)(struct __sk_buff *skb, struct FN(packet) *packet, struct FN(lb_key) *key,
				 const struct lb_service *service, struct ct_state *state)
{
	struct FN(lb_backend) *backend;
	FN(address) target;
	__be16 port;

	if (!service->count)
		return DROP_NO_SERVICE;
	backend = FN(choose_backend)(skb, packet, key, service, state);
	packet->tuple.flags = 0;
	if (!backend)
		return DROP_NO_SERVICE;
	target = backend->address;
	port = backend->port;
#if FAMILY == 4
	if (packet->tuple.saddr == target) {
		/* The Pod is its own backend: hosts drop packets from themselves, so it shall see another source. */
		__be32 loopback = CONFIG(service_loopback_ipv4).be32;
		int ret = rewrite_address4(skb, packet, L3_SADDR, &packet->tuple.saddr, &loopback);

		if (ret < 0)
			return ret;
		state->loopback = 1;
		state->addr = loopback;
		state->svc_addr = target;
	}
#endif
	packet->tuple.daddr = target;
	return FN(rewrite_destination)(skb, packet, &key->address, &target, key->dport, port);
}

/* Key of the service that a packet would go to. Returns 0, or a drop reason where there are no ports. */
INLINE int FN(service_key)(struct __sk_buff *skb, const struct FN(packet) *packet, __u8 direction, struct FN(lb_key) *key)
{
	struct fragment_ports ports;
	int ret;

	if (!FN(has_ports)(packet->tuple.nexthdr))
		return DROP_UNKNOWN_L4;
	ret = FN(read_ports)(skb, packet, direction, &ports);
	if (ret < 0)
		return ret;
	key->address = packet->tuple.daddr;
	key->dport = ports.dport;
	return 0;
}

/*
 * Gives a reply the service's address and port as source. packet->tuple is the one of a CT_REPLY: its sport is the wire's
 * destination, its dport the wire's source port.
 */
INLINE int FN(reverse_translate)(struct __sk_buff *skb, struct FN(packet) *packet, const struct ct_state *state)
{
	__u16 index = state->rev_nat_index;
	struct FN(lb_reverse_nat) *nat = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _reverse_nat), &index);
	FN(address) source = packet->tuple.saddr, service;
	__be16 port;

	if (!nat)
		return 0;
	service = nat->address;
	port = nat->port;
#if FAMILY == 4
	if (state->loopback) {
		/* The Pod's own address stood behind the loopback one. */
		int ret = rewrite_address4(skb, packet, L3_DADDR, &packet->tuple.daddr, &source);

		if (ret < 0)
			return ret;
	}
#endif
	packet->tuple.saddr = service;
	return FN(rewrite_source)(skb, packet, &source, &service, packet->tuple.dport, port);
}
