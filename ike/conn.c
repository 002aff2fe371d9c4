/* Which connection a peer gets, and which of its CHILD settings. */
#include "ike/disagree.h"
#include "ike/engine.h"
#include "ike/id.h"
#include "ike/ts.h"

#include <stdio.h>

static bool in_ranges(const struct range *r, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (range_contains(&r[i], a))
			return true;
	}
	return n == 0;
}

bool conn_serves(const struct conn_cfg *conn, const struct endpoint *local, const struct endpoint *remote)
{
	return in_ranges(conn->local_addrs, conn->local_addr_count, &local->addr) &&
	       in_ranges(conn->remote_addrs, conn->remote_addr_count, &remote->addr);
}

bool conn_any_childless(const struct settings *s, const struct endpoint *local, const struct endpoint *remote)
{
	for (size_t i = 0; i < s->conn_count; i++) {
		if (s->conns[i].childless && conn_serves(&s->conns[i], local, remote))
			return true;
	}
	return false;
}

/* Of every connection that serves the pair of addresses. */
static enum gw_err refuse_offer(const struct settings *s, const struct endpoint *local, const struct endpoint *remote,
				const struct sa_payload *offer, struct err *e)
{
	char why[DISAGREEMENT_TEXT], offered[200], ours[200], text[PROPOSAL_TEXT];
	const struct proposal_cfg *all[64];
	struct writer w = wr_of(ours, sizeof(ours) - 4);
	size_t n = 0;

	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];

		for (size_t k = 0; conn_serves(c, local, remote) && k < c->proposal_count && n < ARRAY_LEN(all); k++) {
			wr_bytes(&w, bytes_str(n > 0 ? ", " : ""));
			wr_bytes(&w, bytes_str(proposal_text(&c->proposals[k], text)));
			all[n++] = &c->proposals[k];
		}
	}
	(void)snprintf(ours + w.n, sizeof(ours) - w.n, "%s", w.bad ? "..." : "");
	return err_set(e, GW_EPROPOSAL, "no common IKE proposal: %s (all that is offered: %s; configured: %s)",
		       disagreement(offer, PROTO_IKE, all, n, PROPOSAL_DH_REQUIRED, why),
		       offer_text(offer, offered, sizeof(offered)), ours);
}

enum gw_err conn_propose(const struct settings *s, const struct endpoint *local, const struct endpoint *remote,
			 const struct sa_payload *offer, uint16_t group, struct chosen *out, struct err *e)
{
	enum gw_err best = GW_ENOTFOUND;
	struct chosen other;

	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];
		enum gw_err code;

		if (!conn_serves(c, local, remote))
			continue;
		code = proposal_choose(offer, PROTO_IKE, c->proposals, c->proposal_count, group, PROPOSAL_DH_REQUIRED,
				       &other, NULL);
		if (code == GW_OK) {
			*out = other;
			return GW_OK;
		}
		if (code == GW_EGROUP && best != GW_EGROUP) {
			*out = other;
			best = GW_EGROUP;
		} else if (best == GW_ENOTFOUND) {
			best = code;
		}
	}
	if (best == GW_ENOTFOUND)
		return err_set(e, GW_ENOTFOUND, "no connection serves this address pair");
	return best == GW_EPROPOSAL ? refuse_offer(s, local, remote, offer, e) : best;
}

static bool accepts_suite(const struct conn_cfg *conn, const struct ike_sa *sa)
{
	const struct transform *const want[] = { &sa->encr, &sa->prf, &sa->integ, &sa->dh };

	for (size_t i = 0; i < conn->proposal_count; i++) {
		const struct proposal_cfg *p = &conn->proposals[i];
		size_t found = 0, needed = 0;

		for (size_t k = 0; k < ARRAY_LEN(want); k++) {
			if (want[k]->type == 0)
				continue;
			needed++;
			for (size_t t = 0; t < p->n; t++) {
				if (p->t[t].type == want[k]->type && p->t[t].id == want[k]->id &&
				    p->t[t].key_bits == want[k]->key_bits) {
					found++;
					break;
				}
			}
		}
		if (found == needed)
			return true;
	}
	return false;
}

int conn_rank(const struct conn_cfg *conn, const struct ike_sa *sa, const struct id_payload *idi,
	      const struct id_payload *idr)
{
	int rank;

	if (!conn_serves(conn, &sa->local, &sa->remote) || !accepts_suite(conn, sa))
		return 0;
	rank = id_match_rank(conn->remote_ids, conn->remote_id_count, idi->kind, idi->data);
	if (rank == 0)
		return 0;
	rank *= 4;
	if (idr) {
		if (conn->local_id.kind == ID_NONE)
			rank += 1;
		else if (!id_matches(&conn->local_id, idr->kind, idr->data))
			return 0; /* it asks for somebody else */
		else
			rank += 2;
	}
	return rank;
}

const struct secret *conn_psk(const struct conn_cfg *conn, uint8_t kind, struct bytes data)
{
	const struct secret *best = &conn->psk;
	int most = 0;

	for (size_t i = 0; i < conn->psk_count; i++) {
		const struct psk_cfg *p = &conn->psks[i];
		int rank = id_match_rank(p->ids, p->id_count, kind, data);

		if (rank > most) {
			most = rank;
			best = &p->psk;
		}
	}
	return best;
}

static const char *configured_id(const struct id_cfg *id)
{
	return id->kind == ID_NONE || !id->text ? "*" : id->text;
}

/* Whole words only. */
static void add_word(struct writer *w, const char *word)
{
	struct writer undo = *w;

	if (w->n > 0)
		wr_bytes(w, bytes_str(", "));
	wr_bytes(w, bytes_str(word));
	if (w->bad)
		*w = undo;
}

const char *conn_explain(const struct ike_sa *sa, const struct id_payload *idi, const struct id_payload *idr, char *buf,
			 size_t n)
{
	const struct settings *s = sa->settings;
	char ids[160], whom[ID_TEXT], suite[CHOSEN_TEXT];
	struct writer w = wr_of(ids, sizeof(ids) - 1);

	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];
		struct chosen agreed = { .encr = sa->encr, .prf = sa->prf, .integ = sa->integ, .dh = sa->dh };

		if (!conn_serves(c, &sa->local, &sa->remote))
			continue;
		for (size_t k = 0; k < c->remote_id_count; k++)
			add_word(&w, configured_id(&c->remote_ids[k]));
		if (id_match_rank(c->remote_ids, c->remote_id_count, idi->kind, idi->data) == 0)
			continue;
		if (idr && !id_matches(&c->local_id, idr->kind, idr->data))
			(void)snprintf(buf, n, "it asks for %.100s; connection %s is %.100s",
				       id_text(idr->kind, idr->data, whom), c->name, configured_id(&c->local_id));
		else
			(void)snprintf(buf, n, "connection %s does not allow its IKE proposal %s", c->name,
				       chosen_text(&agreed, suite));
		return buf;
	}
	ids[w.n] = '\0';
	(void)snprintf(buf, n, "no connection for this identity; configured: %s", ids);
	return buf;
}

size_t conn_local_selectors(const struct ike_sa *sa, const struct child_cfg *cfg, struct selector *out, size_t max)
{
	const struct group_cfg *g = sa->group && sa->group->local_count > 0 ? sa->group : NULL;
	const struct selector *local = g ? g->local : cfg->local;
	size_t count = g ? g->local_count : cfg->local_count, n = 0;

	for (size_t i = 0; i < count && n < max; i++)
		out[n++] = local[i];
	if (n == 0 && max > 0) /* none: the gateway itself */
		out[n++] = selector_of(&(struct range){ sa->local.addr, sa->local.addr });
	return n;
}

size_t conn_remote_selectors(const struct ike_sa *sa, const struct child_cfg *cfg, bool transport, struct selector *out,
			     size_t max)
{
	const struct addr *outer = transport ? &sa->remote.addr : &sa->came_from;
	size_t n = 0;

	for (size_t i = 0; i < cfg->remote_count && n < max; i++)
		out[n++] = cfg->remote[i];
	if (cfg->remote_count > 0)
		return n;
	for (size_t i = 0; i < SA_LEASES && n < max; i++) {
		if (sa->leases[i].pool)
			out[n++] = selector_of(&(struct range){ sa->leases[i].addr, sa->leases[i].addr });
	}
	if (n == 0 && max > 0) /* dynamic without an inner address */
		out[n++] = selector_of(&(struct range){ *outer, *outer });
	return n;
}

/* One selector a side, the peer's first choice and what fits it. */
static void keep_one_pair(struct child_match *out)
{
	out->more = out->n_ours > 1 || out->n_theirs > 1;
	out->n_theirs = 1;
	out->n_ours = ts_keep_matched(out->ours, out->n_ours, out->theirs, 1);
	out->n_ours = out->n_ours > 1 ? 1 : out->n_ours;
}

void conn_name_inner(const struct ike_sa *sa, struct selector *theirs, size_t n)
{
	for (size_t i = 0; i < SA_LEASES; i++) {
		const struct addr unknown = { .family = sa->leases[i].addr.family };

		if (sa->leases[i].pool)
			transport_rename(theirs, n, &unknown, &sa->leases[i].addr);
	}
}

static enum gw_err narrow(const struct ike_sa *sa, const struct child_cfg *cfg, const struct ike_msg *m,
			  struct child_match *out)
{
	struct selector ours[IKE_CHILD_SELECTORS * 2], theirs[IKE_CHILD_SELECTORS * 2];
	struct selector tsi[IKE_MAX_SELECTORS], tsr[IKE_MAX_SELECTORS];
	size_t n_ours = conn_local_selectors(sa, cfg, ours, ARRAY_LEN(ours));
	size_t n_theirs = conn_remote_selectors(sa, cfg, out->transport, theirs, ARRAY_LEN(theirs));

	memcpy(tsi, m->tsi.s, m->tsi.count * sizeof(*tsi));
	memcpy(tsr, m->tsr.s, m->tsr.count * sizeof(*tsr));
	if (out->transport) { /* 2.23.1 */
		transport_rename(tsi, m->tsi.count, &out->told.theirs, &sa->remote.addr);
		transport_rename(tsr, m->tsr.count, &out->told.ours, &sa->local.addr);
	} else {
		conn_name_inner(sa, tsi, m->tsi.count);
	}
	/* The peer is the initiator of this exchange: TSi is its side. */
	out->n_theirs = ts_narrow(tsi, m->tsi.count, theirs, n_theirs, out->theirs, IKE_CHILD_SELECTORS);
	out->n_ours = ts_narrow(tsr, m->tsr.count, ours, n_ours, out->ours, IKE_CHILD_SELECTORS);
	/* What no packet could have at its other end goes: a client without an IPv6 address gets no IPv6 selectors. */
	out->n_ours = ts_keep_matched(out->ours, out->n_ours, out->theirs, out->n_theirs);
	out->n_theirs = ts_keep_matched(out->theirs, out->n_theirs, out->ours, out->n_ours);
	if (out->n_ours == 0 || out->n_theirs == 0)
		return GW_ETS;
	if (cfg->single_pair)
		keep_one_pair(out);
	out->fragments = msg_notify(m, N_NON_FIRST_FRAGMENTS_ALSO) &&
			 child_takes_fragments(out->ours, out->n_ours, out->theirs, out->n_theirs);
	return !out->transport || transport_fits(sa, out->ours, out->n_ours, out->theirs, out->n_theirs) ? GW_OK
													 : GW_ETS;
}

/* Transport mode where both want it and it is between the outer addresses; else tunnel mode, unless that is not wanted.
 */
static enum gw_err narrow_in_some_mode(const struct ike_sa *sa, const struct child_cfg *cfg, const struct ike_msg *m,
				       struct child_match *out)
{
	bool may = cfg->mode != CHILD_MODE_TUNNEL && sa->ike->can_transport && msg_notify(m, N_USE_TRANSPORT_MODE);

	out->more = false;
	out->told = may ? transport_told(sa, m->tsi.s, m->tsi.count, m->tsr.s, m->tsr.count) : (struct told_ends){ 0 };
	out->transport = may;
	if (may && narrow(sa, cfg, m, out) == GW_OK)
		return GW_OK;
	out->transport = false;
	out->told = (struct told_ends){ 0 };
	return cfg->mode == CHILD_MODE_TRANSPORT ? GW_ETS : narrow(sa, cfg, m, out);
}

static enum gw_err try_child(const struct ike_sa *sa, const struct child_cfg *cfg, const struct ike_msg *m,
			     bool with_ke, struct child_match *out, struct err *e)
{
	static const enum proposal_dh dh_of[] = { [PFS_OPTIONAL] = PROPOSAL_DH_OPTIONAL,
						  [PFS_REQUIRED] = PROPOSAL_DH_REQUIRED,
						  [PFS_OFF] = PROPOSAL_DH_NEVER };
	enum proposal_dh dh = with_ke ? dh_of[cfg->pfs] : PROPOSAL_DH_IGNORED;
	char a[160], b[160], c[160], d[160];
	struct selector s[IKE_CHILD_SELECTORS];
	uint16_t group = msg_has(m, PL_KE) ? m->ke.group : 0;
	size_t n;

	out->cfg = cfg;
	if (narrow_in_some_mode(sa, cfg, m, out) != GW_OK) {
		if (cfg->mode == CHILD_MODE_TRANSPORT && !msg_notify(m, N_USE_TRANSPORT_MODE))
			return err_set(e, GW_ETS, "it asks for tunnel mode; configured: transport");
		ts_text(m->tsi.s, m->tsi.count, a, sizeof(a));
		ts_text(m->tsr.s, m->tsr.count, b, sizeof(b));
		n = conn_remote_selectors(sa, cfg, cfg->mode == CHILD_MODE_TRANSPORT, s, ARRAY_LEN(s));
		ts_text(s, n, c, sizeof(c));
		n = conn_local_selectors(sa, cfg, s, ARRAY_LEN(s));
		ts_text(s, n, d, sizeof(d));
		return err_set(e, GW_ETS, "no common traffic selectors; asked for %s === %s; configured %s === %s", a,
			       b, c, d);
	}
	return proposal_choose(&m->sa, PROTO_ESP, cfg->proposals, cfg->proposal_count, group, dh, &out->chosen, e);
}

enum gw_err conn_match_child(const struct ike_sa *sa, const struct child_cfg *only, const struct ike_msg *m,
			     bool with_ke, struct child_match *out, struct err *e)
{
	enum gw_err best = GW_ETS;
	struct err first = { 0 };

	if (only)
		return try_child(sa, only, m, with_ke, out, e);
	err_set(&first, GW_ETS, "the connection has no CHILD settings");
	for (size_t i = 0; i < sa->conn->child_count; i++) {
		struct err mine = { 0 };
		struct child_match match;
		enum gw_err code = try_child(sa, &sa->conn->children[i], m, with_ke, &match, &mine);

		if (code == GW_OK || (code == GW_EGROUP && best != GW_EGROUP))
			*out = match;
		if (code == GW_OK)
			return GW_OK;
		/* The most helpful refusal: a wrong group before a wrong proposal before wrong selectors. */
		if (i == 0 || code == GW_EGROUP || (code == GW_EPROPOSAL && best == GW_ETS)) {
			best = code;
			first = mine;
		}
	}
	if (e)
		*e = first;
	return best;
}

const struct child_cfg *conn_child(const struct conn_cfg *conn, const char *name)
{
	for (size_t i = 0; i < conn->child_count; i++) {
		if (strcmp(conn->children[i].name, name) == 0)
			return &conn->children[i];
	}
	return NULL;
}

uint16_t error_notify(enum gw_err code)
{
	switch (code) {
	case GW_EPROPOSAL:
	case GW_EUNSUPPORTED:
		return N_NO_PROPOSAL_CHOSEN;
	case GW_EGROUP:
		return N_INVALID_KE_PAYLOAD;
	case GW_ETS:
		return N_TS_UNACCEPTABLE;
	case GW_EADDRESS:
		return N_INTERNAL_ADDRESS_FAILURE;
	case GW_EAUTH:
		return N_AUTHENTICATION_FAILED;
	case GW_ELIMIT:
		return N_NO_ADDITIONAL_SAS;
	case GW_EMALFORMED:
		return N_INVALID_SYNTAX;
	default:
		return N_TEMPORARY_FAILURE;
	}
}
