#include "ike/mobike.h"

#include <stdlib.h>

#include "ike/engine.h"

static bool mobile(const struct ike_sa *sa)
{
	return (sa->peer_flags & PEER_MOBIKE) != 0;
}

/* ---- addresses that are told ---- */

/* 3.4, 3.6: a list replaces the one before. False: the message has none. */
static bool told_addresses(const struct ike_msg *m, struct addr out[MOBIKE_ADDRS], size_t *n)
{
	bool told = false;

	*n = 0;
	for (size_t i = 0; i < m->notify_count; i++) {
		const struct notify_payload *p = &m->notifies[i];
		struct addr a;

		if (p->type == N_NO_ADDITIONAL_ADDRESSES) {
			told = true;
			*n = 0;
		}
		if (p->type != N_ADDITIONAL_IP4_ADDRESS && p->type != N_ADDITIONAL_IP6_ADDRESS)
			continue;
		told = true;
		if (p->data.n == (p->type == N_ADDITIONAL_IP4_ADDRESS ? 4 : 16) && addr_from_bytes(&a, p->data) &&
		    *n < MOBIKE_ADDRS)
			out[(*n)++] = a;
	}
	return told;
}

enum gw_err mobike_set_addresses(struct ike_sa *sa, const struct addr *a, size_t n)
{
	struct addr *copy = n > 0 ? malloc(n * sizeof(*copy)) : NULL;

	if (n > 0 && !copy)
		return GW_ENOMEM;
	if (n > 0)
		memcpy(copy, a, n * sizeof(*copy));
	free(sa->also);
	sa->also = copy;
	sa->also_count = (uint8_t)n;
	return GW_OK;
}

static void tell(const struct ike_sa *sa, const struct addr *a, size_t *told, struct msg_writer *w)
{
	const struct endpoint at = { *a, sa->local.port };

	if (*told == MOBIKE_ADDRS || addr_is_any(a) || addr_equal(a, &sa->local.addr) ||
	    !conn_serves(sa->conn, &at, &sa->remote))
		return;
	++*told;
	notify_write(w, PROTO_NONE, (struct bytes){ 0 },
		     a->family == 6 ? N_ADDITIONAL_IP6_ADDRESS : N_ADDITIONAL_IP4_ADDRESS, addr_bytes(a));
}

void mobike_write_greeting(const struct ike_sa *sa, struct msg_writer *w)
{
	const struct settings *s = sa->settings;
	size_t told = 0;

	if (!mobile(sa))
		return;
	notify_simple(w, N_MOBIKE_SUPPORTED);
	for (size_t i = 0; s->ha.enabled && i < s->ha.address_count; i++)
		tell(sa, &s->ha.addresses[i].address, &told, w);
	for (size_t i = 0; !s->ha.enabled && i < s->listen_count; i++)
		tell(sa, &s->listen[i], &told, w);
}

/* ---- NATs ---- */

/* 3.9, 4.2.6: source address, destination address, source port, destination port. */
static bool addresses_are(struct bytes told, const struct endpoint *from, const struct endpoint *to)
{
	struct reader r = rd_of(told);
	struct bytes source = rd_bytes(&r, addr_len(&from->addr)), destination = rd_bytes(&r, addr_len(&to->addr));
	uint16_t source_port = rd_u16(&r), destination_port = rd_u16(&r);

	return !r.bad && r.left == 0 && bytes_equal(source, addr_bytes(&from->addr)) &&
	       bytes_equal(destination, addr_bytes(&to->addr)) && source_port == from->port &&
	       destination_port == to->port;
}

static bool nat_in_the_way(struct ike_sa *sa, const struct ike_msg *m, const struct endpoint *from,
			   const struct endpoint *to)
{
	const struct notify_payload *n = msg_notify(m, N_NO_NATS_ALLOWED);

	if (!n || addresses_are(n->data, from, to))
		return false;
	count_up(sa->ike, mobike_refused);
	sa_log(sa, LOG_LVL_INFO, "the peer allows no NAT, and its message came through one");
	return true;
}

enum gw_err mobike_greet(struct ike_sa *sa, const struct ike_msg *m, const struct endpoint *from,
			 const struct endpoint *to)
{
	struct addr also[MOBIKE_ADDRS];
	size_t n;

	if (!sa->conn->mobike || !msg_notify(m, N_MOBIKE_SUPPORTED))
		return GW_OK;
	if (nat_in_the_way(sa, m, from, to))
		return GW_EAUTH;
	sa->peer_flags |= PEER_MOBIKE;
	return told_addresses(m, also, &n) ? mobike_set_addresses(sa, also, n) : GW_OK;
}

/* ---- INFORMATIONAL ---- */

bool mobike_is_idle_notify(uint16_t type)
{
	return type == N_COOKIE2 || type == N_NAT_DETECTION_SOURCE_IP || type == N_NAT_DETECTION_DESTINATION_IP;
}

/* 3.5. What the SA was replaced by goes along: the message may have been on its way when that was made. */
static enum gw_err update(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg, struct mobike *out)
{
	bool peer_nat = sa->peer_nat, our_nat = sa->our_nat;
	struct nat_verdict nat;

	if (!conn_serves(sa->conn, &dg->to, &dg->from)) {
		char at[ENDPOINT_TEXT];

		count_up(sa->ike, mobike_refused);
		sa_log(sa, LOG_LVL_INFO, "the peer may not go on from %s: connection %s is not for that address pair",
		       endpoint_text(&dg->from, at), sa->conn->name);
		out->error = N_UNACCEPTABLE_ADDRESSES;
		return GW_OK;
	}
	TRY(natd_judge(sa->ike->env->crypto, m, &dg->from, &dg->to, &nat));
	if (nat.known) {
		peer_nat = nat.peer;
		our_nat = nat.us;
	}
	count_up(sa->ike, mobike_updates);
	for (struct ike_sa *at = sa; at; at = at->successor ? ike_find(sa->ike, at->successor) : NULL) {
		sa_move(at, &dg->to, &dg->from, dg->natt, peer_nat, our_nat);
		if (at != sa)
			sa_reschedule(at);
		if (at->successor == ike_sa_local_spi(sa))
			break;
	}
	return GW_OK;
}

enum gw_err mobike_request(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg, struct mobike *out)
{
	const struct notify_payload *cookie = msg_notify(m, N_COOKIE2);
	bool update_wanted = msg_notify(m, N_UPDATE_SA_ADDRESSES) != NULL, told;
	struct addr also[MOBIKE_ADDRS];
	size_t n;

	*out = (struct mobike){ 0 };
	if (!mobile(sa) || !sa->conn)
		return GW_OK;
	/* 4.2.5: 8 to 64 octets. */
	if (cookie && cookie->data.n >= 8 && cookie->data.n <= 64)
		out->cookie2 = cookie->data;
	told = told_addresses(m, also, &n);
	out->changed = update_wanted || told;
	if (out->changed && nat_in_the_way(sa, m, &dg->from, &dg->to)) {
		out->error = N_UNEXPECTED_NAT_DETECTED;
		return GW_OK;
	}
	if (update_wanted)
		TRY(update(sa, m, dg, out));
	if (told)
		TRY(mobike_set_addresses(sa, also, n));
	out->natd = !out->error && msg_notify(m, N_NAT_DETECTION_SOURCE_IP) &&
		    msg_notify(m, N_NAT_DETECTION_DESTINATION_IP);
	return GW_OK;
}

enum gw_err mobike_write_answer(const struct ike_sa *sa, const struct mobike *a, const struct datagram *dg,
				struct msg_writer *w)
{
	if (a->error)
		notify_simple(w, a->error);
	if (a->natd)
		TRY(natd_write(w, sa->ike->env->crypto, sa->spi_i, sa->spi_r, &dg->to, &dg->from));
	if (a->cookie2.n > 0)
		notify_write(w, PROTO_NONE, (struct bytes){ 0 }, N_COOKIE2, a->cookie2);
	return GW_OK;
}
