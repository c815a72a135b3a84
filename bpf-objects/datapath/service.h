/* Services: finding them and choosing a backend. Included per family; also used by the socket programs. */

/* Only a service with external and internal backends is looked up again, in the internal scope, for traffic from inside. */
INLINE struct lb_service *FN(find_service)(struct FN(lb_key) *key, bool from_inside)
{
	struct lb_service *service;

	key->scope = 0;
	key->backend_slot = 0;
	service = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _services_v2), key);
	if (!service || !from_inside || !(service->flags & SERVICE_LOCAL_SCOPE))
		return service;
	key->scope = 1;
	return bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _services_v2), key);
}

INLINE struct FN(lb_backend) *FN(find_backend)(__u32 id)
{
	struct FN(lb_backend) *backend = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _backends_v2), &id);

	if (!backend)
		count(0, METRIC_EGRESS, METRIC_LB_NO_BACKEND);
	return backend;
}

/* A backend id by random choice, or 0. */
INLINE __u32 FN(select_random)(struct FN(lb_key) *key, const struct lb_service *service)
{
	struct lb_service *slot;

	if (!service->count)
		return 0;
	key->backend_slot = bpf_get_prandom_u32() % service->count + 1;
	slot = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _services_v2), key);
	if (!slot)
		count(0, METRIC_EGRESS, METRIC_LB_NO_BACKEND_SLOT);
	return slot ? slot->backend_id : 0;
}

/* The backend that a client, an address or the cookie of a network namespace, had last; 0 if that is too long ago or it is gone. */
INLINE __u32 FN(find_affinity)(const struct lb_service *service, const struct FN(lb_affinity_key) *key)
{
	struct lb_affinity_val *value = bpf_map_lookup_elem(&FAMILY_NAME(cilium_lb, _affinity), key);
	struct lb_affinity_match match = { .rev_nat_id = service->rev_nat_index };
	__u32 now = now_seconds();

	if (!value)
		return 0;
	match.backend_id = value->backend_id;
	if (value->last_used + service->affinity_timeout <= now || !bpf_map_lookup_elem(&cilium_lb_affinity_match, &match)) {
		bpf_map_delete_elem(&FAMILY_NAME(cilium_lb, _affinity), key);
		return 0;
	}
	value->last_used = now;
	return value->backend_id;
}

INLINE void FN(keep_affinity)(const struct FN(lb_affinity_key) *key, __u32 backend)
{
	struct lb_affinity_val value = { .last_used = now_seconds(), .backend_id = backend };

	bpf_map_update_elem(&FAMILY_NAME(cilium_lb, _affinity), key, &value, 0);
}
