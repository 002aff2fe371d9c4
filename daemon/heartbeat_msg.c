#include "daemon/heartbeat_msg.h"

enum { VERSION = 1, FIXED = 88, KINDS = 2 };

enum flags { SYNCED = 1, LEAVING = 2, SERVICE_UP = 4, ASLEEP = 8, TRAFFIC = 16 };

static const char magic[4] = { 'G', 'W', 'H', 'B' };

static uint8_t flags_of(const struct heartbeat_says *s)
{
	return (uint8_t)((s->synced ? SYNCED : 0) | (s->leaving ? LEAVING : 0) | (s->service_up ? SERVICE_UP : 0) |
			 (s->asleep ? ASLEEP : 0) | (s->traffic ? TRAFFIC : 0));
}

size_t heartbeat_msg_write(struct crypto *c, struct bytes key, const struct heartbeat_msg *m,
			   uint8_t out[HEARTBEAT_MAX])
{
	struct writer w = wr_of(out, HEARTBEAT_MAX);
	size_t n = strnlen(m->cluster, HEARTBEAT_CLUSTER);
	struct bytes all;
	uint8_t *mac;

	wr_bytes(&w, bytes_of(magic, sizeof(magic)));
	wr_u8(&w, VERSION);
	wr_u8(&w, m->kind);
	wr_u8(&w, m->node);
	wr_u8(&w, m->path);
	wr_u8(&w, m->says.role);
	wr_u8(&w, flags_of(&m->says));
	wr_u8(&w, (uint8_t)n);
	wr_u8(&w, 0);
	wr_u32(&w, m->incarnation);
	wr_u32(&w, m->says.term);
	wr_u32(&w, m->says.priority);
	wr_u32(&w, m->loop_age_ms);
	wr_u32(&w, m->known);
	wr_u64(&w, m->boot);
	wr_u64(&w, m->echo);
	wr_u64(&w, m->sequence);
	wr_u64(&w, m->after);
	wr_u64(&w, m->says.turn);
	wr_u64(&w, m->says.exposed);
	wr_u64(&w, m->says.config);
	wr_bytes(&w, bytes_of(m->cluster, n));
	all = wr_done(&w);
	mac = wr_room(&w, HEARTBEAT_MAC);
	if (!mac || crypto_prf(c, prf_find(PRF_HMAC_SHA2_256), key, &all, 1, mac) != GW_OK)
		return 0;
	return w.n;
}

enum gw_err heartbeat_msg_parse(struct bytes in, struct heartbeat_msg *out)
{
	struct reader r = rd_of(in);
	struct heartbeat_msg m = { 0 };
	struct bytes head = rd_bytes(&r, sizeof(magic)), cluster;
	uint8_t version = rd_u8(&r), flags, n;

	if (r.bad || memcmp(head.p, magic, sizeof(magic)) != 0)
		return GW_EMALFORMED;
	if (version != VERSION)
		return GW_EUNSUPPORTED;
	m.kind = rd_u8(&r);
	m.node = rd_u8(&r);
	m.path = rd_u8(&r);
	m.says.role = rd_u8(&r);
	flags = rd_u8(&r);
	n = rd_u8(&r);
	rd_skip(&r, 1);
	m.incarnation = rd_u32(&r);
	m.says.term = rd_u32(&r);
	m.says.priority = rd_u32(&r);
	m.loop_age_ms = rd_u32(&r);
	m.known = rd_u32(&r);
	m.boot = rd_u64(&r);
	m.echo = rd_u64(&r);
	m.sequence = rd_u64(&r);
	m.after = rd_u64(&r);
	m.says.turn = rd_u64(&r);
	m.says.exposed = rd_u64(&r);
	m.says.config = rd_u64(&r);
	cluster = rd_bytes(&r, n);
	if (r.bad || r.left != HEARTBEAT_MAC || n == 0 || n > HEARTBEAT_CLUSTER || memchr(cluster.p, 0, n) ||
	    m.kind >= KINDS || m.boot == 0)
		return GW_EMALFORMED;
	memcpy(m.cluster, cluster.p, n);
	m.says.synced = flags & SYNCED;
	m.says.leaving = flags & LEAVING;
	m.says.service_up = flags & SERVICE_UP;
	m.says.asleep = flags & ASLEEP;
	m.says.traffic = flags & TRAFFIC;
	*out = m;
	return GW_OK;
}

enum gw_err heartbeat_msg_verify(struct crypto *c, struct bytes key, struct bytes in)
{
	uint8_t mac[HEARTBEAT_MAC];
	struct bytes all;

	if (in.n < FIXED + HEARTBEAT_MAC)
		return GW_EMALFORMED;
	all = bytes_of(in.p, in.n - HEARTBEAT_MAC);
	TRY(crypto_prf(c, prf_find(PRF_HMAC_SHA2_256), key, &all, 1, mac));
	return secret_equal(bytes_of(mac, sizeof(mac)), bytes_of(in.p + all.n, HEARTBEAT_MAC)) ? GW_OK : GW_EAUTH;
}
