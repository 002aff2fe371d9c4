/*
 * Catching up, and staying equal (DESIGN.md §3). A follower says where it stands; it gets what changed since, deletions
 * included, or everything; meanwhile the owner's turns go on between the chunks. It is synced when it holds what stood
 * when it connected. Afterwards digests are compared, and what differs is asked for alone.
 */
#include <stdlib.h>

#include "ha/inside.h"

#define DIGEST_US SECONDS(5)
#define LIVE_US SECONDS(1) /* since the last turn: the next one is awaited */

enum { VERSION_LEN = 17, SWEEP = 256 };

/* ---- the follower asks ---- */

void ha_resync_follow(struct ha *ha)
{
	struct ha_position at = { ha->epoch, ha->sync.whole ? ha->in.applied : 0 };
	struct ha_frame_writer f;

	if (!ha->sync.whole)
		at.epoch = (struct ha_epoch){ 0 };
	ha->sync.state = HA_SYNC_CATCHING;
	ha_frame_begin(&f, &ha->tx, HA_FOLLOW);
	ha_odd_field(ha, &f);
	ha_position_write(&f, HA_TAG_POSITION, &at);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
}

/* ---- the owner answers ---- */

static bool incremental(const struct ha *ha, const struct ha_position *at)
{
	bool ours = ha_epoch_equal(&at->epoch, &ha->epoch) && at->turn <= ha->turn;
	bool before = ha->parent.epoch.term > 0 && ha_epoch_equal(&at->epoch, &ha->parent.epoch) &&
		      at->turn <= ha->parent.turn;

	return (ours || before) && at->turn > 0 && at->turn >= ha->objects.forgotten;
}

enum gw_err ha_resync_begin(struct ha *ha, const struct ha_position *at)
{
	struct ha_resync *s = &ha->sync;
	struct ha_position target = { ha->epoch, ha->turn };
	bool full = !incremental(ha, at);
	struct ha_frame_writer f;

	ha->peer.following = true;
	s->state = HA_SYNC_CATCHING;
	s->walking = true;
	s->target = ha->turn;
	s->chunk = s->chunk_acked = s->end_chunk = 0;
	ha_pace_begin(&s->pace);
	ha->out.acked = 0;
	ha->out.stamp_count = 0;
	ha->out.slow = false;
	ha->out.srtt_us = ha->out.least_us = 0;
	ha_windows_restart(ha);
	ha_objects_walk(&ha->objects, full ? 0 : at->turn);
	/* Of a reign before ours: where it stands then, nobody has confirmed. */
	if (!full && !ha_epoch_equal(&at->epoch, &ha->epoch))
		ha_ceilings_tell(ha);
	ha_frame_begin(&f, &ha->tx, HA_RESYNC);
	ha_odd_field(ha, &f);
	ha_field_u8(&f, HA_TAG_FULL, full);
	ha_position_write(&f, HA_TAG_POSITION, &target);
	return ha_frame_end(&f);
}

static void write_end(struct ha *ha)
{
	struct ha_frame_writer f;

	ha->sync.walking = false;
	ha->sync.end_chunk = ++ha->sync.chunk;
	ha->sync.end_at = ha_now(ha);
	ha_pace_sent(&ha->sync.pace, ha->sync.chunk, ha->sync.end_at);
	ha_frame_begin(&f, &ha->tx, HA_END);
	ha_odd_field(ha, &f);
	ha_field_u64(&f, HA_TAG_CHUNK, ha->sync.chunk);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
}

static void write_chunk(struct ha *ha)
{
	struct ha_frame_writer f;
	struct ha_entry *e = NULL;
	unsigned n = 0;

	ha_frame_begin(&f, &ha->tx, HA_CHUNK);
	ha_odd_field(ha, &f);
	ha_field_u64(&f, HA_TAG_CHUNK, ha->sync.chunk + 1);
	while (n < HA_CHUNK_OBJECTS && !f.bad && ha_frame_len(&f) < HA_TURN_MAX &&
	       (e = ha_objects_next(&ha->objects)) != NULL) {
		/* What changed since then was in a turn of its own. */
		if (e->version == 0 || e->version > ha->sync.target)
			continue;
		ha_write_object(ha, &f, e, e->version);
		n++;
	}
	if (n == 0) {
		ha_frame_drop(&f);
	} else if (ha_frame_end(&f) != GW_OK) {
		ha_link_break(ha, "out of memory");
		return;
	} else {
		ha_pace_sent(&ha->sync.pace, ++ha->sync.chunk, ha_now(ha));
	}
	if (!ha->objects.cursor)
		write_end(ha);
}

/* How many chunks may be on their way. */
static unsigned ahead(const struct ha *ha)
{
	bool live = ha->out.closed_at.us > 0 && mtime_since(ha->out.closed_at, ha_now(ha)) < LIVE_US;
	unsigned window = ha->sync.pace.window;

	return live || window > HA_CHUNKS_CALM ? window : HA_CHUNKS_CALM;
}

bool ha_resync_more(struct ha *ha)
{
	struct ha_resync *s = &ha->sync;

	if (!ha_streams(ha) || !s->walking || s->chunk - s->chunk_acked >= ahead(ha))
		return false;
	write_chunk(ha);
	return ha->link;
}

void ha_resync_chunk_acked(struct ha *ha, uint64_t chunk)
{
	struct ha_resync *s = &ha->sync;

	if (chunk > s->chunk || chunk <= s->chunk_acked)
		return;
	ha_pace_acked(&s->pace, chunk, chunk - s->chunk_acked, s->chunk, ha_now(ha));
	s->chunk_acked = chunk;
	if (s->walking || chunk != s->end_chunk || s->state != HA_SYNC_CATCHING)
		return;
	s->state = HA_SYNC_DONE;
	ha_ceilings_bury(ha);
	ha_outbox_measured(ha, mtime_since(s->end_at, ha_now(ha)));
	s->digest_at = mtime_add(ha_now(ha), ha->cfg.digest_us > 0 ? ha->cfg.digest_us : DIGEST_US);
	if (ha->out.acked < s->target)
		ha_outbox_acked(ha, s->target);
	(void)ha_report(ha, HA_EV_SYNCED, "the standby holds %zu objects", ha->objects.live);
}

/* ---- the follower catches up ---- */

enum gw_err ha_resync_started(struct ha *ha, struct bytes fields)
{
	struct reader r = rd_of(fields), v;
	struct ha_position at = { 0 };
	bool full = false;
	uint16_t tag;

	while (ha_field_next(&r, &tag, &v)) {
		if (tag == HA_TAG_FULL)
			full = rd_u8(&v) & 1;
		else if (tag == HA_TAG_POSITION)
			at = ha_position_read(&v);
		else
			TRY(ha_field_unknown(tag));
		if (v.bad)
			return GW_EMALFORMED;
	}
	if (r.bad || at.epoch.term == 0)
		return GW_EMALFORMED;
	/* What an owner of an earlier term knows of sequence numbers is not all that was used. */
	if (at.epoch.term < ha->roles.owned)
		return GW_ESTATE;
	ha_inbox_forget(&ha->in);
	ha->epoch = at.epoch;
	ha->in.applied = ha->in.installed = at.turn;
	ha->sync.state = HA_SYNC_CATCHING;
	ha->sync.whole = false;
	ha->sync.full = full;
	if (full)
		ha->sync.round++;
	return GW_OK;
}

static void drop_changes(struct ha *ha, struct ha_change *changes, size_t n)
{
	if (n > 0)
		ha->ops->apply(ha->arg, changes, n);
}

/* Those for which `stays` says no. */
static void sweep(struct ha *ha, bool (*stays)(const struct ha *ha, const struct ha_entry *e, void *arg), void *arg)
{
	struct ha_change changes[SWEEP];
	struct ha_entry *e, *tmp;
	size_t n = 0;

	HASH_ITER (hh, ha->objects.table, e, tmp) {
		if (stays(ha, e, arg))
			continue;
		if (e->id.kind == HA_OBJ_CEILING)
			(void)!ha_ceiling_apply(ha, e->id.key, true, (struct bytes){ 0 });
		else
			changes[n++] = (struct ha_change){ .kind = (enum ha_kind)e->id.kind,
							   .deleted = true,
							   .key = e->id.key };
		ha_objects_drop(&ha->objects, e);
		if (n == SWEEP) {
			drop_changes(ha, changes, n);
			n = 0;
		}
	}
	drop_changes(ha, changes, n);
}

static bool was_named(const struct ha *ha, const struct ha_entry *e, void *arg)
{
	(void)arg;
	return e->seen == ha->sync.round;
}

void ha_resync_sweep(struct ha *ha)
{
	if (ha->sync.full)
		sweep(ha, was_named, NULL);
	ha->sync.full = false;
}

void ha_resync_ended(struct ha *ha)
{
	ha->sync.whole = true;
	ha->sync.state = HA_SYNC_DONE;
	ha_ceilings_bury(ha);
	(void)ha_report(ha, HA_EV_SYNCED, "%zu objects are held for the active node", ha->objects.live);
}

/* ---- staying equal ---- */

mtime ha_resync_due(const struct ha *ha)
{
	return ha_streams(ha) && ha->sync.state == HA_SYNC_DONE ? ha->sync.digest_at : MTIME_NEVER;
}

void ha_resync_say_digest(struct ha *ha, uint64_t verify, bool repair)
{
	struct ha_frame_writer f;
	uint8_t b[HA_BUCKETS * 8];

	for (size_t i = 0; i < HA_BUCKETS; i++)
		put_u64(b + 8 * i, ha->objects.digest[i]);
	ha_frame_begin(&f, &ha->tx, HA_DIGEST);
	ha_odd_field(ha, &f);
	ha_field(&f, HA_TAG_DIGESTS, bytes_of(b, sizeof(b)));
	if (verify) {
		ha_field_u64(&f, HA_TAG_VERIFY, verify);
		ha_field_u8(&f, HA_TAG_FLAGS, repair);
	}
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
}

void ha_resync_digest(struct ha *ha)
{
	if (!mtime_reached(ha_resync_due(ha), ha_now(ha)))
		return;
	ha->sync.digest_at = mtime_add(ha_now(ha), ha->cfg.digest_us > 0 ? ha->cfg.digest_us : DIGEST_US);
	ha_resync_say_digest(ha, 0, true);
}

static void ask(struct ha *ha, enum ha_frame_type type, uint16_t tag, struct bytes what)
{
	struct ha_frame_writer f;

	ha_frame_begin(&f, &ha->tx, type);
	ha_field(&f, tag, what);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
}

static void compare(struct ha *ha, struct reader v, uint64_t verify, bool repair)
{
	uint8_t differs[HA_BUCKETS] = { 0 };

	for (uint32_t i = 0; i < HA_BUCKETS; i++) {
		uint8_t b[4];

		if (rd_u64(&v) == ha->objects.digest[i])
			continue;
		put_u32(b, i);
		differs[i] = 1;
		ha->sync.repairs += repair;
		ask(ha, HA_ASK_BUCKET, HA_TAG_BUCKET, bytes_of(b, sizeof(b)));
	}
	if (verify)
		ha_verify_begin(ha, verify, repair, differs);
}

static void list_bucket(struct ha *ha, uint32_t bucket)
{
	struct ha_frame_writer f;
	struct ha_entry *e, *tmp;
	size_t n = 0, cap = 0;
	uint8_t *list = NULL;

	HASH_ITER (hh, ha->objects.table, e, tmp) {
		if (e->deleted || e->version == 0 || ha_bucket((uint8_t)e->id.kind, e->id.key) != bucket)
			continue;
		if (n == cap) {
			uint8_t *more = realloc(list, (cap = cap ? 2 * cap : 64) * VERSION_LEN);

			if (!more) {
				free(list); /* half a list would be a lie */
				return;
			}
			list = more;
		}
		list[n * VERSION_LEN] = (uint8_t)e->id.kind;
		put_u64(list + n * VERSION_LEN + 1, e->id.key);
		put_u64(list + n * VERSION_LEN + 9, e->version);
		n++;
	}
	ha_frame_begin(&f, &ha->tx, HA_BUCKET);
	ha_field_u32(&f, HA_TAG_BUCKET, bucket);
	ha_field(&f, HA_TAG_VERSIONS, bytes_of(list, n * VERSION_LEN));
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
	free(list);
}

struct bucket_list {
	uint32_t bucket;
	struct bytes versions;
};

static bool is_listed(const struct ha *ha, const struct ha_entry *e, void *arg)
{
	const struct bucket_list *l = arg;
	struct reader r = rd_of(l->versions);

	(void)ha;
	if (ha_bucket((uint8_t)e->id.kind, e->id.key) != l->bucket)
		return true;
	while (r.left > 0) {
		uint8_t kind = rd_u8(&r);
		uint64_t key = rd_u64(&r);

		(void)rd_u64(&r);
		if (kind == e->id.kind && key == e->id.key)
			return true;
	}
	return false;
}

static void found(struct ha *ha, const struct ha_entry *e, uint8_t kind, uint64_t key, uint64_t theirs)
{
	struct ha_difference d = { .kind = kind, .key = key, .active = theirs, .standby = e ? e->version : 0 };

	d.what = !e ? HA_ONLY_ACTIVE : theirs == 0 ? HA_ONLY_STANDBY : HA_DIFFERS;
	ha_verify_found(ha, &d);
}

static void verify_bucket(struct ha *ha, struct bucket_list *l)
{
	struct reader r = rd_of(l->versions);
	struct ha_entry *e, *tmp;

	while (r.left > 0) {
		uint8_t kind = rd_u8(&r);
		uint64_t key = rd_u64(&r), version = rd_u64(&r);

		e = ha_objects_find(&ha->objects, kind, key);
		if (!e || e->version != version)
			found(ha, e, kind, key, version);
	}
	HASH_ITER (hh, ha->objects.table, e, tmp)
		if (!is_listed(ha, e, l))
			found(ha, e, (uint8_t)e->id.kind, e->id.key, 0);
}

static void repair_bucket(struct ha *ha, struct bucket_list *l)
{
	struct reader r = rd_of(l->versions);

	sweep(ha, is_listed, l);
	while (r.left > 0) {
		struct bytes id = bytes_of(r.at, 9);
		uint8_t kind = rd_u8(&r);
		uint64_t key = rd_u64(&r), version = rd_u64(&r);
		struct ha_entry *e = ha_objects_find(&ha->objects, kind, key);

		if (e && e->version != version)
			ha_objects_set(&ha->objects, e, 0, false); /* ours is none: whatever comes is younger */
		if (!e || e->version != version)
			ask(ha, HA_ASK_OBJECT, HA_TAG_VERSIONS, id);
	}
}

static void on_bucket(struct ha *ha, struct bucket_list *l)
{
	bool verifies = ha_verify_waits(ha, l->bucket), repairs = !verifies || ha->verify.out.repair;

	if (verifies)
		verify_bucket(ha, l);
	if (repairs)
		repair_bucket(ha, l);
	if (verifies)
		ha_verify_bucket_done(ha, l->bucket);
}

enum gw_err ha_resync_frame(struct ha *ha, const struct ha_frame *frame)
{
	struct reader r = rd_of(frame->fields), v, digests = { 0 };
	struct bucket_list list = { .bucket = HA_BUCKETS };
	uint64_t verify = 0;
	uint8_t flags = 0;
	uint16_t tag;

	while (ha_field_next(&r, &tag, &v)) {
		if (tag == HA_TAG_BUCKET)
			list.bucket = rd_u32(&v);
		else if (tag == HA_TAG_VERSIONS)
			list.versions = rd_rest(&v);
		else if (tag == HA_TAG_DIGESTS)
			digests = v;
		else if (tag == HA_TAG_VERIFY)
			verify = rd_u64(&v);
		else if (tag == HA_TAG_FLAGS)
			flags = rd_u8(&v);
		else
			TRY(ha_field_unknown(tag));
		if (v.bad)
			return GW_EMALFORMED;
	}
	if (r.bad)
		return GW_EMALFORMED;
	switch (frame->type) {
	case HA_DIGEST:
		if (digests.left != HA_BUCKETS * 8)
			return GW_EMALFORMED;
		if (ha->sync.state == HA_SYNC_DONE)
			compare(ha, digests, verify, verify == 0 || (flags & 1));
		return GW_OK;
	case HA_ASK_BUCKET:
		if (list.bucket >= HA_BUCKETS)
			return GW_EMALFORMED;
		list_bucket(ha, list.bucket);
		return GW_OK;
	case HA_BUCKET:
		if (list.bucket >= HA_BUCKETS || list.versions.n % VERSION_LEN != 0)
			return GW_EMALFORMED;
		if (ha->sync.state == HA_SYNC_DONE)
			on_bucket(ha, &list);
		return GW_OK;
	case HA_VERIFY:
		ha_verify_wanted(ha, verify, flags & 1);
		return GW_OK;
	default: { /* HA_ASK_OBJECT */
		struct reader id = rd_of(list.versions);
		uint8_t kind = rd_u8(&id);
		uint64_t key = rd_u64(&id);
		struct ha_entry *e = id.bad ? NULL : ha_objects_find(&ha->objects, kind, key);

		if (id.bad)
			return GW_EMALFORMED;
		ha->sync.repairs++;
		if (e && !e->deleted && !e->dirty)
			ha_dirty(ha, (enum ha_kind)kind, key, false);
		return GW_OK;
	}
	}
}
