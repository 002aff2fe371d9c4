#include <netinet/in.h>

#include "esp/xfrm_state.h"

enum { DATAGRAMS = 512 }; /* of one turn */

static struct sad_sa *find_out(const struct xfrm_plane *x, uint32_t spi, const struct addr *remote)
{
	struct dp_sa_id id = { DP_OUT, spi, *remote };

	return sad_find(x->sad, &id);
}

static void on_soft(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_view *v)
{
	struct dp_event event = { .kind = DP_NEAR_FENCE, .id = sad_id(sa), .remote = sa->remote };

	x->stats[XS_SOFT]++;
	/* Of a fence that was raised since: no news. */
	if (sa->key.dir != DP_OUT || sa->near_told || v->numbers.packets < sa->near_at)
		return;
	event.position = v->numbers.packets;
	sa->near_told = outbox_put(&x->outbox, &event);
}

static void on_hard(struct xfrm_plane *x, struct sad_sa *sa, const struct xfrm_view *v)
{
	x->stats[XS_HARD]++;
	/* Of an earlier life: it was made again since, with another limit. */
	if (sa->kernel.life != SAD_LIVE || v->hard != sa->kernel.hard)
		return;
	if (sa->position < v->numbers.packets) {
		sa->count.packets += v->numbers.packets - sa->kernel.packets;
		sa->count.bytes += v->numbers.bytes - sa->kernel.bytes;
		sa->kernel.packets = sa->position = v->numbers.packets;
		sa->kernel.bytes = v->numbers.bytes;
	}
	xfrm_sa_expired(x, sa);
}

static void on_expire(struct xfrm_plane *x, const struct nlmsghdr *nlh)
{
	enum xfrm_kind kind;
	struct xfrm_view v;
	struct sad_sa *sa;

	if (!xfrm_get_state(nlh, &v) || !xfrm_sign_ours(v.user, x->env->node.index, &kind) || v.proto != IPPROTO_ESP)
		return;
	sa = v.id.dir == DP_OUT ? find_out(x, v.id.spi, &v.id.remote) : NULL;
	if (sa && xfrm_expire_is_hard(nlh))
		on_hard(x, sa, &v);
	else if (sa)
		on_soft(x, sa, &v);
}

/* Any authentic packet that came from elsewhere; the kernel says it again every second until we move the SA. */
static void on_mapping(struct xfrm_plane *x, const struct nlmsghdr *nlh)
{
	struct xfrm_mapping m;
	struct sad_sa *sa;

	if (!xfrm_get_mapping(nlh, &m))
		return;
	sa = sad_find_in(x->sad, m.spi);
	if (!sa || sa->kernel.life != SAD_LIVE)
		return;
	x->stats[XS_MAPPINGS]++;
	if (!endpoint_equal(&m.is, &sa->remote) && !endpoint_equal(&m.is, &sa->moved_to))
		(void)!xfrm_sa_read(x, sa, NULL); /* the position that goes with it */
	outbox_tell_moved(&x->outbox, sa, &m.is);
}

static void on_message(void *arg, const struct nlmsghdr *nlh)
{
	struct xfrm_plane *x = arg;

	switch (nlh->nlmsg_type) {
	case XFRM_MSG_EXPIRE:
		on_expire(x, nlh);
		break;
	case XFRM_MSG_MAPPING:
		on_mapping(x, nlh);
		break;
	case XFRM_MSG_NEWAE:
		xfrm_on_aevent(x, nlh);
		break;
	default:
		break;
	}
}

/* Whether events say so or a dump: an SA that is past half of its block. */
static void tell_near(struct xfrm_plane *x)
{
	struct dp_sa_state states[64];
	uint64_t cookie = 0;

	do {
		size_t n = sad_dump(x->sad, &cookie, states, ARRAY_LEN(states));

		for (size_t i = 0; i < n; i++) {
			struct sad_sa *sa = states[i].id.dir == DP_OUT ? sad_find(x->sad, &states[i].id) : NULL;
			struct dp_event event = { .kind = DP_NEAR_FENCE, .id = states[i].id };

			if (!sa || sa->near_told || sa->position <= sa->near_at)
				continue;
			event.remote = sa->remote;
			event.position = sa->position;
			sa->near_told = outbox_put(&x->outbox, &event);
		}
	} while (cookie != 0);
}

void xfrm_take_events(struct xfrm_plane *x)
{
	bool overrun = false;

	(void)nl_receive(&x->events, DATAGRAMS, on_message, x, &overrun);
	if (overrun) {
		x->stats[XS_OVERRUNS]++;
		x->resync = true;
	}
	if (!x->resync)
		return;
	x->resync = false;
	xfrm_dump_all(x, 0);
	tell_near(x);
}
