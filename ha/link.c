/* The sync stream: who may say what, and when. What makes no sense ends the link; the next one starts from what is
 * held. */
#include <stdarg.h>
#include <stdio.h>

#include "ha/inside.h"

void ha_link_break(struct ha *ha, const char *fmt, ...)
{
	char text[120];
	va_list ap;

	if (!ha->link)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ha_link_down(ha, text);
	(void)ha_report(ha, HA_EV_CLOSE_LINK, "%s", text);
}

static uint8_t own_format(const struct ha *ha)
{
	return ha->cfg.former ? HA_FORMAT_MINOR - 1 : HA_FORMAT_MINOR;
}

uint8_t ha_format(const struct ha *ha)
{
	uint8_t ours = own_format(ha);

	return ha->link && ha->peer.hello && ha->peer.minor < ours ? ha->peer.minor : ours;
}

void ha_odd_field(const struct ha *ha, struct ha_frame_writer *f)
{
	if (ha->cfg.former)
		ha_field_u32(f, HA_TAG_ODD, 1);
}

static void say_hello(struct ha *ha)
{
	const struct ha_roles *r = &ha->roles;
	struct ha_hello h = {
		.major = HA_FORMAT_MAJOR,
		.minor = own_format(ha),
		.cluster = bytes_str(ha->cfg.cluster ? ha->cfg.cluster : ""),
		.node = bytes_str(ha->cfg.node ? ha->cfg.node : ""),
		.software = bytes_str(ha->cfg.software ? ha->cfg.software : ""),
		.index = ha->env->node.index,
		.incarnation = ha->env->node.incarnation,
		.term = ha_term_said(ha),
		.owned_term = r->owned,
		.role = (uint8_t)r->role,
		.flags = (uint8_t)((r->traffic ? HA_HELLO_TRAFFIC : 0) | (r->fenced ? HA_HELLO_FENCED : 0)),
		.config_hash = ha->cfg.config_hash,
		.at = { ha->epoch, ha_is_owner(ha) ? ha->turn : ha->in.applied },
		.odd = ha->cfg.former,
	};

	ha->roles.traffic_said = r->traffic;
	/* Who holds SAs is not empty, whatever turn they are of. */
	if (h.at.turn == 0 && ha_ceilings_used(ha))
		h.at.turn = 1;
	if (ha_hello_write(&ha->tx, &h) != GW_OK)
		ha_link_break(ha, "out of memory");
}

void ha_role_fields(struct ha *ha, struct ha_frame_writer *f)
{
	ha->roles.traffic_said = ha->roles.traffic;
	ha_field_u8(f, HA_TAG_ROLE, (uint8_t)ha->roles.role);
	ha_field_u32(f, HA_TAG_TERM, ha_term_said(ha));
	ha_field_u8(f, HA_TAG_FLAGS, ha->roles.traffic ? HA_HELLO_TRAFFIC : 0);
}

void ha_say_role(struct ha *ha, enum ha_frame_type type)
{
	struct ha_frame_writer f;

	if (!ha->link)
		return;
	ha_frame_begin(&f, &ha->tx, type);
	ha_role_fields(ha, &f);
	if (ha_frame_end(&f) != GW_OK)
		ha_link_break(ha, "out of memory");
}

void ha_link_up(struct ha *ha)
{
	if (ha->link)
		ha_link_down(ha, "replaced");
	ha->link = true;
	ha->peer = (struct ha_peer){ 0 };
	ha->received = (mtime){ 0 };
	say_hello(ha);
}

void ha_link_down(struct ha *ha, const char *why)
{
	bool was = ha_streams(ha), met = ha->peer.hello;

	if (!ha->link)
		return;
	ha->link = false;
	ha->peer.hello = ha->peer.following = false;
	ha_ranges_part(ha, met);
	ha_buffer_clear(&ha->tx);
	ha_buffer_clear(&ha->rx);
	ha->sync.state = HA_SYNC_NONE;
	ha->sync.walking = false;
	ha->out.stamp_count = 0;
	ha->out.slow = false;
	ha_verify_stop(ha, why);
	ha_heal_clear(ha);
	if (ha_is_owner(ha))
		ha_ceilings_unwanted(ha);
	ha_inbox_forget(&ha->in);
	if (was)
		(void)ha_report(ha, HA_EV_UNPROTECTED, "the sync link is down: %s", why);
	ha_outbox_release(ha);
	ha->roles.again = ha_now(ha);
}

/* ---- frames of the peer ---- */

/* For people: what cannot be printed is a question mark. */
static void keep_name(struct bytes name, char out[HA_NAME_MAX + 1])
{
	for (size_t i = 0; i < name.n; i++)
		out[i] = name.p[i] > ' ' && name.p[i] < 0x7f ? (char)name.p[i] : '?';
	out[name.n] = 0;
}

static enum gw_err on_hello(struct ha *ha, struct bytes fields)
{
	struct ha_peer *p = &ha->peer;
	struct ha_hello h;

	TRY(ha_hello_read(fields, &h));
	if (h.major != HA_FORMAT_MAJOR)
		ha_link_break(ha, "the other node speaks format %u, this one %u", h.major, HA_FORMAT_MAJOR);
	else if (!bytes_equal(h.cluster, bytes_str(ha->cfg.cluster ? ha->cfg.cluster : "")))
		ha_link_break(ha, "the other node is of another cluster");
	else if (h.index == ha->env->node.index)
		ha_link_break(ha, "both nodes have node_index %u", h.index);
	if (!ha->link)
		return GW_OK;
	*p = (struct ha_peer){ .hello = true,
			       .role = h.role,
			       .index = h.index,
			       .flags = h.flags,
			       .minor = h.minor,
			       .incarnation = h.incarnation,
			       .term = h.term,
			       .owned = h.owned_term,
			       .at = h.at,
			       .config_differs = h.config_hash != ha->cfg.config_hash };
	keep_name(h.node, p->node);
	keep_name(h.software, p->software);
	if (p->config_differs)
		log_warn(ha->env->log, "the configurations of the two nodes differ");
	ha_roles_met(ha);
	ha_settle_roles(ha);
	return GW_OK;
}

void ha_settle_roles(struct ha *ha)
{
	struct ha_peer *p = &ha->peer;

	if (!ha->link || !p->hello || ha_is_owner(ha) || p->role != HA_ACTIVE || p->following)
		return;
	p->following = true; /* we follow it */
	if (ha->roles.reigned) {
		ha_ceilings_positions(ha);
		if (ha_heal_offer(ha))
			return;
	}
	ha->roles.reigned = false;
	ha_resync_follow(ha);
}

struct small {
	uint8_t role, flags;
	uint32_t term;
	uint64_t turn, chunk;
	struct ha_position at;
	struct bytes numbers;
};

/* All frames of few fields; refusals are noted on the way. */
static enum gw_err read_small(struct ha *ha, struct bytes fields, struct small *out)
{
	struct reader r = rd_of(fields), v;
	struct ha_refusal refusal;
	struct ha_entry *e;
	struct ha_event *ev;
	uint16_t tag;

	*out = (struct small){ 0 };
	while (ha_field_next(&r, &tag, &v)) {
		switch (tag) {
		case HA_TAG_ROLE:
			out->role = rd_u8(&v);
			break;
		case HA_TAG_FLAGS:
			out->flags = rd_u8(&v);
			break;
		case HA_TAG_TERM:
			out->term = rd_u32(&v);
			break;
		case HA_TAG_TURN:
			out->turn = rd_u64(&v);
			break;
		case HA_TAG_CHUNK:
			out->chunk = rd_u64(&v);
			break;
		case HA_TAG_POSITION:
			out->at = ha_position_read(&v);
			break;
		case HA_TAG_NUMBER_LIST:
			out->numbers = rd_rest(&v);
			break;
		case HA_TAG_REFUSAL:
			TRY(ha_refusal_read(v, &refusal));
			ha_refusal_keep(ha, &refusal);
			e = ha_objects_find(&ha->objects, refusal.kind, refusal.key);
			if (e)
				ha_objects_refuse(&ha->objects, e, true);
			ev = e ? ha_report(ha, HA_EV_REFUSED, "%s", refusal.text) : NULL;
			if (ev) {
				ev->object_kind = refusal.kind;
				ev->key = refusal.key;
			}
			break;
		default:
			TRY(ha_field_unknown(tag));
		}
		if (v.bad)
			return GW_EMALFORMED;
	}
	return r.bad ? GW_EMALFORMED : GW_OK;
}

static enum gw_err on_role(struct ha *ha, struct bytes fields)
{
	struct ha_peer *p = &ha->peer;
	struct small s;

	TRY(read_small(ha, fields, &s));
	if (s.role != HA_STANDBY && s.role != HA_ACTIVE)
		return GW_EMALFORMED;
	if (p->role != s.role)
		ha_heal_clear(ha);
	if (p->role != s.role)
		p->following = p->waits = false; /* an owner's stream, or a follower's, begins anew */
	if (ha_is_owner(ha) && s.role == HA_STANDBY && p->role == HA_ACTIVE)
		p->at.turn = 1; /* it was owner a moment ago, and knows what it used */
	p->role = s.role;
	p->flags = s.flags;
	p->term = s.term;
	if (!ha_is_owner(ha) && s.role == HA_STANDBY)
		ha->sync.state = HA_SYNC_NONE;
	ha_roles_met(ha);
	ha_settle_roles(ha);
	return GW_OK;
}

static enum gw_err on_ack(struct ha *ha, struct bytes fields)
{
	struct small s;

	TRY(read_small(ha, fields, &s));
	if (!ha_streams(ha))
		return GW_OK;
	if (s.turn > ha->turn)
		return GW_EMALFORMED;
	ha_outbox_acked(ha, s.turn);
	ha_resync_chunk_acked(ha, s.chunk);
	ha_ceilings_acked(ha);
	ha_roles_acked(ha);
	return GW_OK;
}

static enum gw_err begin_stream(struct ha *ha, const struct ha_position *at)
{
	TRY(ha_resync_begin(ha, at));
	ha->ceil.any_wants = true;
	ha_ceilings_followed(ha);
	return GW_OK;
}

void ha_link_ready(struct ha *ha)
{
	if (!ha->link || !ha->peer.waits)
		return;
	ha->peer.waits = false;
	if (begin_stream(ha, &ha->peer.wants) != GW_OK)
		ha_link_break(ha, "out of memory");
}

static enum gw_err on_follow(struct ha *ha, struct bytes fields)
{
	struct small s;

	TRY(read_small(ha, fields, &s));
	if (!ha_is_owner(ha))
		return GW_OK; /* said to who was owner a moment ago */
	if (!ha_roles_ready(ha)) {
		ha->peer.waits = true;
		ha->peer.wants = s.at;
		return GW_OK;
	}
	return begin_stream(ha, &s.at);
}

static enum gw_err on_handover(struct ha *ha, struct bytes fields)
{
	struct small s;

	TRY(read_small(ha, fields, &s));
	ha->peer.role = HA_STANDBY;
	ha->peer.term = s.term;
	ha_roles_handed(ha, s.numbers);
	return GW_OK;
}

/* What is said to a role that we have no more is not wrong, only late. */
static enum gw_err dispatch(struct ha *ha, const struct ha_frame *f)
{
	bool owner = ha_is_owner(ha), follows = !owner && ha->sync.state != HA_SYNC_NONE;

	if (f->type == HA_HELLO)
		return ha->peer.hello ? GW_ESTATE : on_hello(ha, f->fields);
	if (!ha->peer.hello)
		return GW_ESTATE;
	switch (f->type) {
	case HA_ROLE:
		return on_role(ha, f->fields);
	case HA_POSITIONS:
		return owner ? ha_ceilings_heal(ha, f->fields) : GW_OK;
	case HA_FOLLOW:
		return on_follow(ha, f->fields);
	case HA_RESYNC:
		return follows ? ha_resync_started(ha, f->fields) : GW_OK;
	case HA_TURN:
	case HA_CHUNK:
	case HA_END:
		return follows ? ha_inbox_turn(ha, f->type, f->fields) : GW_OK;
	case HA_ACK:
		return on_ack(ha, f->fields);
	case HA_DIGEST:
	case HA_BUCKET:
		return follows ? ha_resync_frame(ha, f) : GW_OK;
	case HA_ASK_BUCKET:
	case HA_ASK_OBJECT:
	case HA_VERIFY:
		return owner ? ha_resync_frame(ha, f) : GW_OK;
	case HA_WINDOWS:
		return follows ? ha_windows_apply(ha, f->fields) : GW_OK;
	case HA_HANDOVER:
		return follows ? on_handover(ha, f->fields) : GW_OK;
	case HA_OFFER:
		return owner ? ha_heal_offered(ha, f->fields) : GW_OK;
	case HA_WANT:
		return ha->heal.offering ? ha_heal_wanted(ha, f->fields) : GW_OK;
	case HA_GIVE:
		return owner ? ha_heal_given(ha, f->fields) : GW_OK;
	case HA_VERIFIED:
		return owner ? ha_verify_result(ha, f->fields) : GW_OK;
	case HA_ASK_ROLE:
		ha_roles_asked(ha);
		return GW_OK;
	case HA_LEAVE:
		ha_roles_peer_left(ha);
		return GW_OK;
	default:
		return f->type & HA_FRAME_CRITICAL ? GW_EUNSUPPORTED : GW_OK;
	}
}

void ha_link_receive(struct ha *ha, struct bytes in)
{
	struct ha_frame f;
	size_t taken = 0;
	uint8_t *room;
	enum gw_err code = GW_OK;

	if (!ha->link || in.n == 0)
		return;
	ha->received = ha_now(ha);
	room = ha_buffer_room(&ha->rx, in.n);
	if (!room) {
		ha_link_break(ha, "out of memory");
		return;
	}
	memcpy(room, in.p, in.n);
	ha_buffer_add(&ha->rx, in.n);
	while (ha->link && code == GW_OK) {
		code = ha_frame_next(ha_buffer_bytes(&ha->rx), &f, &taken);
		if (code == GW_OK)
			code = dispatch(ha, &f);
		if (code == GW_OK && ha->link)
			ha_buffer_take(&ha->rx, taken);
	}
	if (code != GW_OK && code != GW_PENDING)
		ha_link_break(ha, "the sync stream makes no sense (%s in frame %u)", gw_err_text(code), f.type);
}

struct bytes ha_link_bytes(struct ha *ha)
{
	if (!ha->link)
		return (struct bytes){ 0 };
	ha_inbox_ack(ha);
	return ha_buffer_bytes(&ha->tx);
}

bool ha_link_more(struct ha *ha)
{
	return ha->link && (ha_resync_more(ha) || ha_heal_more(ha));
}

void ha_link_written(struct ha *ha, size_t n)
{
	ha_buffer_take(&ha->tx, n);
}

void ha_leave(struct ha *ha)
{
	if (!ha_is_owner(ha))
		ha_say_role(ha, HA_LEAVE);
}
