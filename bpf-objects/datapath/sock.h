/* Service translation at the socket: the application's connection goes to a backend from the start. Included per family. */

#if FAMILY == 4
INLINE address4 sock_address4(struct bpf_sock_addr *ctx)
{
	return ctx->user_ip4;
}

INLINE void set_sock_address4(struct bpf_sock_addr *ctx, const address4 *address)
{
	ctx->user_ip4 = *address;
}

INLINE bool is_loopback4(const address4 *address)
{
	return (*address & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
}
#else
INLINE address6 sock_address6(struct bpf_sock_addr *ctx)
{
	address6 address;

	address.p1 = ctx->user_ip6[0];
	address.p2 = ctx->user_ip6[1];
	address.p3 = ctx->user_ip6[2];
	address.p4 = ctx->user_ip6[3];
	return address;
}

INLINE void set_sock_address6(struct bpf_sock_addr *ctx, const address6 *address)
{
	ctx->user_ip6[0] = address->p1;
	ctx->user_ip6[1] = address->p2;
	ctx->user_ip6[2] = address->p3;
	ctx->user_ip6[3] = address->p4;
}

INLINE bool is_loopback6(const address6 *address)
{
	return !address->p1 && !address->p2 && !address->p3 && address->p4 == bpf_htonl(1);
}
#endif

/* A service at one of the node's own addresses: NodePort services are stored under address 0. */
INLINE struct lb_service *FN(find_node_service)(struct FN(lb_key) *key, bool in_host)
{
	FN(address) address = key->address;
	__u16 port = bpf_ntohs(key->dport);
	struct lb_service *service;
	bool is_here = in_host && FN(is_loopback)(&address);
	__u32 identity;

	if (!is_here) {
		identity = FN(identity_of)(&address, WORLD_ID);
		is_here = identity == HOST_ID;
		if (!is_here && !is_remote_node(identity))
			return NULL;
	}
	__builtin_memset(&key->address, 0, sizeof(key->address));
	service = FN(find_service)(key, true);
	if (!service)
		return NULL;
	if (port >= CONFIG(nodeport_port_min) && port <= CONFIG(nodeport_port_max))
		return service->flags & SERVICE_NODEPORT ? service : NULL;
	return service->flags & SERVICE_HOSTPORT && is_here ? service : NULL;
}

/* The service that a socket is about to talk to. */
INLINE struct lb_service *FN(find_socket_service)(struct FN(lb_key) *key, bool in_host)
{
	struct lb_service *service = FN(find_service)(key, true);

	return service ? service : FN(find_node_service)(key, in_host);
}

/* Remembers, for recvmsg and getpeername, what the application asked for. */
INLINE int FN(remember)(struct bpf_sock_addr *ctx, const FN(address) *backend, __be16 backend_port, const FN(address) *address,
			__be16 port, __u16 rev_nat_index)
{
	struct FN(reverse_sk_key) key = {};
	struct FN(reverse_sk_value) value = {};

	key.cookie = bpf_get_socket_cookie(ctx);
	key.address = *backend;
	key.port = backend_port;
	value.address = *address;
	value.port = port;
	value.rev_nat_index = rev_nat_index;
	return bpf_map_update_elem(&FAMILY_NAME(cilium_lb, _reverse_sk), &key, &value, 0);
}

/* Replaces a service address by a backend's. Without a service, backend or room it stays. */
INLINE void FN(translate_socket)(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_netns_cookie(ctx);
	bool in_host = cookie == bpf_get_netns_cookie(NULL);
	FN(address) wanted = FN(sock_address)(ctx), target;
	struct FN(lb_affinity_key) client = { .netns_cookie = 1 };
	__be16 port = ctx->user_port;
	struct FN(lb_backend) *backend = NULL;
	struct FN(lb_key) key = { .dport = port };
	struct lb_service *service;
	bool has_affinity;
	__u32 id = 0;

	key.address = wanted;
	service = FN(find_socket_service)(&key, in_host);
	if (!service || !service->count)
		return;
	has_affinity = service->flags & SERVICE_AFFINITY;
	client.client_id.client_cookie = cookie;
	client.rev_nat_id = service->rev_nat_index;
	if (has_affinity)
		id = FN(find_affinity)(service, &client);
	if (id)
		backend = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _backends_v2), &id);
	if (!backend) {
		id = FN(select_random)(&key, service);
		backend = id ? FN(find_backend)(id) : NULL;
		if (!backend)
			return;
		if (has_affinity)
			FN(keep_affinity)(&client, id);
	}
	target = backend->address;
	if (FN(remember)(ctx, &target, backend->port, &wanted, port, service->rev_nat_index) < 0) {
		count(0, METRIC_EGRESS, METRIC_LB_REVERSE_NAT_UPDATE);
		return;
	}
	FN(set_sock_address)(ctx, &target);
	ctx->user_port = backend->port;
}

/* Shows the application the service instead of the backend, if the service is still the same. */
INLINE void FN(reverse_socket)(struct bpf_sock_addr *ctx)
{
	struct FN(reverse_sk_key) key = {};
	struct FN(reverse_sk_value) *value;
	struct FN(lb_key) service_key = {};
	struct lb_service *service;
	FN(address) address;

	key.cookie = bpf_get_socket_cookie(ctx);
	key.address = FN(sock_address)(ctx);
	key.port = ctx->user_port;
	value = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _reverse_sk), &key);
	if (!value)
		return;
	service_key.address = value->address;
	service_key.dport = value->port;
	service = FN(find_socket_service)(&service_key, bpf_get_netns_cookie(ctx) == bpf_get_netns_cookie(NULL));
	if (!service || service->rev_nat_index != value->rev_nat_index) {
		bpf_map_delete_elem(&FAMILY_NAME(cilium_lb, _reverse_sk), &key);
		count(0, METRIC_INGRESS, METRIC_LB_REVERSE_NAT_STALE);
		return;
	}
	address = value->address;
	FN(set_sock_address)(ctx, &address);
	ctx->user_port = value->port;
}
