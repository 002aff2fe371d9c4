/* What a peer gets by configuration payloads: inner addresses and what goes with them (RFC 7296 2.19, 3.15). */
#include "ike/engine.h"
#include "ike/group.h"
#include "ike/unique.h"

struct wish {
	bool asked;
	struct addr address; /* family 0: any */
};

/* What is wanted, by family. An address of a wrong size is no wish for a particular one. */
static void read_wishes(const struct cp_payload *cp, struct wish want[SA_LEASES])
{
	for (size_t i = 0; i < cp->count; i++) {
		const struct cfg_attribute *a = &cp->a[i];
		bool v6 = a->type == CFG_IP6_ADDRESS;
		size_t n = v6 ? 16 : 4;
		struct wish *w = &want[v6];

		if (!v6 && a->type != CFG_IP4_ADDRESS)
			continue;
		w->asked = true;
		if (a->value.n < n || !addr_from_bytes(&w->address, bytes_of(a->value.p, n)) ||
		    addr_is_any(&w->address))
			w->address = (struct addr){ 0 };
	}
}

uint8_t cp_asked(const struct ike_msg *m)
{
	uint8_t asked = CP_ASKED;

	if (!msg_has(m, PL_CP) || m->cp.type != CFG_REQUEST)
		return 0;
	for (size_t i = 0; i < m->cp.count; i++) {
		if (m->cp.a[i].type == CFG_DNS_DOMAIN)
			asked |= CP_DOMAINS;
		if (m->cp.a[i].type == CFG_SUPPORTED_ATTRIBUTES)
			asked |= CP_SUPPORTED;
	}
	return asked;
}

/* The address that is the user's own, in that pool. */
static const struct addr *own_address(const struct ike_sa *sa, const struct pool_cfg *pool)
{
	const struct user_cfg *u = sa_user(sa, sa->settings);

	for (size_t i = 0; u && i < u->address_count; i++)
		if (range_contains(&pool->addresses, &u->addresses[i]))
			return &u->addresses[i];
	return NULL;
}

static enum gw_err lease_from(struct ike_sa *sa, const struct pool_cfg *pool, const struct addr *wanted,
			      struct addr *out)
{
	const struct addr *own = own_address(sa, pool);
	bool share = unique_shares(sa);
	char text[ADDR_TEXT];

	if (own) {
		if (pool_lease_own(sa->ike->pools, pool, sa->peer_id_kind, sa->peer_id, own, share) == GW_OK) {
			*out = *own;
			return GW_OK;
		}
		/* A second device of the user, or somebody has had it since before it was his. */
		sa_log(sa, LOG_LVL_INFO, "its own address %s is in use: it gets another one", addr_text(own, text));
	}
	return pool_lease(sa->ike->pools, pool, sa->peer_id_kind, sa->peer_id, wanted, share, out);
}

/* A family's pools: first where the user has an address of its own, then in order. */
static bool lease_family(struct ike_sa *sa, size_t f, const struct addr *wanted, bool *tried)
{
	size_t n;
	const struct pool_cfg *const *pools = sa_pools(sa, &n);

	for (int own = 1; own >= 0; own--)
		for (size_t i = 0; i < n; i++) {
			const struct pool_cfg *pool = pools[i];

			if ((pool->addresses.lo.family == 6) != (f == 1) || (own && !own_address(sa, pool)))
				continue;
			*tried = true;
			if (lease_from(sa, pool, wanted, &sa->leases[f].addr) != GW_OK)
				continue;
			sa->leases[f].pool = pool->name;
			ike_report(sa->ike, IKE_EV_LEASE, sa, NULL, NULL);
			return true;
		}
	return false;
}

enum gw_err cp_lease(struct ike_sa *sa, const struct ike_msg *m, uint8_t *asked)
{
	struct wish want[SA_LEASES] = { 0 };
	bool got = false, tried = false;
	size_t n;

	*asked = 0;
	if (!cp_asked(m) || (sa_pools(sa, &n), n == 0))
		return GW_OK;
	*asked = cp_asked(m);
	read_wishes(&m->cp, want);
	for (size_t f = 0; f < SA_LEASES; f++)
		if (want[f].asked && !sa->leases[f].pool)
			got |= lease_family(sa, f, &want[f].address, &tried);
	return tried && !got ? GW_EADDRESS : GW_OK;
}

/* ---- the answer ---- */

static void write_address(struct msg_writer *m, const struct pool_cfg *pool, const struct addr *a)
{
	uint8_t v6[17], mask[4];
	uint8_t len = pool->netmask == NETMASK_HOST ? 32 : pool->prefix_len;

	if (a->family == 6) {
		memcpy(v6, a->b, 16);
		v6[16] = pool->prefix_len;
		cp_attr(m, CFG_IP6_ADDRESS, bytes_of(v6, 17));
		return;
	}
	cp_attr(m, CFG_IP4_ADDRESS, addr_bytes(a));
	if (pool->netmask == NETMASK_NONE)
		return;
	put_u32(mask, len ? UINT32_MAX << (32 - len) : 0);
	cp_attr(m, CFG_IP4_NETMASK, bytes_of(mask, 4));
}

static void write_subnet(struct msg_writer *m, const struct prefix *p)
{
	uint8_t v4[8], v6[17];

	if (p->addr.family == 6) {
		memcpy(v6, p->addr.b, 16);
		v6[16] = p->len;
		cp_attr(m, CFG_IP6_SUBNET, bytes_of(v6, 17));
		return;
	}
	memcpy(v4, p->addr.b, 4);
	put_u32(v4 + 4, p->len ? UINT32_MAX << (32 - p->len) : 0);
	cp_attr(m, CFG_IP4_SUBNET, bytes_of(v4, 8));
}

static void write_servers(struct msg_writer *m, const struct pool_cfg *pool)
{
	for (size_t i = 0; i < pool->dns_count; i++)
		cp_attr(m, pool->dns[i].family == 6 ? CFG_IP6_DNS : CFG_IP4_DNS, addr_bytes(&pool->dns[i]));
	for (size_t i = 0; i < pool->nbns_count; i++)
		cp_attr(m, CFG_IP4_NBNS, addr_bytes(&pool->nbns[i]));
	for (size_t i = 0; i < pool->subnet_count; i++)
		write_subnet(m, &pool->subnets[i]);
}

/* Once, even when the pools of both families say it. */
static void write_domains(struct msg_writer *m, const struct pool_cfg *pool, const struct pool_cfg *before)
{
	for (size_t i = 0; i < pool->domain_count; i++) {
		bool again = false;

		for (size_t k = 0; before && k < before->domain_count; k++)
			again |= strcmp(pool->domains[i], before->domains[k]) == 0;
		if (!again)
			cp_attr(m, CFG_DNS_DOMAIN, bytes_str(pool->domains[i]));
	}
}

static void write_supported(struct msg_writer *m)
{
	static const uint16_t known[] = { CFG_IP4_ADDRESS, CFG_IP4_NETMASK, CFG_IP4_DNS,    CFG_IP4_NBNS,
					  CFG_IP6_ADDRESS, CFG_IP6_DNS,	    CFG_IP4_SUBNET, CFG_SUPPORTED_ATTRIBUTES,
					  CFG_IP6_SUBNET,  CFG_DNS_DOMAIN };
	uint8_t list[2 * ARRAY_LEN(known)];

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		put_u16(list + 2 * i, known[i]);
	cp_attr(m, CFG_SUPPORTED_ATTRIBUTES, bytes_of(list, sizeof(list)));
}

void cp_answer(const struct ike_sa *sa, struct msg_writer *m, uint8_t asked)
{
	size_t mark = cp_begin(m, CFG_REPLY);
	const struct pool_cfg *pools[SA_LEASES] = { NULL };

	for (size_t f = 0; f < SA_LEASES; f++) {
		pools[f] = sa->leases[f].pool ? settings_pool(sa->settings, sa->leases[f].pool) : NULL;
		if (!pools[f])
			continue;
		write_address(m, pools[f], &sa->leases[f].addr);
		write_servers(m, pools[f]);
	}
	/* RFC 8598 3.1: who does not ask for domains is not willing to take them. */
	for (size_t f = 0; f < SA_LEASES && (asked & CP_DOMAINS); f++)
		if (pools[f])
			write_domains(m, pools[f], f > 0 ? pools[f - 1] : NULL);
	if (asked & CP_SUPPORTED)
		write_supported(m);
	cp_end(m, mark);
}
