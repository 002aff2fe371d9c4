/* INFORMATIONAL, both ways: liveness and deletion (RFC 7296 1.4, 1.4.1, 2.4). CREATE_CHILD_SA answers come by here too.
 */
#include "ike/engine.h"
#include "ike/mobike.h"
#include "ike/settle.h"

/* Our DELETE of what the peer has asked for so recently that our answer may not be there: when to send it again. */
enum { UNHEARD_SECONDS = 60, AGAIN_SECONDS = 5 };

/*
 * The peer closes what we do not know. It may be what it has just made at our request: then its answer was overtaken,
 * or our data plane is still busy with it, and nothing must come of it (1.4.1: the recipient MUST close it).
 */
static void closed_unseen(struct ike_sa *sa, uint32_t spi, uint32_t *answer, size_t *n)
{
	struct exchange *x = sa->our_x;

	if (!x || x->kind != X_REKEY_CHILD)
		return;
	x->gone_spi = spi;
	if (x->waiting && x->waiting->spi_out == spi && *n < IKE_MAX_DELETE_SPIS)
		answer[(*n)++] = x->waiting->spi_in;
}

/* 1.4.1: when both sides delete at once, the answer does not name it again. */
static bool we_delete_it(const struct child_sa *c)
{
	return c->state == CHILD_DELETING || (c->state == CHILD_REKEYED && !c->successor);
}

/* One Delete payload of the peer: what is ours of it goes, and its counterpart is listed for the answer. */
static void delete_children(struct ike_sa *sa, const struct delete_payload *d, uint32_t *answer, size_t *n)
{
	struct reader r = rd_of(d->spis);
	size_t acted = 0;

	if (d->protocol != PROTO_ESP || d->spi_len != 4)
		return;
	for (uint16_t i = 0; i < d->count && acted < IKE_MAX_DELETE_SPIS; i++) {
		uint32_t spi = rd_u32(&r);
		struct child_sa *c = child_by_out(sa, spi);

		if (!c) {
			closed_unseen(sa, spi, answer, n);
			continue;
		}
		acted++;
		if (!we_delete_it(c) && *n < IKE_MAX_DELETE_SPIS)
			answer[(*n)++] = c->spi_in;
		child_close(c, "deleted by the peer");
	}
}

/* Liveness: an empty request, or what a client with MOBIKE makes of it. */
static bool asks_nothing(const struct ike_msg *m)
{
	if (m->present & ~PL_BIT(PL_NOTIFY))
		return false;
	for (size_t i = 0; i < m->notify_count; i++) {
		if (!mobike_is_idle_notify(m->notifies[i].type))
			return false;
	}
	return true;
}

enum gw_err x_info_request(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	uint32_t spis[IKE_MAX_DELETE_SPIS];
	bool gone = false, quiet = asks_nothing(m), unbelieved = false;
	struct msg_writer w;
	struct mobike mobike;
	size_t n = 0;

	count_up(sa->ike, info_requests);
	TRY(mobike_request(sa, m, dg, &mobike));
	for (size_t i = 0; i < m->delete_count; i++) {
		if (m->deletes[i].protocol == PROTO_IKE)
			gone = true;
		else
			delete_children(sa, &m->deletes[i], spis, &n);
	}
	for (size_t i = 0; i < m->notify_count; i++)
		sa_log(sa, m->notifies[i].type < N_FIRST_STATUS ? LOG_LVL_INFO : LOG_LVL_DEBUG, "the peer says %s",
		       notify_name(m->notifies[i].type));
	/* 2.21.2: what a peer says that could not make anything of our last IKE_AUTH; nothing remains on its side. */
	unbelieved = msg_notify(m, N_AUTHENTICATION_FAILED) != NULL;
	chain_start(sa->ike, &w);
	if (n > 0 && !gone)
		delete_write(&w, PROTO_ESP, spis, n);
	TRY(mobike_write_answer(sa, &mobike, dg, &w));
	if (quiet)
		count_up(sa->ike, liveness_answered);
	/* DESIGN.md §3: liveness changes nothing that the standby would have to know, unless its sender has moved. */
	TRY(send_response(sa, INFORMATIONAL, &w, dg,
			  quiet && !mobike.changed && !sa->dirty ? IKE_EFFECT_NONE : IKE_EFFECT_STATE));
	if (gone) {
		x_rekey_ike_hand_back(sa);
		sa_close(sa, "deleted by the peer", true);
	} else if (unbelieved) {
		sa_close(sa, "the peer does not believe who we are", true);
	}
	return GW_OK;
}

static bool names(const struct ike_msg *m, const struct child_sa *c)
{
	for (size_t i = 0; i < m->delete_count; i++) {
		struct reader r = rd_of(m->deletes[i].spis);

		for (uint16_t k = 0; m->deletes[i].protocol == PROTO_ESP && k < m->deletes[i].count; k++) {
			if (rd_u32(&r) == c->spi_out)
				return true;
		}
	}
	return false;
}

/*
 * A DELETE can overtake the answer that makes what it deletes. The peer then says that there is no such SA (2.25.1:
 * a response without a Delete payload), gets our answer a moment later and has half of one for good.
 */
static bool maybe_unheard(const struct child_sa *c, const struct ike_msg *m)
{
	return !c->by_us && mtime_since(c->created, ike_now(c->sa->ike)) < SECONDS(UNHEARD_SECONDS) && !names(m, c);
}

static void delete_again(struct child_sa *c)
{
	c->state = CHILD_REKEYED;
	c->rekey_at = MTIME_NEVER;
	c->life_at = mtime_add(ike_now(c->sa->ike), SECONDS(AGAIN_SECONDS));
}

static void children_deleted(struct ike_sa *sa, const struct ike_msg *m)
{
	struct child_sa *c, *next;

	for (c = sa->children; c; c = next) {
		next = c->next;
		if (c->state != CHILD_DELETING)
			continue;
		if (maybe_unheard(c, m))
			delete_again(c);
		else
			child_close(c, sa->down_reason ? sa->down_reason : "deleted by us");
	}
}

enum gw_err x_info_response(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	uint8_t kind = sa->window.request_kind;

	(void)dg;
	window_answered(&sa->window);
	if (kind == REQ_PROBE && m->delete_count > 0)
		settle_lost(sa); /* nobody deletes in answer to nothing */
	else if (kind == REQ_PROBE)
		settle_answered(sa);
	if (kind == REQ_DELETE_CHILD)
		children_deleted(sa, m);
	if (kind == REQ_DELETE_IKE)
		sa_close(sa, sa->down_reason ? sa->down_reason : "deleted by us", false);
	else
		sa_touch(sa);
	return GW_OK;
}

enum gw_err x_create_response(struct ike_sa *sa, const struct ike_msg *m, const struct datagram *dg)
{
	struct exchange *x = sa->our_x;

	(void)dg;
	window_answered(&sa->window);
	sa_touch(sa);
	if (!x)
		return GW_OK; /* given up meanwhile */
	if (x->kind == X_REKEY_IKE)
		x_rekey_ike_response(sa, x, m);
	else
		x_rekey_child_response(sa, x, m);
	return GW_OK;
}

/* ---- our requests ---- */

enum gw_err x_probe_start(struct ike_sa *sa)
{
	struct msg_writer w;

	sa->want_dpd = false;
	count_up(sa->ike, liveness_sent);
	chain_start(sa->ike, &w);
	return send_request(sa, INFORMATIONAL, &w, REQ_PROBE, IKE_EFFECT_STATE);
}

enum gw_err x_delete_child_start(struct ike_sa *sa, struct child_sa *first)
{
	uint32_t spis[IKE_CHILD_MAX];
	struct msg_writer w;
	size_t n = 0;

	for (struct child_sa *c = first; c && n < IKE_CHILD_MAX; c = c->next) {
		if (!c->want_delete || c->state == CHILD_INSTALLING || c->state == CHILD_DELETING || c->token)
			continue;
		c->want_delete = false;
		c->state = CHILD_DELETING;
		spis[n++] = c->spi_in;
	}
	chain_start(sa->ike, &w);
	delete_write(&w, PROTO_ESP, spis, n);
	return send_request(sa, INFORMATIONAL, &w, REQ_DELETE_CHILD, IKE_EFFECT_STATE);
}

enum gw_err x_delete_ike_start(struct ike_sa *sa)
{
	struct msg_writer w;

	sa->want_delete = sa->want_rekey = sa->want_dpd = false;
	sa_set_state(sa, IKE_DELETING, sa->down_reason ? sa->down_reason : "we delete it");
	chain_start(sa->ike, &w);
	delete_write(&w, PROTO_IKE, NULL, 0);
	return send_request(sa, INFORMATIONAL, &w, REQ_DELETE_IKE, IKE_EFFECT_STATE);
}
