/*
 * An owner's changes on their way to the standby, and the datagrams that wait for them (DESIGN.md §3, write-ahead). An
 * object is dirty at most once, however often it changes, so memory is bounded by the state itself.
 */
#include <stdlib.h>

#include "ha/inside.h"

#define LEAST_TIMEOUT MILLISECONDS(30)
#define CALM SECONDS(1)

enum { RTT_SHIFT = 3, TIMEOUT_RTTS = 4 };

static void queue_init(struct ha_queue *q)
{
	*q = (struct ha_queue){ .tail = &q->head };
}

static struct ha_held *queue_take(struct ha_queue *q)
{
	struct ha_held *h = q->head;

	if (!h)
		return NULL;
	q->head = h->next;
	if (!q->head)
		q->tail = &q->head;
	q->n--;
	h->next = NULL;
	return h;
}

static void queue_put(struct ha_queue *q, struct ha_held *h)
{
	h->next = NULL;
	*q->tail = h;
	q->tail = &h->next;
	q->n++;
}

static void queue_clear(struct ha_queue *q)
{
	struct ha_held *h;

	while ((h = queue_take(q)) != NULL)
		free(h);
}

void ha_outbox_init(struct ha_outbox *o)
{
	*o = (struct ha_outbox){ .fast_at = MTIME_NEVER };
	queue_init(&o->held);
	queue_init(&o->ready);
	for (size_t i = 0; i < ARRAY_LEN(o->dirty); i++)
		o->dirty[i].tail = &o->dirty[i].head;
}

void ha_outbox_clear(struct ha *ha)
{
	queue_clear(&ha->out.held);
	queue_clear(&ha->out.ready);
	free(ha->out.taken);
	ha->out.taken = NULL;
}

/* ---- dirty objects ---- */

static bool any_dirty(const struct ha_outbox *o)
{
	return o->dirty[0].head || o->dirty[1].head;
}

static struct ha_entry *dirty_take(struct ha_outbox *o)
{
	struct ha_dirty_list *l = o->dirty[0].head ? &o->dirty[0] : &o->dirty[1];
	struct ha_entry *e = l->head;

	if (!e)
		return NULL;
	l->head = e->next_dirty;
	if (!l->head)
		l->tail = &l->head;
	e->next_dirty = NULL;
	e->dirty = false;
	return e;
}

void ha_dirty(struct ha *ha, enum ha_kind kind, uint64_t key, bool deleted)
{
	struct ha_dirty_list *l = &ha->out.dirty[kind != HA_OBJ_CEILING];
	struct ha_entry *e;

	if (!ha_is_owner(ha))
		return;
	e = deleted ? ha_objects_find(&ha->objects, (uint8_t)kind, key)
		    : ha_objects_get(&ha->objects, (uint8_t)kind, key);
	if (!e && deleted)
		return; /* nobody has ever heard of it */
	if (!e) {
		/* It cannot be known as changed: what follows us must get everything again. */
		ha->objects.forgotten = ha->turn + 1;
		ha_link_break(ha, "out of memory");
		return;
	}
	e->going = deleted;
	if (e->dirty)
		return;
	e->dirty = true;
	*l->tail = e;
	l->tail = &e->next_dirty;
}

void ha_write_object(struct ha *ha, struct ha_frame_writer *f, struct ha_entry *e, uint64_t version)
{
	struct ha_object o = { .kind = (uint8_t)e->id.kind, .key = e->id.key, .version = version };
	enum gw_err code = GW_OK;
	struct writer w;

	o.deleted = e->going;
	ha_object_begin(f, &o, &w);
	if (!f->bad && !o.deleted) {
		code = o.kind == HA_OBJ_CEILING ? ha_ceiling_encode(ha, o.key, &w)
						: ha->ops->encode(ha->arg, (enum ha_kind)o.kind, o.key, &w);
		if (code != GW_OK || w.n == 0) {
			/* Gone; or too large to be held by another node: then it is unprotected, and said so. */
			if (code != GW_ENOTFOUND) {
				struct ha_event *ev =
					ha_report(ha, HA_EV_REFUSED, "cannot be encoded: %s", gw_err_text(code));

				if (ev) {
					ev->object_kind = o.kind;
					ev->key = o.key;
				}
			}
			secret_wipe(w.p, w.n);
			w.n = 0;
			e->going = o.deleted = true;
			ha_object_begin(f, &o, &w);
		}
	}
	ha_object_end(f, &w);
}

static void close_entry(struct ha *ha, struct ha_entry *e)
{
	if (e->going && e->version == 0) {
		ha_objects_drop(&ha->objects, e);
		return;
	}
	ha_objects_set(&ha->objects, e, ha->turn, e->going);
}

/* Nobody listens: the change only gets its number, for whoever comes later. */
static void close_unheard(struct ha *ha)
{
	struct ha_entry *e;

	ha->turn++;
	ha->out.closed_at = ha_now(ha);
	while ((e = dirty_take(&ha->out)) != NULL)
		close_entry(ha, e);
}

static void stamp(struct ha_outbox *o, uint64_t turn, mtime now)
{
	unsigned at = (o->stamp_first + o->stamp_count) % HA_STAMPS;

	if (o->stamp_count == HA_STAMPS)
		return;
	o->stamps[at].turn = turn;
	o->stamps[at].at = now;
	o->stamp_count++;
}

static bool send_turn(struct ha *ha)
{
	struct ha_frame_writer f;
	struct ha_entry *e;

	ha->turn++;
	ha_frame_begin(&f, &ha->tx, HA_TURN);
	ha_odd_field(ha, &f);
	ha_field_u64(&f, HA_TAG_TURN, ha->turn);
	while (any_dirty(&ha->out) && !f.bad && ha_frame_len(&f) < HA_TURN_MAX) {
		e = dirty_take(&ha->out);
		if (e->going && e->version == 0) { /* came and went unheard */
			ha_objects_drop(&ha->objects, e);
			continue;
		}
		ha_write_object(ha, &f, e, ha->turn);
		close_entry(ha, e);
	}
	if (ha_frame_end(&f) != GW_OK) {
		ha_link_break(ha, "out of memory");
		return false;
	}
	ha->out.closed_at = ha_now(ha);
	stamp(&ha->out, ha->turn, ha->out.closed_at);
	return true;
}

uint64_t ha_end_turn(struct ha *ha)
{
	if (!ha_is_owner(ha))
		return 0;
	while (any_dirty(&ha->out)) {
		if (!ha_streams(ha))
			close_unheard(ha);
		else if (ha_buffer_len(&ha->tx) >= HA_SEND_HIGH)
			return ha->turn + 1; /* the link is slower than we are: they gather, each once */
		else if (!send_turn(ha))
			continue;
	}
	return ha->turn;
}

/* ---- acknowledgements ---- */

static int64_t timeout_us(const struct ha *ha)
{
	/* A standby that gets slower does not stretch its time; a link that is long does. */
	int64_t us = TIMEOUT_RTTS * (ha->out.srtt_us > ha->out.least_us ? ha->out.srtt_us : ha->out.least_us);

	if (ha->cfg.ack_timeout_us > 0)
		return ha->cfg.ack_timeout_us;
	return us > LEAST_TIMEOUT ? us : LEAST_TIMEOUT;
}

bool ha_protected(const struct ha *ha)
{
	return ha_streams(ha) && ha->sync.state == HA_SYNC_DONE && !ha->out.slow;
}

bool ha_may_send(const struct ha *ha, uint64_t turn)
{
	return ha_is_owner(ha) && !ha->roles.asleep && (ha->out.acked >= turn || !ha_protected(ha));
}

void ha_outbox_measured(struct ha *ha, int64_t us)
{
	if (ha->out.least_us == 0 || us < ha->out.least_us)
		ha->out.least_us = us > 0 ? us : 1;
}

static void take_latency(struct ha *ha, int64_t us, mtime now)
{
	struct ha_outbox *o = &ha->out;

	ha_outbox_measured(ha, us);
	if (!o->slow)
		o->srtt_us += (us - o->srtt_us) >> (o->srtt_us ? RTT_SHIFT : 0);
	if (us >= timeout_us(ha) / 2)
		o->fast_at = MTIME_NEVER;
	else if (o->fast_at.us == MTIME_NEVER.us)
		o->fast_at = now;
}

void ha_outbox_acked(struct ha *ha, uint64_t turn)
{
	struct ha_outbox *o = &ha->out;
	mtime now = ha_now(ha);

	if (turn > ha->turn || turn < o->acked)
		return;
	o->acked = turn;
	while (o->stamp_count > 0 && o->stamps[o->stamp_first].turn <= turn) {
		take_latency(ha, mtime_since(o->stamps[o->stamp_first].at, now), now);
		o->stamp_first = (o->stamp_first + 1) % HA_STAMPS;
		o->stamp_count--;
	}
	/* All is acknowledged, if late: where nothing changes there is nothing more to measure, and calm begins here.
	 */
	if (o->slow && o->stamp_count == 0 && o->fast_at.us == MTIME_NEVER.us)
		o->fast_at = now;
	ha_objects_bury(&ha->objects, ha->sync.state == HA_SYNC_DONE ? turn : 0);
	ha_outbox_release(ha);
}

mtime ha_outbox_due(const struct ha *ha)
{
	const struct ha_outbox *o = &ha->out;

	if (!ha_streams(ha) || ha->sync.state != HA_SYNC_DONE)
		return MTIME_NEVER;
	if (o->slow)
		return o->stamp_count == 0 && o->fast_at.us != MTIME_NEVER.us ? mtime_add(o->fast_at, CALM)
									      : MTIME_NEVER;
	return o->stamp_count > 0 ? mtime_add(o->stamps[o->stamp_first].at, timeout_us(ha)) : MTIME_NEVER;
}

void ha_outbox_tick(struct ha *ha)
{
	struct ha_outbox *o = &ha->out;

	if (!mtime_reached(ha_outbox_due(ha), ha_now(ha)))
		return;
	o->slow = !o->slow;
	o->fast_at = MTIME_NEVER;
	if (o->slow)
		(void)ha_report(ha, HA_EV_UNPROTECTED, "the standby has not acknowledged for %lld ms",
				(long long)(timeout_us(ha) / 1000));
	else
		(void)ha_report(ha, HA_EV_SYNCED, "the standby acknowledges in time again");
	ha_outbox_release(ha);
}

/* ---- datagrams ---- */

void ha_outbox_release(struct ha *ha)
{
	struct ha_outbox *o = &ha->out;

	while (o->held.head && ha_may_send(ha, o->held.head->need)) {
		struct ha_held *h = queue_take(&o->held);

		if (h->need > o->acked) {
			o->exposed = h->need > o->exposed ? h->need : o->exposed;
			o->releases += ha->peer.following;
		}
		queue_put(&o->ready, h);
	}
}

/* Only who was spoken to answers. The flags of an IKE message (RFC 7296 3.1). */
static bool is_answer(struct bytes message)
{
	struct reader r = rd_of(message);

	rd_skip(&r, 19);
	return (rd_u8(&r) & 0x20) != 0;
}

void ha_send(struct ha *ha, const struct ike_output *out)
{
	struct ha_outbox *o = &ha->out;
	struct ha_held *h;

	if (!ha_is_owner(ha) || o->held.n >= HA_HELD_MAX)
		return;
	h = malloc(sizeof(*h) + out->datagram.data.n);
	if (!h)
		return; /* as if lost on the way */
	h->out = *out;
	memcpy(h->data, out->datagram.data.p, out->datagram.data.n);
	h->out.datagram.data.p = h->data;
	h->need = h->out.turn = out->effect == IKE_EFFECT_NONE ? 0 : ha->turn + any_dirty(o);
	ha->roles.traffic |= is_answer(out->datagram.data);
	if (h->need == 0 && !ha->roles.asleep) {
		queue_put(&o->ready, h);
		return;
	}
	/* In order: what waits waits for less, or for as much. */
	queue_put(&o->held, h);
	ha_outbox_release(ha);
}

bool ha_take_datagram(struct ha *ha, struct ike_output *out)
{
	free(ha->out.taken);
	ha->out.taken = ha_is_owner(ha) && !ha->roles.asleep ? queue_take(&ha->out.ready) : NULL;
	if (!ha->out.taken)
		return false;
	*out = ha->out.taken->out;
	return true;
}

void ha_outbox_stop(struct ha *ha)
{
	struct ha_outbox *o = &ha->out;

	if (any_dirty(o))
		close_unheard(ha);
	queue_clear(&o->held);
	queue_clear(&o->ready);
	o->stamp_count = 0;
	o->slow = false;
}
