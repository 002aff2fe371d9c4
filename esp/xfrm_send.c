#include "esp/xfrm_state.h"

#include <errno.h>
#include <stdio.h>

bool xfrm_send_is_full(const struct xfrm_plane *x)
{
	return x->tx.count >= XFRM_SENT_MAX;
}

void xfrm_note(struct xfrm_plane *x, enum xfrm_tag tag, struct sad_sa *sa)
{
	x->sent[x->tx.count - 1] =
		(struct xfrm_sent){ .flight = x->current, .sa = sa, .op = x->current_op, .tag = tag };
}

/* Which module or right is missing, where the number alone tells little. */
static const char *remedy(int number)
{
	switch (number) {
	case EPROTONOSUPPORT:
		return " (ESP is missing: modprobe esp4 esp6)";
	case ENOSYS:
		return " (an algorithm is missing in this kernel)";
	case EPERM:
		return " (CAP_NET_ADMIN is missing)";
	default:
		return "";
	}
}

static void fail_flight(struct xfrm_flight *f, size_t op, enum gw_err code, const char *text, int number)
{
	struct batch *b = f->b;

	if (b->result != GW_OK)
		return; /* the first failure is the one that says why */
	b->result = code;
	(void)snprintf(b->text, sizeof(b->text), "operation %zu of %zu, %s: %s%s", op + 1, b->n,
		       batch_op_name(b->ops[op].kind), text[0] ? text : strerror(number), remedy(number));
}

/* A state that should be updated is not there. One with a fence is taken to have come to it while we were writing. */
static bool expired_meanwhile(struct xfrm_plane *x, struct xfrm_sent *m, int number)
{
	struct sad_sa *sa = m->sa;

	if ((m->tag != SENT_UPDATE && m->tag != SENT_NUMBERS) || number != ESRCH || sa->key.dir != DP_OUT ||
	    sa->kernel.hard == XFRM_NO_LIMIT)
		return false;
	xfrm_sa_expired(x, sa);
	return true;
}

static void on_error(void *arg, uint32_t index, int number, const char *text)
{
	struct xfrm_plane *x = arg;
	struct xfrm_sent *m = &x->sent[index];

	m->failed = true;
	if ((m->tag == SENT_DELETE || m->tag == SENT_REPORTS) && (number == ESRCH || number == ENOENT)) {
		m->failed = false;
		return;
	}
	if (expired_meanwhile(x, m, number))
		return;
	x->stats[XS_ERRORS]++;
	if (m->flight)
		fail_flight(m->flight, m->op, xfrm_error(number), text, number);
	else if (ratelimit_allow(&x->complain, x->now, NULL))
		log_warn(x->env->log, "kernel data plane: %s%s", text[0] ? text : strerror(number), remedy(number));
}

/* What has arrived in the kernel. The limit is the table's: the last message of a send wins. */
static void settle_message(struct xfrm_sent *m)
{
	struct sad_sa *sa = m->sa;

	if (!sa || m->failed)
		return;
	switch (m->tag) {
	case SENT_ADD:
		sa->kernel.life = SAD_LIVE;
		break;
	case SENT_UPDATE:
		sa->kernel.hard = xfrm_sa_limit(sa);
		break;
	case SENT_DELETE:
		sa->kernel.life = SAD_ABSENT;
		break;
	default:
		break;
	}
}

enum gw_err xfrm_ask(struct xfrm_plane *x, const struct nl_handler *h)
{
	enum gw_err r = nl_exchange(&x->nl, &x->tx, h);

	x->stats[XS_MESSAGES] += x->tx.count;
	x->stats[XS_SENDS]++;
	nl_reset(&x->tx, x->tx_buf, x->tx_size, x->nl.seq);
	return r;
}

/* Nobody knows what has failed: all of them have, undoing looks at what is there, and then each is tried again. */
static void answers_lost(struct xfrm_plane *x, size_t count, enum gw_err why)
{
	x->stats[XS_OVERRUNS] += why == GW_EBUSY;
	x->resync = true;
	for (size_t i = 0; i < count; i++)
		if (x->sent[i].flight) {
			x->sent[i].flight->lost |= x->sent[i].flight->b->result == GW_OK;
			fail_flight(x->sent[i].flight, x->sent[i].op, why,
				    why == GW_EBUSY ? "the kernel's answer was lost" : "the request could not be sent",
				    0);
		}
}

/* The fence was raised in the moment in which the kernel deleted the state: again, from where it stopped. */
static void revive_expired(struct xfrm_plane *x, size_t count)
{
	struct xfrm_flight *building = x->current;

	for (size_t i = 0; i < count; i++) {
		struct xfrm_sent m = x->sent[i];
		struct xfrm_numbers n;

		if (m.tag != SENT_UPDATE || !m.failed || m.sa->kernel.life != SAD_EXPIRED ||
		    m.sa->fence <= m.sa->position)
			continue;
		xfrm_sa_numbers(x, m.sa, &n);
		x->current = m.flight;
		x->stats[XS_REVIVED]++;
		/* Few: one by one, so that the list that is being walked stays. */
		xfrm_sa_revive(x, m.sa, &n);
		x->sent[0].op = m.op;
		if (xfrm_ask(x, &(struct nl_handler){ .error = on_error, .arg = x }) == GW_OK && !x->sent[0].failed)
			m.sa->kernel.life = SAD_LIVE;
	}
	x->current = building;
}

void xfrm_send(struct xfrm_plane *x)
{
	const struct nl_handler h = { .error = on_error, .arg = x };
	size_t count = x->tx.count;
	bool revive = false;
	enum gw_err r;

	if (count == 0)
		return;
	r = xfrm_ask(x, &h);
	if (r != GW_OK) {
		answers_lost(x, count, r);
		xfrm_dump_all(x, 0);
	} else {
		for (size_t i = 0; i < count; i++) {
			settle_message(&x->sent[i]);
			revive = revive || (x->sent[i].tag == SENT_UPDATE && x->sent[i].failed);
		}
	}
	if (revive && r == GW_OK)
		revive_expired(x, count);
}

void xfrm_flush(struct xfrm_plane *x)
{
	struct xfrm_flight *f, *next;

	xfrm_send(x);
	f = x->flights;
	x->flights = x->last_flight = NULL;
	for (; f; f = next) {
		next = f->next;
		xfrm_finish(x, f);
	}
}
