/* CHILD SAs: what they are, and their way into and out of the data plane. */
#include <stdlib.h>

#include "ike/engine.h"
#include "ike/reqid.h"

_Static_assert(CONN_OFFLOAD_CRYPTO == (int)DP_OFFLOAD_CRYPTO && CONN_OFFLOAD_PACKET == (int)DP_OFFLOAD_PACKET,
	       "offload: config/model.h and esp/dataplane.h");
#include "ike/ts.h"

struct child_sa *child_create(struct ike_sa *sa, const struct child_cfg *cfg, uint32_t spi_in)
{
	struct ike *ike = sa->ike;
	struct child_sa *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->sa = sa;
	c->cfg = cfg;
	c->id = ++ike->next_id;
	c->spi_in = spi_in;
	c->state = CHILD_INSTALLING;
	c->begun = c->created = c->used = ike_now(ike);
	c->rekey_at = c->life_at = MTIME_NEVER;
	if (!chain_add(&ike->by_child, &c->by_spi, table_hash(&ike->seed, &c->spi_in, sizeof(c->spi_in)))) {
		free(c);
		return NULL;
	}
	c->next = sa->children;
	sa->children = c;
	return c;
}

void child_free(struct child_sa *c)
{
	secret_clear(&c->in_keys);
	secret_clear(&c->out_keys);
	free(c->ours); /* `theirs` is in the same block */
	free(c);
}

struct child_sa *child_by_out(const struct ike_sa *sa, uint32_t spi_out)
{
	for (struct child_sa *c = sa->children; c; c = c->next) {
		if (c->spi_out == spi_out && c->state != CHILD_INSTALLING)
			return c;
	}
	return NULL;
}

enum gw_err child_selectors(struct child_sa *c, const struct selector *ours, size_t n_ours,
			    const struct selector *theirs, size_t n_theirs)
{
	struct selector *s;

	if (n_ours > UINT8_MAX || n_theirs > UINT8_MAX)
		return GW_ELIMIT;
	s = malloc((n_ours + n_theirs) * sizeof(*s));
	if (!s)
		return GW_ENOMEM;
	memcpy(s, ours, n_ours * sizeof(*s));
	memcpy(s + n_ours, theirs, n_theirs * sizeof(*s));
	free(c->ours);
	c->ours = s;
	c->theirs = s + n_ours;
	c->ours_count = (uint8_t)n_ours;
	c->theirs_count = (uint8_t)n_theirs;
	return GW_OK;
}

enum gw_err child_match_adopt(struct child_sa *c, const struct child_match *match)
{
	c->transport = match->transport;
	c->fragments = match->fragments;
	c->told_ours = match->told.ours;
	c->told_theirs = match->told.theirs;
	TRY(child_adopt(c, &match->chosen));
	return child_selectors(c, match->ours, match->n_ours, match->theirs, match->n_theirs);
}

void child_write_ts(const struct child_sa *c, bool theirs, uint8_t payload, struct msg_writer *m)
{
	const struct selector *from = theirs ? c->theirs : c->ours;
	size_t n = theirs ? c->theirs_count : c->ours_count;
	struct selector s[IKE_CHILD_SELECTORS];

	memcpy(s, from, n * sizeof(*s));
	if (c->one_pair)
		n = theirs ? 1 : ts_keep_matched(s, n, c->theirs, 1) > 0;
	transport_rename(s, n, theirs ? &c->sa->remote.addr : &c->sa->local.addr,
			 theirs ? &c->told_theirs : &c->told_ours);
	ts_write(m, payload, s, n);
}

void child_write_notifies(const struct child_sa *c, struct msg_writer *m)
{
	if (c->transport)
		notify_simple(m, N_USE_TRANSPORT_MODE);
	if (c->fragments)
		notify_simple(m, N_NON_FIRST_FRAGMENTS_ALSO);
}

bool child_takes_fragments(const struct selector *ours, size_t n_ours, const struct selector *theirs, size_t n_theirs)
{
	const struct selector *const sides[] = { ours, theirs };
	const size_t n[] = { n_ours, n_theirs };

	for (size_t side = 0; side < 2; side++) {
		for (size_t i = 0; i < n[side]; i++) {
			if (sides[side][i].port_lo != 0 || sides[side][i].port_hi != UINT16_MAX)
				return false;
		}
	}
	return true;
}

void child_write_answer(const struct child_sa *c, uint8_t proposal, struct msg_writer *m)
{
	struct chosen agreed = { .encr = c->encr, .integ = c->integ, .esn = c->esn, .dh = c->dh };
	struct transform t[5];
	uint8_t spi[4];
	size_t mark = sa_begin(m);

	put_u32(spi, c->spi_in);
	proposal_write(m, proposal, PROTO_ESP, bytes_of(spi, 4), t, chosen_transforms(&agreed, t), false);
	sa_end(m, mark);
	child_write_notifies(c, m);
	child_write_ts(c, true, PL_TSI, m);
	child_write_ts(c, false, PL_TSR, m);
}

enum gw_err child_adopt(struct child_sa *c, const struct chosen *chosen)
{
	struct reader r = rd_of(chosen->spi);

	TRY(chosen_suite(chosen, &c->suite));
	c->encr = chosen->encr;
	c->integ = chosen->integ;
	c->esn = chosen->esn;
	c->dh = chosen->dh;
	c->spi_out = rd_u32(&r);
	return r.bad || c->spi_out == 0 ? GW_EMALFORMED : GW_OK;
}

enum gw_err child_keys(struct child_sa *c, bool we_began, struct bytes shared, struct bytes ni, struct bytes nr)
{
	struct secret *i2r = we_began ? &c->out_keys : &c->in_keys;
	struct secret *r2i = we_began ? &c->in_keys : &c->out_keys;

	c->by_us = we_began;
	return child_keymat(c->sa->ike->env->crypto, &c->sa->keys, &c->suite, shared, ni, nr, i2r, r2i);
}

/*
 * What the connection says that only a kernel knows. Packets from the client get its mark when they come out of the
 * tunnel, since nobody else could give it to them; those to it have to have it already.
 */
static struct dp_extra extra_of(const struct conn_cfg *conn, enum dp_dir dir)
{
	const struct mark_cfg *set = dir == DP_IN ? &conn->mark : &conn->output_mark;
	struct dp_extra x = { .if_id = conn->if_id,
			      .output_mark = set->value,
			      .output_mask = set->mask,
			      .offload = (enum dp_offload)conn->offload };

	if (dir == DP_OUT) {
		x.mark = conn->mark.value;
		x.mark_mask = conn->mark.mask;
	}
	return x;
}

static void op_sa(const struct child_sa *c, enum dp_dir dir, struct dp_op *op)
{
	const struct ike_sa *sa = c->sa;
	const struct secret *keys = dir == DP_IN ? &c->in_keys : &c->out_keys;
	size_t encr = suite_encr_key_len(&c->suite);

	*op = (struct dp_op){
		.kind = DP_SA_ADD,
		.sa = {
			.dir = dir,
			.mode = c->transport ? DP_TRANSPORT : DP_TUNNEL,
			.spi = dir == DP_IN ? c->spi_in : c->spi_out,
			.reqid = c->reqid,
			.local = sa->local,
			.remote = sa->remote,
			.udp_encap = sa_udp_encap(sa),
			.suite = c->suite,
			.encr_key = { keys->p, encr },
			.integ_key = { keys->p + encr, keys->n - encr },
			.esn = c->esn.id == ESN_YES,
			.replay_window = c->cfg->replay_window,
			.copy_dscp = c->cfg->copy_dscp,
			.copy_df = c->cfg->copy_df,
			.fence = DP_NO_FENCE,
			.extra = extra_of(sa->conn, dir),
		},
	};
}

void child_op_in(const struct child_sa *c, struct dp_op *ops, size_t *n)
{
	op_sa(c, DP_IN, &ops[(*n)++]);
}

void child_op_out(const struct child_sa *c, struct dp_op *ops, size_t *n)
{
	struct dp_op *op = &ops[(*n)++];

	op_sa(c, DP_OUT, op);
	op->sa.inherited = c->inherited;
	op->sa.begun = c->begun;
}

void child_op_policy(const struct child_sa *c, struct dp_op *ops, size_t *n)
{
	ops[(*n)++] = (struct dp_op){
		.kind = DP_POLICY_SET,
		.policy = {
			.reqid = c->reqid,
			.mode = c->transport ? DP_TRANSPORT : DP_TUNNEL,
			.local = c->sa->local,
			.remote = c->sa->remote,
			.ours = c->ours,
			.ours_count = c->ours_count,
			.theirs = c->theirs,
			.theirs_count = c->theirs_count,
			.extra = {
				.if_id = c->sa->conn->if_id,
				.mark = c->sa->conn->mark.value,
				.mark_mask = c->sa->conn->mark.mask,
			},
		},
	};
}

static uint64_t new_token(struct child_sa *c)
{
	/* The SPI finds the CHILD SA again; the upper half makes an answer to an earlier question recognisable. */
	c->token = ++c->sa->ike->token << 32 | c->spi_in;
	return c->token;
}

enum gw_err child_install(struct child_sa *c, bool inbound_only)
{
	struct dp_op ops[3];
	size_t n = 0;

	child_op_in(c, ops, &n);
	if (!inbound_only)
		child_op_out(c, ops, &n);
	child_op_policy(c, ops, &n);
	if (ike_operate(c->sa->ike, new_token(c), ops, n) != GW_OK) {
		c->token = 0;
		return GW_ENOMEM;
	}
	c->in_installed = true;
	c->out_installed = !inbound_only;
	return GW_OK;
}

void child_install_out(struct child_sa *c)
{
	struct dp_op op;
	size_t n = 0;

	if (c->out_installed)
		return;
	child_op_out(c, &op, &n);
	c->out_installed = ike_operate(c->sa->ike, new_token(c), &op, n) == GW_OK;
	if (!c->out_installed)
		c->token = 0;
}

/* Where any number of SAs may have one identity nothing is shared, and nobody looks through them. */
static const struct ike_sa *sharers(const struct ike_sa *sa)
{
	return sa->peer && sa->conn->unique.policy != UNIQUE_NEVER ? sa->peer->sas : NULL;
}

uint32_t child_shared_reqid(const struct ike_sa *sa, const struct child_match *match)
{
	for (const struct ike_sa *o = sharers(sa); o; o = o->next_of_peer) {
		for (const struct child_sa *c = o != sa ? o->children : NULL; c; c = c->next) {
			if (c->transport == match->transport &&
			    ts_same(c->ours, c->ours_count, match->ours, match->n_ours) &&
			    ts_same(c->theirs, c->theirs_count, match->theirs, match->n_theirs))
				return c->reqid;
		}
	}
	return ike_new_reqid(sa->ike);
}

mtime child_silent_at(const struct child_sa *c)
{
	return c->cfg->inactivity_us > 0 && c->state == CHILD_UP && !c->want_delete && c->sa->state == IKE_UP
		       ? mtime_add(c->used, c->cfg->inactivity_us)
		       : MTIME_NEVER;
}

void child_detach(struct child_sa *c)
{
	struct ike_sa *sa = c->sa;
	struct ike *ike = sa->ike;
	struct child_sa **at;

	for (at = &sa->children; *at && *at != c; at = &(*at)->next)
		;
	if (*at)
		*at = c->next;
	chain_remove(&ike->by_child, &c->by_spi);
	reqid_leave(c);
	if (c->state != CHILD_INSTALLING)
		ike->children--;
	if (sa->our_x && sa->our_x->waiting == c)
		sa->our_x->waiting = NULL;
	c->token = 0;
	c->next = ike->graves.children;
	ike->graves.children = c;
}

void child_close(struct child_sa *c, const char *reason)
{
	struct ike_sa *sa = c->sa;
	struct ike *ike = sa->ike;
	struct dp_op ops[3] = { 0 };
	size_t n = 0;

	for (struct child_sa *o = sa->children; o; o = o->next) {
		if (o->spi_in == c->successor && o->state == CHILD_UP)
			child_install_out(o); /* make before break: it takes over now at the latest */
	}
	/* Never what the plane refused: under that outbound SPI it has the SA of somebody else. */
	reqid_leave(c);
	if (c->in_installed && !reqid_find(ike, c->reqid)) {
		ops[n].kind = DP_POLICY_REMOVE;
		ops[n++].reqid = c->reqid;
	}
	if (c->out_installed) {
		/* While it is being installed nobody knows whose that SPI of the peer's is: then it is the first one's.
		 */
		ops[n].kind = DP_SA_REMOVE;
		ops[n].owner = c->reqid;
		ops[n++].id = (struct dp_sa_id){ DP_OUT, c->spi_out, sa->remote.addr };
	}
	if (c->in_installed) {
		ops[n].kind = DP_SA_REMOVE;
		ops[n++].id = (struct dp_sa_id){ DP_IN, c->spi_in, sa->remote.addr };
	}
	if (n > 0 && ike_operate(ike, 0, ops, n) != GW_OK)
		count_up(ike, drop_memory);
	if (c->state != CHILD_INSTALLING) {
		count_up(ike, children_closed);
		if (c->successor == 0 && sa->state == IKE_UP)
			sa_log(sa, c->redundant ? LOG_LVL_DEBUG : LOG_LVL_INFO, "CHILD SA #%u (%s) down: %s", c->id,
			       c->cfg->name, reason);
		ike_report(ike, IKE_EV_CHILD_DOWN, sa, c, reason);
	}
	child_detach(c);
	sa_touch(sa);
}
