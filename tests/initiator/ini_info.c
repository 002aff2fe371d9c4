/* INFORMATIONAL: liveness and DELETE in both roles (RFC 7296 1.4, 2.25). */
#include "tests/initiator/ini.h"

enum gw_err ini_info_probe(struct ini_sa *sa)
{
	struct msg_writer w;
	uint8_t buf[16];

	chain_begin(&w, buf, sizeof(buf));
	return ini_request(sa, INI_PROBE, INFORMATIONAL, &w);
}

enum { COOKIE2 = 16 };

/* RFC 4555 3.5. */
enum gw_err ini_info_update(struct ini_sa *sa)
{
	struct ini *ini = sa->ini;
	struct ini_try *t = ini_try_create(sa);
	struct msg_writer w;
	uint8_t buf[256];

	if (!t)
		return GW_ENOMEM;
	TRY(rng_fill(ini->env->rng, t->nonce, COOKIE2));
	chain_begin(&w, buf, sizeof(buf));
	notify_simple(&w, N_UPDATE_SA_ADDRESSES);
	TRY(ini_natd_write(sa, &w));
	notify_write(&w, PROTO_NONE, (struct bytes){ 0 }, N_COOKIE2, bytes_of(t->nonce, COOKIE2));
	return ini_request(sa, INI_UPDATE, INFORMATIONAL, &w);
}

/* The answer has our cookie, and says what the responder saw. */
static void on_update(struct ini_sa *sa, const struct ike_msg *m)
{
	const struct notify_payload *cookie = msg_notify(m, N_COOKIE2), *error = msg_error(m);
	struct ini *ini = sa->ini;

	if (!cookie || !bytes_equal(cookie->data, bytes_of(sa->try_->nonce, COOKIE2)))
		ini_fail(ini, "COOKIE2 did not come back");
	else if (error)
		ini->error = error->type;
	else if (!msg_notify(m, N_NAT_DETECTION_SOURCE_IP) || !msg_notify(m, N_NAT_DETECTION_DESTINATION_IP))
		ini_fail(ini, "no NAT detection in the answer to an update");
}

enum gw_err ini_info_delete(struct ini_sa *sa)
{
	struct msg_writer w;
	uint8_t buf[64];

	chain_begin(&w, buf, sizeof(buf));
	delete_write(&w, PROTO_IKE, NULL, 0);
	sa->state = INI_SA_DELETING;
	return ini_request(sa, INI_IKE_DELETE, INFORMATIONAL, &w);
}

enum gw_err ini_info_delete_child(struct ini_sa *sa, struct ini_child *child)
{
	struct ini_try *t = ini_try_create(sa);
	struct msg_writer w;
	uint8_t buf[64];

	if (!t)
		return GW_ENOMEM;
	t->old_spi = child->spi_in;
	chain_begin(&w, buf, sizeof(buf));
	delete_write(&w, PROTO_ESP, &child->spi_in, 1);
	return ini_request(sa, INI_CHILD_DELETE, INFORMATIONAL, &w);
}

void ini_info_on_answer(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	enum ini_kind kind = sa->kind;
	struct ini_child *c;

	if (kind == INI_UPDATE)
		on_update(sa, m);
	if (kind == INI_SAY && msg_error(m))
		ini->error = msg_error(m)->type;
	if (ini->failed)
		return;
	ini_answered(sa);
	if (kind == INI_UPDATE && msg_error(m))
		ini->refused[kind]++;
	else
		ini->done[kind]++;
	if (kind == INI_CHILD_DELETE) {
		/* With or without the peer's SPI in it: the pair is gone (2.25.1). */
		c = ini_child_find_in(ini, sa->try_->old_spi);
		if (c)
			ini_child_remove(ini, c);
	}
	if (kind == INI_IKE_DELETE) {
		ini_sa_die(sa);
		sa->gone_at = ini_now(ini); /* nobody retransmits to it: the peer has answered */
		return;
	}
	ini_try_destroy(sa);
}

static void delete_children(struct ini_sa *sa, const struct delete_payload *d, uint32_t *reply, size_t *replies)
{
	struct ini *ini = sa->ini;
	struct reader r = rd_of(d->spis);

	for (size_t i = 0; i < d->count && d->spi_len == 4 && *replies < IKE_MAX_DELETE_SPIS; i++) {
		struct ini_sa *owner = NULL;
		struct ini_child *c = ini_child_find_out(ini, rd_u32(&r), &owner);

		if (!c)
			continue;
		/* 2.25.1: both delete it at once: then ours says enough. */
		if (!(owner->kind == INI_CHILD_DELETE && owner->try_->old_spi == c->spi_in))
			reply[(*replies)++] = c->spi_in;
		ini->peer_deletes++;
		ini_child_remove(ini, c);
	}
}

void ini_info_on_request(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	uint32_t reply[IKE_MAX_DELETE_SPIS];
	uint8_t buf[INI_CHAIN];
	size_t replies = 0;
	bool all = false;
	struct msg_writer w;

	for (size_t i = 0; i < m->delete_count; i++) {
		if (m->deletes[i].protocol == PROTO_IKE)
			all = true;
		else if (m->deletes[i].protocol == PROTO_ESP && !all)
			delete_children(sa, &m->deletes[i], reply, &replies);
	}
	if (m->delete_count == 0)
		ini->peer_probes++;
	chain_begin(&w, buf, sizeof(buf));
	if (replies && !all)
		delete_write(&w, PROTO_ESP, reply, replies);
	if (ini_respond(sa, INFORMATIONAL, m->h.id, &w) != GW_OK) {
		ini_fail(ini, "an answer could not be built");
		return;
	}
	if (all) {
		ini->peer_deletes++;
		ini_rekey_abandon(sa);
		ini_sa_die(sa);
	}
}
