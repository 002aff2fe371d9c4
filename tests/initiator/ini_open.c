/* IKE_SA_INIT and IKE_AUTH (RFC 7296 1.2). */
#include "tests/initiator/ini.h"

#include <stdio.h>
#include <stdlib.h>

#include "ike/auth_psk.h"
#include "ike/natd.h"

enum { RESTARTS = 4 }; /* cookies and other groups, in all, before we give up (2.6.1) */

void ini_offer_write(struct msg_writer *w, const struct proposal_cfg *offer, size_t n, uint8_t protocol,
		     struct bytes spi)
{
	size_t mark = sa_begin(w);

	for (size_t i = 0; i < n; i++)
		proposal_write(w, (uint8_t)(i + 1), protocol, spi, offer[i].t, offer[i].n, i + 1 < n);
	sa_end(w, mark);
}

static uint16_t first_group(const struct ini_cfg *cfg)
{
	if (cfg->first_group)
		return cfg->first_group;
	for (size_t i = 0; i < cfg->ike[0].n; i++)
		if (cfg->ike[0].t[i].type == TR_DH)
			return cfg->ike[0].t[i].id;
	return 0;
}

enum gw_err ini_natd_write(const struct ini_sa *sa, struct msg_writer *w)
{
	const struct ini *ini = sa->ini;
	uint8_t hash[NATD_LEN];

	if (!ini->cfg->fake_nat)
		return natd_write(w, ini->env->crypto, sa->spi_i, sa->spi_r, &ini->local, &ini->remote);
	TRY(rng_fill(ini->env->rng, hash, sizeof(hash)));
	notify_write(w, PROTO_NONE, (struct bytes){ 0 }, N_NAT_DETECTION_SOURCE_IP, bytes_of(hash, sizeof(hash)));
	TRY(natd_hash(ini->env->crypto, sa->spi_i, sa->spi_r, &ini->remote, hash));
	notify_write(w, PROTO_NONE, (struct bytes){ 0 }, N_NAT_DETECTION_DESTINATION_IP, bytes_of(hash, sizeof(hash)));
	return GW_OK;
}

static void hashes_put(struct msg_writer *w, uint8_t hashes)
{
	uint8_t list[16];
	struct writer l = wr_of(list, sizeof(list));

	for (uint16_t h = 0; h < 8; h++) {
		if (hashes >> h & 1)
			wr_u16(&l, h);
	}
	notify_write(w, PROTO_NONE, (struct bytes){ 0 }, N_SIGNATURE_HASH_ALGORITHMS, wr_done(&l));
}

static enum gw_err send_init(struct ini_sa *sa)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;
	const struct ini_cfg *cfg = ini->cfg;
	struct ike_header h = {
		.spi_i = sa->spi_i, .version = 0x20, .exchange = IKE_SA_INIT, .flags = IKE_FLAG_INITIATOR
	};
	struct msg_writer w;
	uint8_t buf[INI_CHAIN];
	struct bytes done;

	if (!o->dh || dh_alg_of(o->dh)->id != o->group) {
		ini_dh_drop(ini, o->dh);
		TRY(ini_dh_take(ini, o->group, &o->dh));
	}
	msg_begin(&w, buf, sizeof(buf), &h);
	/* 2.6: the cookie comes first, the rest stays as it was. */
	if (o->cookie.n)
		notify_write(&w, PROTO_NONE, (struct bytes){ 0 }, N_COOKIE, secret_bytes(&o->cookie));
	ini_offer_write(&w, cfg->ike, cfg->ike_count, PROTO_IKE, (struct bytes){ 0 });
	ke_write(&w, o->group, dh_public(o->dh));
	nonce_write(&w, bytes_of(o->ni, sizeof(o->ni)));
	TRY(ini_natd_write(sa, &w));
	if (cfg->fragmentation)
		notify_simple(&w, N_IKEV2_FRAGMENTATION_SUPPORTED);
	if (cfg->hashes)
		hashes_put(&w, cfg->hashes);
	if (cfg->vendor.n > 0)
		vendor_write(&w, cfg->vendor);
	TRY(msg_finish(&w, &done));
	secret_clear(&o->request);
	TRY(secret_copy(&o->request, done));
	ini_arm(sa, INI_INIT);
	ini_queue(ini, done);
	return GW_OK;
}

enum gw_err ini_open_start(struct ini *ini)
{
	struct ini_sa *sa = ini_sa_create(ini);
	struct ini_opening *o = ini->opening = calloc(1, sizeof(*o));

	if (!sa || !o)
		return GW_ENOMEM;
	sa->initiator = true;
	sa->state = INI_SA_OPENING;
	sa->send_next = 1; /* IKE_SA_INIT is request 0 */
	do
		TRY(rng_fill(ini->env->rng, &sa->spi_i, sizeof(sa->spi_i)));
	while (sa->spi_i == 0);
	TRY(rng_fill(ini->env->rng, o->ni, sizeof(o->ni)));
	o->group = first_group(ini->cfg);
	return send_init(sa);
}

void ini_cp_write(struct msg_writer *w, const struct ini_cfg *cfg)
{
	size_t mark = cp_begin(w, CFG_REQUEST);

	if (cfg->want_v4) {
		cp_attr(w, CFG_IP4_ADDRESS, (struct bytes){ 0 });
		cp_attr(w, CFG_IP4_DNS, (struct bytes){ 0 });
	}
	if (cfg->want_v6)
		cp_attr(w, CFG_IP6_ADDRESS, (struct bytes){ 0 });
	if (cfg->want_all) {
		static const uint16_t all[] = { CFG_IP4_NETMASK,	  CFG_IP4_NBNS,	  CFG_IP6_DNS,
						CFG_IP4_SUBNET,		  CFG_IP6_SUBNET, CFG_DNS_DOMAIN,
						CFG_SUPPORTED_ATTRIBUTES, 23456,	  9 };

		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			cp_attr(w, all[i], (struct bytes){ 0 });
	}
	cp_end(w, mark);
}

static size_t our_id(const struct ini *ini, uint8_t id[4 + IKE_MAX_ID])
{
	memset(id, 0, 4);
	id[0] = ini->self.id_kind;
	memcpy(id + 4, ini->self.id.p, ini->self.id.n);
	return 4 + ini->self.id.n;
}

enum gw_err ini_open_prove(struct ini_sa *sa, struct msg_writer *w, struct bytes key)
{
	struct ini *ini = sa->ini;
	const struct ini_opening *o = ini->opening;
	uint8_t auth[IKE_PRF_MAX], id[4 + IKE_MAX_ID];
	size_t n = our_id(ini, id);

	if (ini->self.cert && key.p == ini->cfg->psk.p)
		return ini_cert_write(sa, w, bytes_of(id, n));
	TRY(auth_psk(ini->env->crypto, sa->keys.prf, key, secret_bytes(&o->request), secret_bytes(&o->nr),
		     ike_keys_pi(&sa->keys), bytes_of(id, n), auth));
	auth_write(w, AUTH_PSK, bytes_of(auth, sa->keys.prf->len));
	return GW_OK;
}

/* RFC 7296 3.7: SHA-1 of the public keys of authorities, one behind the other. */
static void ask_cert(struct msg_writer *w, const struct ini_cfg *cfg)
{
	enum { X509 = 4, HASH = 20 };
	uint8_t list[256 * HASH];
	struct writer all = wr_of(list, sizeof(list));
	struct reader r;

	for (unsigned i = 0; i < cfg->ask_others; i++)
		memset(wr_room(&all, HASH), (int)i, HASH);
	wr_bytes(&all, bytes_of(cfg->trust->anchors[0].key_hash, HASH));
	r = rd_of(wr_done(&all));
	while (r.left > 0)
		cert_write(w, PL_CERTREQ, X509, rd_bytes(&r, cfg->ask_each ? (size_t)HASH : r.left));
}

static enum gw_err send_auth(struct ini_sa *sa)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;
	const struct ini_cfg *cfg = ini->cfg;
	struct proposal_cfg offer[IKE_MAX_PROPOSALS];
	uint8_t spi[4], buf[INI_CHAIN];
	struct msg_writer w;

	if (ini->self.id.n > IKE_MAX_ID)
		return GW_EINVAL;
	o->child_spi = ini_child_spi(ini);
	put_u32(spi, o->child_spi);
	chain_begin(&w, buf, sizeof(buf));
	id_write(&w, PL_IDI, ini->self.id_kind, ini->self.id);
	if (cfg->initial_contact)
		notify_simple(&w, N_INITIAL_CONTACT);
	if (cfg->mobike)
		notify_simple(&w, N_MOBIKE_SUPPORTED);
	if (cfg->trust && cfg->ask_cert)
		ask_cert(&w, cfg);
	if (cfg->eap.user.n == 0)
		TRY(ini_open_prove(sa, &w, cfg->psk));
	else if (cfg->eap.only)
		notify_simple(&w, N_EAP_ONLY_AUTHENTICATION);
	if (cfg->want_v4 || cfg->want_v6)
		ini_cp_write(&w, cfg);
	if (!(cfg->childless && ini->peer_childless)) {
		if (cfg->transport)
			notify_simple(&w, N_USE_TRANSPORT_MODE);
		if (cfg->fragments)
			notify_simple(&w, N_NON_FIRST_FRAGMENTS_ALSO);
		ini_offer_write(&w, offer, ini_offer_plain(cfg, offer, ARRAY_LEN(offer)), PROTO_ESP, bytes_of(spi, 4));
		ts_write(&w, PL_TSI, cfg->tsi, cfg->tsi_count);
		ts_write(&w, PL_TSR, cfg->tsr, cfg->tsr_count);
	}
	if (cfg->ballast) {
		size_t mark = payload_begin(&w, PL_VENDOR);

		wr_zero(&w.w, cfg->ballast);
		payload_end(&w, mark);
	}
	return ini_request(sa, INI_AUTH, IKE_AUTH, &w);
}

/* Where the answer to IKE_SA_INIT leads. */
static enum gw_err agree(struct ini_sa *sa, const struct datagram *in, const struct ike_header *h,
			 const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;
	const struct ini_cfg *cfg = ini->cfg;
	WIPED struct secret shared = { 0 };
	struct nat_verdict nat;
	struct chosen chosen;

	if (!msg_has(m, PL_SA) || !msg_has(m, PL_KE) || !msg_has(m, PL_NONCE) || h->spi_r == 0)
		return GW_EMALFORMED;
	TRY(proposal_answer(&m->sa, PROTO_IKE, cfg->ike, cfg->ike_count, &chosen, NULL));
	if (chosen.dh.id != o->group || m->ke.group != o->group)
		return GW_EPROPOSAL;
	TRY(dh_shared(ini->env->crypto, o->dh, m->ke.data, &shared));
	sa->encr = chosen.encr;
	sa->prf = chosen.prf;
	sa->integ = chosen.integ;
	sa->dh = chosen.dh;
	sa->keys.prf = prf_find(chosen.prf.id);
	TRY(chosen_suite(&chosen, &sa->keys.suite));
	sa->spi_r = h->spi_r;
	TRY(ike_keys_derive(ini->env->crypto, &sa->keys, bytes_of(o->ni, sizeof(o->ni)), m->nonce,
			    secret_bytes(&shared), sa->spi_i, sa->spi_r));
	TRY(secret_copy(&o->nr, m->nonce));
	TRY(secret_copy(&o->response, in->data));
	ini->peer_childless = msg_notify(m, N_CHILDLESS_IKEV2_SUPPORTED) != NULL;
	ini->peer_fragments = cfg->fragmentation && msg_notify(m, N_IKEV2_FRAGMENTATION_SUPPORTED);
	TRY(natd_judge(ini->env->crypto, m, &in->from, &in->to, &nat));
	if (!ini->natt && nat.known && (nat.peer || nat.us || cfg->fake_nat || cfg->mobike)) {
		ini->natt = true; /* 2.23: everything from now on; RFC 4555 3.3: with MOBIKE in any case */
		ini->local.port = ini->self.natt_port;
		ini->remote.port = cfg->natt_port;
	}
	ini_answered(sa);
	return send_auth(sa);
}

void ini_open_on_init(struct ini_sa *sa, const struct datagram *in, const struct ike_header *h)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;
	const struct notify_payload *n;
	struct ike_msg m;

	if (sa->kind != INI_INIT || !o ||
	    msg_parse(&m, h->next, bytes_of(in->data.p + IKE_HEADER_LEN, in->data.n - IKE_HEADER_LEN), NULL) != GW_OK) {
		ini->drops++;
		return;
	}
	m.h = *h;
	n = msg_notify(&m, N_COOKIE);
	if (n && !msg_has(&m, PL_SA)) {
		secret_clear(&o->cookie);
		if (o->restarts++ >= RESTARTS || secret_copy(&o->cookie, n->data) != GW_OK || send_init(sa) != GW_OK)
			ini_fail(ini, "cookies without end");
		return;
	}
	n = msg_notify(&m, N_INVALID_KE_PAYLOAD);
	if (n) {
		ini->error = n->type;
		o->group = n->data.n == 2 ? get_u16(n->data.p) : 0;
		if (o->restarts++ >= RESTARTS || send_init(sa) != GW_OK)
			ini_fail(ini, "no acceptable group");
		return;
	}
	n = msg_error(&m);
	if (n) {
		ini->error = n->type;
		ini->refused[INI_INIT]++;
		ini_fail(ini, "IKE_SA_INIT refused");
		return;
	}
	if (agree(sa, in, h, &m) != GW_OK)
		ini_fail(ini, "IKE_SA_INIT answer not usable");
	else
		ini->done[INI_INIT]++;
}

/* Text as text, the rest in hex. */
static void note_attribute(struct writer *w, const struct cfg_attribute *a)
{
	char hex[8];

	wr_bytes(w, bytes_of(hex, (size_t)snprintf(hex, sizeof(hex), "%u=", a->type)));
	for (size_t i = 0; i < a->value.n && a->type != CFG_DNS_DOMAIN; i++)
		wr_bytes(w, bytes_of(hex, (size_t)snprintf(hex, sizeof(hex), "%02x", a->value.p[i])));
	if (a->type == CFG_DNS_DOMAIN)
		wr_bytes(w, a->value);
	wr_bytes(w, bytes_str(" "));
}

static void take_addresses(struct ini *ini, const struct cp_payload *cp)
{
	struct writer notes = wr_of(ini->attributes, sizeof(ini->attributes) - 1);

	ini->inner_count = 0;
	for (size_t i = 0; i < cp->count; i++) {
		const struct cfg_attribute *a = &cp->a[i];
		struct bytes value = a->value;
		struct addr addr;

		if (a->type != CFG_IP4_ADDRESS && a->type != CFG_IP6_ADDRESS)
			note_attribute(&notes, a);
		if (a->type == CFG_IP6_ADDRESS && value.n == 17)
			value.n = 16; /* 3.15.1: the prefix length comes last */
		if (!addr_from_bytes(&addr, value))
			continue;
		if ((a->type == CFG_IP4_ADDRESS || a->type == CFG_IP6_ADDRESS) && ini->inner_count < INI_ADDRS)
			ini->inner[ini->inner_count++] = addr;
		else if (a->type == CFG_IP4_DNS)
			ini->dns = addr;
	}
	ini->attributes[notes.n] = 0;
}

void ini_cp_take(struct ini *ini, const struct ike_msg *m)
{
	if (msg_has(m, PL_CP) && m->cp.type == CFG_REPLY)
		take_addresses(ini, &m->cp);
}

static void take_greeting(struct ini *ini, const struct ike_msg *m)
{
	const struct notify_payload *lifetime = msg_notify(m, N_AUTH_LIFETIME);

	ini->auth_lifetime = lifetime && lifetime->data.n == 4 ? get_u32(lifetime->data.p) : 0;
	ini->peer_mobike = ini->cfg->mobike && msg_notify(m, N_MOBIKE_SUPPORTED);
	ini->also_count = 0;
	for (size_t i = 0; i < m->notify_count; i++)
		if ((m->notifies[i].type == N_ADDITIONAL_IP4_ADDRESS ||
		     m->notifies[i].type == N_ADDITIONAL_IP6_ADDRESS) &&
		    ini->also_count < INI_ALSO && addr_from_bytes(&ini->also[ini->also_count], m->notifies[i].data))
			ini->also_count++;
}

bool ini_open_proved(struct ini_sa *sa, const struct ike_msg *m, struct bytes key, struct bytes idr)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;
	uint8_t want[IKE_PRF_MAX];

	if (ini->cfg->trust && key.p == ini->cfg->psk.p)
		return ini_cert_proved(sa, m);
	return msg_has(m, PL_AUTH) && m->auth.method == AUTH_PSK && idr.n > 0 &&
	       auth_psk(ini->env->crypto, sa->keys.prf, key, secret_bytes(&o->response), bytes_of(o->ni, sizeof(o->ni)),
			ike_keys_pr(&sa->keys), idr, want) == GW_OK &&
	       secret_equal(m->auth.data, bytes_of(want, sa->keys.prf->len));
}

void ini_open_on_auth(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;
	const struct notify_payload *error = msg_error(m);
	struct proposal_cfg offer[IKE_MAX_PROPOSALS];
	struct ini_child *c;
	const char *why = NULL;

	ini_answered(sa);
	if (error)
		ini->error = error->type;
	if (error && !msg_has(m, PL_AUTH)) {
		ini->refused[INI_AUTH]++;
		ini_fail(ini, "IKE_AUTH refused");
		return;
	}
	if (ini->cfg->eap.user.n > 0) {
		if (!ini_eap_on_auth(sa, m))
			return;
	} else if (!ini_open_proved(sa, m, ini->cfg->psk, msg_has(m, PL_IDR) ? m->idr.body : (struct bytes){ 0 })) {
		ini_fail(ini, "the responder's AUTH is wrong");
		return;
	}
	sa->state = INI_SA_UP;
	ini->done[INI_AUTH]++;
	take_greeting(ini, m);
	ini_cp_take(ini, m);
	if (error || !msg_has(m, PL_SA)) {
		ini->child_error = error ? error->type : 0; /* 1.2: the IKE SA is up all the same */
	} else {
		c = ini_child_accept(sa, m, offer, ini_offer_plain(ini->cfg, offer, ARRAY_LEN(offer)), o->child_spi,
				     (struct bytes){ 0 }, bytes_of(o->ni, sizeof(o->ni)), secret_bytes(&o->nr), &why);
		if (!c) {
			ini->reason = why;
			sa->want_delete = true;
		}
	}
	ini_opening_destroy(ini);
}
