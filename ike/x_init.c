/* IKE_SA_INIT as responder (RFC 7296 1.2, 2.6, 2.7). Stateless until the peer's cookie is right, when we ask for one.
 */
#include <stdlib.h>

#include "ike/auth_sig.h"

static const uint8_t our_vendor[] = "gateway IKEv2";

static void reply_clear(struct ike *ike, const struct ike_header *h, uint64_t spi_r, const struct datagram *dg,
			uint16_t notify, struct bytes data)
{
	uint8_t buf[256];
	struct msg_writer m;
	struct bytes out;
	struct ike_header reply = {
		.spi_i = h->spi_i, .spi_r = spi_r, .version = 0x20, .exchange = IKE_SA_INIT, .flags = IKE_FLAG_RESPONSE
	};

	msg_begin(&m, buf, sizeof(buf), &reply);
	notify_write(&m, PROTO_NONE, (struct bytes){ 0 }, notify, data);
	if (msg_finish(&m, &out) == GW_OK)
		ike_send(ike, &dg->to, &dg->from, dg->natt, out, IKE_EFFECT_NONE);
}

static struct half_open *find_half(struct ike *ike, const struct half_open_key *key)
{
	struct half_open *h;

	HASH_FIND_BYHASHVALUE(by_init, ike->by_init, key, sizeof(*key), table_hash(&ike->seed, key, sizeof(*key)), h);
	return h;
}

static struct half_open_key key_of(const struct ike_header *h, const struct datagram *dg)
{
	struct half_open_key key;

	memset(&key, 0, sizeof(key)); /* padding is hashed too */
	key.from = dg->from.addr;
	key.spi_i = h->spi_i;
	return key;
}

enum gw_err half_join(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	struct half_open *h = sa->half;

	TRY(source_take(ike, &h->key.from));
	ike->half_open++;
	HASH_ADD_KEYPTR_BYHASHVALUE(by_init, ike->by_init, &h->key, sizeof(h->key),
				    table_hash(&ike->seed, &h->key, sizeof(h->key)), h);
	if (!h->by_init.tbl) {
		ike->half_open--;
		source_release(ike, &h->key.from);
		return GW_ENOMEM;
	}
	return GW_OK;
}

bool half_may_repeat(struct half_open *h, const struct addr *to)
{
	/* As often as a patient client asks within the time that it has. */
	enum { REPEATS_MAX = 8 };
	bool proved = h->sa->window.recv_next > 1 && addr_equal(&h->key.from, to);

	if (proved)
		return true;
	if (h->repeats == REPEATS_MAX)
		return false;
	h->repeats++;
	return true;
}

/* True: go on. Else a cookie was asked for (2.6). */
static bool cookie_passed(struct ike *ike, const struct ike_header *h, const struct ike_msg *m,
			  const struct datagram *dg)
{
	const struct notify_payload *n = msg_notify(m, N_COOKIE);
	uint8_t cookie[COOKIE_LEN], was;

	if (!pressure_wants_cookies(ike, &dg->from.addr))
		return true;
	was = ike->cookies.version;
	if (cookie_rotate(&ike->cookies, ike->env) != GW_OK)
		return false;
	ike->cookies_dirty |= ike->cookies.version != was;
	if (n && cookie_valid(&ike->cookies, ike->env->crypto, &dg->from.addr, h->spi_i, m->nonce, n->data))
		return true;
	if (n)
		count_up(ike, cookies_wrong);
	if (cookie_make(&ike->cookies, ike->env->crypto, &dg->from.addr, h->spi_i, m->nonce, cookie) == GW_OK) {
		count_up(ike, cookies_sent);
		reply_clear(ike, h, 0, dg, N_COOKIE, bytes_of(cookie, sizeof(cookie)));
	}
	return false;
}

/* Room for one more, by the limits; what is refused is counted and told to nobody. */
static bool room_for_one(struct ike *ike, const struct datagram *dg)
{
	const struct ike_cfg *cfg = &ike->settings->ike;

	if (ike->closing) {
		count_up(ike, drop_closing);
		return false;
	}
	if (ike->draining) {
		count_up(ike, drop_draining);
		return false;
	}
	if (ike->half_open >= cfg->half_open_max) {
		count_up(ike, drop_half_open_limit);
		return false;
	}
	if (ike->established + ike->half_open >= cfg->sa_max) {
		count_up(ike, drop_sa_limit);
		ike_log_stranger(ike, &dg->from, "refused: %u IKE SAs are the limit (ike.sa_max)", cfg->sa_max);
		return false;
	}
	return true;
}

static bool agree(struct ike *ike, const struct ike_header *h, const struct ike_msg *m, const struct datagram *dg,
		  struct chosen *chosen)
{
	struct err e = { 0 };
	uint8_t group[2];

	switch (conn_propose(ike->settings, &dg->to, &dg->from, &m->sa, m->ke.group, chosen, &e)) {
	case GW_OK:
		return true;
	case GW_EGROUP: /* 1.2: the group that we would take */
		count_up(ike, invalid_ke_sent);
		put_u16(group, chosen->dh.id);
		reply_clear(ike, h, 0, dg, N_INVALID_KE_PAYLOAD, bytes_of(group, 2));
		return false;
	case GW_ENOTFOUND:
		count_up(ike, drop_no_connection);
		break;
	default:
		count_up(ike, refused_proposal);
	}
	ike_log_stranger(ike, &dg->from, "refused: %s", e.text);
	reply_clear(ike, h, 0, dg, N_NO_PROPOSAL_CHOSEN, (struct bytes){ 0 });
	return false;
}

static void note_peer(struct ike_sa *sa, const struct ike_msg *m)
{
	static const uint8_t strongswan[] = { 0x88, 0x2f, 0xe5, 0x6d, 0x6f, 0xd2, 0x0d, 0xbc,
					      0x22, 0x51, 0x61, 0x3b, 0x2e, 0xbe, 0x5b, 0xeb };
	static const uint8_t microsoft[] = { 0x1e, 0x2b, 0x51, 0x69, 0x05, 0x99, 0x1c, 0x7d,
					     0x7c, 0x96, 0xfc, 0xbf, 0xb5, 0x87, 0xe4, 0x61 };

	if (msg_notify(m, N_IKEV2_FRAGMENTATION_SUPPORTED) && sa->settings->ike.fragmentation)
		sa->peer_flags |= PEER_FRAGMENTATION;
	for (size_t i = 0; i < m->vendor_count; i++) {
		if (bytes_equal(m->vendors[i], bytes_of(strongswan, sizeof(strongswan))))
			sa->peer_flags |= PEER_STRONGSWAN;
		if (m->vendors[i].n >= sizeof(microsoft) && memcmp(m->vendors[i].p, microsoft, sizeof(microsoft)) == 0)
			sa->peer_flags |= PEER_MICROSOFT;
	}
}

static enum gw_err write_response(struct ike_sa *sa, const struct chosen *chosen, const struct ike_msg *m,
				  const struct datagram *dg, struct bytes *out)
{
	struct ike *ike = sa->ike;
	struct half_open *h = sa->half;
	struct transform t[5];
	struct msg_writer w;
	struct ike_header head = { .spi_i = sa->spi_i,
				   .spi_r = sa->spi_r,
				   .version = 0x20,
				   .exchange = IKE_SA_INIT,
				   .flags = IKE_FLAG_RESPONSE };
	size_t mark;

	msg_begin(&w, ike->chain_buf, IKE_MAX_MESSAGE, &head);
	mark = sa_begin(&w);
	proposal_write(&w, chosen->number, PROTO_IKE, (struct bytes){ 0 }, t, chosen_transforms(chosen, t), false);
	sa_end(&w, mark);
	ke_write(&w, chosen->dh.id, dh_public(h->dh));
	nonce_write(&w, secret_bytes(&h->nr));
	TRY(natd_write(&w, ike->env->crypto, sa->spi_i, sa->spi_r, &dg->to, &dg->from));
	if (sa->peer_flags & PEER_FRAGMENTATION)
		notify_simple(&w, N_IKEV2_FRAGMENTATION_SUPPORTED);
	if (msg_notify(m, N_SIGNATURE_HASH_ALGORITHMS)) {
		static const uint8_t hashes[] = {
			0, 2, 0, 3, 0, 4, 0, 5
		}; /* SHA2-256, -384, -512, identity (RFC 8420) */

		notify_write(&w, PROTO_NONE, (struct bytes){ 0 }, N_SIGNATURE_HASH_ALGORITHMS,
			     bytes_of(hashes, sizeof(hashes)));
	}
	auth_sig_write_init(sa, &w);
	if (conn_any_childless(sa->settings, &dg->to, &dg->from))
		notify_simple(&w, N_CHILDLESS_IKEV2_SUPPORTED); /* RFC 6023 3 */
	if (sa->settings->ike.vendor_id)
		vendor_write(&w, bytes_of(our_vendor, sizeof(our_vendor) - 1));
	return msg_finish(&w, out);
}

/* Everything that can fail; the caller undoes by burying the SA. */
static enum gw_err build(struct ike_sa *sa, const struct chosen *chosen, const struct ike_msg *m,
			 const struct datagram *dg)
{
	struct ike *ike = sa->ike;
	struct half_open *h = sa->half;
	struct nat_verdict nat;
	struct bytes response;
	uint8_t packed_len[2];
	struct writer packed = wr_of(ike->packed_buf, PACKED_MAX);

	sa->encr = chosen->encr;
	sa->prf = chosen->prf;
	sa->integ = chosen->integ;
	sa->dh = chosen->dh;
	TRY(chosen_suite(chosen, &sa->keys.suite));
	sa->keys.prf = prf_find(chosen->prf.id);
	TRY(natd_judge(ike->env->crypto, m, &dg->from, &dg->to, &nat));
	sa->peer_nat = nat.peer;
	sa->our_nat = nat.us;
	TRY(dh_generate(ike->env->crypto, dh_find(chosen->dh.id), &h->dh));
	TRY(secret_copy(&h->ni, m->nonce));
	TRY(secret_copy(&h->peer_ke, m->ke.data));
	TRY(secret_copy(&h->init_request, dg->data));
	TRY(secret_alloc(&h->nr, IKE_NONCE_OURS));
	TRY(rng_fill(ike->env->rng, h->nr.p, h->nr.n));
	TRY(write_response(sa, chosen, m, dg, &response));
	TRY(secret_copy(&h->init_response, response));
	put_u16(packed_len, (uint16_t)response.n);
	wr_bytes(&packed, bytes_of(packed_len, 2));
	wr_bytes(&packed, response);
	TRY(window_responded(&sa->window, wr_done(&packed)));
	send_packed(sa, wr_done(&packed), dg, IKE_EFFECT_STATE);
	return GW_OK;
}

static void open_half(struct ike *ike, const struct ike_header *head, const struct chosen *chosen,
		      const struct ike_msg *m, const struct datagram *dg)
{
	struct half_open *h = calloc(1, sizeof(*h));
	struct ike_sa *sa = NULL;
	enum gw_err code;
	uint64_t spi;

	if (!h || ike_new_spi(ike, &spi) != GW_OK || !(sa = sa_create(ike, false, head->spi_i, spi))) {
		free(h);
		count_up(ike, drop_memory);
		return;
	}
	sa->local = dg->to;
	sa->remote = dg->from;
	sa->natt = dg->natt;
	sa->half = h;
	h->sa = sa;
	h->key = key_of(head, dg);
	h->expires = mtime_add(ike_now(ike), ike->settings->ike.half_open_timeout_us);
	note_peer(sa, m);
	auth_sig_note_init(sa, m);
	sa_set_state(sa, IKE_HALF_OPEN, "IKE_SA_INIT");
	code = half_join(sa);
	if (code == GW_ELIMIT) {
		count_up(ike, drop_half_open_limit);
		ike_log_stranger(ike, &dg->from,
				 "refused: %u half-open IKE SAs of one source (ike.half_open_per_source)",
				 ike->settings->ike.half_open_per_source);
		sa_bury(sa);
		return;
	}
	if (code != GW_OK || build(sa, chosen, m, dg) != GW_OK) {
		count_up(ike, drop_internal);
		sa_bury(sa);
		return;
	}
	sa_touch(sa);
	sa_reschedule(sa);
}

void x_init_request(struct ike *ike, const struct ike_header *head, const struct datagram *dg)
{
	struct ike_msg *m = &ike->msg;
	struct half_open_key key = key_of(head, dg);
	struct half_open *known = find_half(ike, &key);
	struct chosen chosen;
	struct err e = { 0 };
	struct bytes chain = { dg->data.p + IKE_HEADER_LEN, dg->data.n - IKE_HEADER_LEN };
	const struct dh_alg *dh;

	count_up(ike, init_requests);
	if (known) {
		/* A retransmission gets the same octets (2.1); the same SPI with other contents is somebody's mistake,
		 * and what comes after IKE_AUTH was on its way for long. */
		if (known->sa->window.recv_next > 1) {
			count_up(ike, drop_message_id);
		} else if (!bytes_equal(secret_bytes(&known->init_request), dg->data)) {
			count_up(ike, drop_state);
		} else if (!half_may_repeat(known, &dg->from.addr)) {
			count_up(ike, drop_address);
		} else {
			count_up(ike, init_resent);
			send_packed(known->sa, secret_bytes(&known->sa->window.response), dg, IKE_EFFECT_STATE);
		}
		return;
	}
	if (!room_for_one(ike, dg))
		return;
	if (msg_parse(m, head->next, chain, &e) != GW_OK || m->encrypted) {
		count_up(ike, drop_malformed);
		ike_log_stranger(ike, &dg->from, "malformed IKE_SA_INIT: %s", e.text);
		return;
	}
	m->h = *head; /* the SPIs go into the NAT detection hashes */
	if (m->unknown_critical) {
		count_up(ike, drop_critical);
		reply_clear(ike, head, 0, dg, N_UNSUPPORTED_CRITICAL_PAYLOAD, bytes_of(&m->unknown_critical, 1));
		return;
	}
	if ((m->present & (PL_BIT(PL_SA) | PL_BIT(PL_KE) | PL_BIT(PL_NONCE))) !=
	    (PL_BIT(PL_SA) | PL_BIT(PL_KE) | PL_BIT(PL_NONCE))) {
		count_up(ike, drop_malformed);
		reply_clear(ike, head, 0, dg, N_INVALID_SYNTAX, (struct bytes){ 0 });
		return;
	}
	if (!cookie_passed(ike, head, m, dg) || !agree(ike, head, m, dg, &chosen))
		return;
	dh = dh_find(chosen.dh.id);
	if (!dh || m->ke.data.n != dh->public_len) {
		count_up(ike, drop_malformed);
		reply_clear(ike, head, 0, dg, N_INVALID_SYNTAX, (struct bytes){ 0 });
		return;
	}
	open_half(ike, head, &chosen, m, dg);
}
