/* What a peer gets by configuration payloads: inner addresses and what goes with them (RFC 7296 2.19, 3.15). */
#include "ike/engine.h"
#include "ike/unique.h"

enum gw_err cp_lease(struct ike_sa *sa, const struct ike_msg *m, bool *reply)
{
	bool want[2] = { false, false };
	struct addr wanted[2] = { { 0 } };
	size_t got = 0, asked = 0;

	*reply = false;
	if (!msg_has(m, PL_CP) || m->cp.type != CFG_REQUEST || sa->conn->pool_count == 0)
		return GW_OK;
	for (size_t i = 0; i < m->cp.count; i++) {
		const struct cfg_attribute *a = &m->cp.a[i];

		if (a->type == CFG_IP4_ADDRESS) {
			want[0] = true;
			if (a->value.n == 4 && !addr_from_bytes(&wanted[0], a->value))
				wanted[0] = (struct addr){ 0 };
		} else if (a->type == CFG_IP6_ADDRESS) {
			want[1] = true;
			if (a->value.n >= 16 && !addr_from_bytes(&wanted[1], bytes_of(a->value.p, 16)))
				wanted[1] = (struct addr){ 0 };
		}
	}
	*reply = true;
	for (size_t i = 0; i < sa->conn->pool_count; i++) {
		const struct pool_cfg *pool = sa->conn->pools[i];
		size_t f = pool->addresses.lo.family == 6;

		if (!want[f] || sa->leases[f].pool)
			continue;
		asked++;
		if (pool_lease(sa->ike->pools, pool, sa->peer_id_kind, sa->peer_id,
			       addr_is_any(&wanted[f]) ? &(struct addr){ 0 } : &wanted[f], unique_shares(sa),
			       &sa->leases[f].addr) == GW_OK) {
			sa->leases[f].pool = pool->name;
			ike_report(sa->ike, IKE_EV_LEASE, sa, NULL, NULL);
			got++;
		}
	}
	return asked > 0 && got == 0 ? GW_EADDRESS : GW_OK;
}

void cp_answer(const struct ike_sa *sa, struct msg_writer *m)
{
	size_t mark = cp_begin(m, CFG_REPLY);

	for (size_t f = 0; f < SA_LEASES; f++) {
		const struct sa_lease *l = &sa->leases[f];

		if (!l->pool)
			continue;
		for (size_t i = 0; i < sa->conn->pool_count; i++) {
			const struct pool_cfg *pool = sa->conn->pools[i];
			uint8_t v6[17];

			if (strcmp(pool->name, l->pool) != 0)
				continue;
			if (f == 0) {
				uint8_t mask[4];

				put_u32(mask, pool->prefix_len ? UINT32_MAX << (32 - pool->prefix_len) : 0);
				cp_attr(m, CFG_IP4_ADDRESS, addr_bytes(&l->addr));
				cp_attr(m, CFG_IP4_NETMASK, bytes_of(mask, 4));
			} else {
				memcpy(v6, l->addr.b, 16);
				v6[16] = pool->prefix_len;
				cp_attr(m, CFG_IP6_ADDRESS, bytes_of(v6, 17));
			}
			for (size_t d = 0; d < pool->dns_count; d++)
				cp_attr(m, pool->dns[d].family == 6 ? CFG_IP6_DNS : CFG_IP4_DNS,
					addr_bytes(&pool->dns[d]));
		}
	}
	cp_end(m, mark);
}
