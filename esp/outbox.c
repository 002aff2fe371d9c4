#include "esp/outbox.h"

#include <stdlib.h>

enum gw_err outbox_init(struct outbox *o, size_t cap)
{
	*o = (struct outbox){ .ring = calloc(cap, sizeof(*o->ring)), .cap = cap };
	return o->ring ? GW_OK : GW_ENOMEM;
}

void outbox_clear(struct outbox *o)
{
	while (o->first) {
		struct batch *b = o->first;

		o->first = b->next;
		batch_destroy(b);
	}
	free(o->ring);
	*o = (struct outbox){ 0 };
}

void outbox_adopt_done(struct outbox *o, struct batch *done)
{
	done->next = NULL;
	*(o->last ? &o->last->next : &o->first) = done;
	o->last = done;
}

bool outbox_put(struct outbox *o, const struct dp_event *event)
{
	if (o->count == o->cap)
		return false;
	o->ring[(o->at + o->count++) % o->cap] = *event;
	return true;
}

bool outbox_take(struct outbox *o, struct dp_event *out)
{
	struct batch *b = o->first;

	if (b) {
		*out = (struct dp_event){ .kind = DP_DONE, .token = b->token, .result = b->result };
		if (b->result != GW_OK)
			memcpy(out->text, b->text, sizeof(out->text));
		o->first = b->next;
		if (!o->first)
			o->last = NULL;
		batch_destroy(b);
		return true;
	}
	if (o->count == 0)
		return false;
	*out = o->ring[o->at];
	o->at = (o->at + 1) % o->cap;
	o->count--;
	return true;
}

bool outbox_empty(const struct outbox *o)
{
	return !o->first && o->count == 0;
}

void outbox_tell_fence(struct outbox *o, struct sad_sa *sa, unsigned tell)
{
	struct dp_event event = { .id = sad_id(sa), .remote = sa->remote, .position = sa->position };

	if (tell & SAD_TELL_NEAR) {
		event.kind = DP_NEAR_FENCE;
		sa->near_told = outbox_put(o, &event);
	}
	if (tell & SAD_TELL_AT) {
		event.kind = DP_AT_FENCE;
		sa->at_told = outbox_put(o, &event);
	}
}

static bool same_peer(const struct sad_sa *sa, const struct endpoint *a, const struct endpoint *b)
{
	return addr_equal(&a->addr, &b->addr) && (!sa->udp_encap || a->port == b->port);
}

void outbox_tell_moved(struct outbox *o, struct sad_sa *sa, const struct endpoint *from)
{
	struct dp_event event = { .kind = DP_MOVED, .id = sad_id(sa), .remote = *from, .position = sa->replay.top };

	if (same_peer(sa, from, &sa->remote)) {
		sa->moved_to = (struct endpoint){ 0 }; /* back where it was: a second move would be news again */
		return;
	}
	if (sa->moved_to.addr.family != 0 && same_peer(sa, from, &sa->moved_to))
		return;
	if (outbox_put(o, &event))
		sa->moved_to = *from;
}
