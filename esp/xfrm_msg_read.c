#include "esp/xfrm_msg.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "esp/xfrm_wire.h"

/* ---- states ---- */

static void get_replay(struct bytes v, struct xfrm_view *out)
{
	struct xfrm_replay_state_esn r;
	size_t words;

	if (!wire_read(v, &r, sizeof(r)))
		return;
	words = (v.n - sizeof(r)) / sizeof(uint32_t);
	if (words > r.bmp_len)
		words = r.bmp_len;
	if (words > XFRM_BITS_MAX)
		words = XFRM_BITS_MAX;
	out->out_position = (uint64_t)r.oseq_hi << 32 | r.oseq;
	out->in_position = (uint64_t)r.seq_hi << 32 | r.seq;
	out->numbers.window = r.replay_window;
	out->numbers.known_bits = true;
	memcpy(out->numbers.bits, v.p + sizeof(r), words * sizeof(uint32_t));
}

static void get_algorithm(uint16_t type, struct bytes v, struct xfrm_view *out)
{
	/* All three begin with the name and the key's bits. */
	size_t head = type == XFRMA_ALG_AEAD ? sizeof(struct xfrm_algo_aead) : sizeof(struct xfrm_algo);
	struct xfrm_algo a;

	if (!wire_read(v, &a, sizeof(a)) || v.n < head || !memchr(v.p, 0, sizeof(a.alg_name)))
		return;
	out->algorithm = (const char *)v.p;
	if (a.alg_key_len / 8 <= v.n - head)
		out->key = bytes_of(v.p + head, a.alg_key_len / 8);
}

static void get_attributes(struct bytes rest, struct xfrm_view *out)
{
	struct xfrm_encap_tmpl encap;
	struct xfrm_mark mark;
	struct bytes v;
	uint16_t type;

	while (nl_attr_next(&rest, &type, &v)) {
		switch (type) {
		case XFRMA_REPLAY_ESN_VAL:
			get_replay(v, out);
			break;
		case XFRMA_ALG_AEAD:
		case XFRMA_ALG_CRYPT:
			get_algorithm(type, v, out);
			break;
		case XFRMA_ENCAP:
			if (!wire_read(v, &encap, sizeof(encap)))
				break;
			out->udp_encap = true;
			out->local_port = ntohs(out->id.dir == DP_IN ? encap.encap_dport : encap.encap_sport);
			out->remote_port = ntohs(out->id.dir == DP_IN ? encap.encap_sport : encap.encap_dport);
			break;
		case XFRMA_MARK:
			if (!wire_read(v, &mark, sizeof(mark)))
				break;
			out->id.mark = mark.v;
			out->id.mark_mask = mark.m;
			break;
		case XFRMA_LASTUSED:
			(void)wire_read(v, &out->last_used, sizeof(out->last_used));
			break;
		case XFRMA_SA_EXTRA_FLAGS:
			(void)wire_read(v, &out->extra_flags, sizeof(out->extra_flags));
			break;
		case XFRMA_IF_ID:
			(void)wire_read(v, &out->if_id, sizeof(out->if_id));
			break;
		case XFRMA_OFFLOAD_DEV:
			out->offloaded = true;
			break;
		case XFRMA_SET_MARK:
			(void)wire_read(v, &out->output_mark, sizeof(out->output_mark));
			break;
		case XFRMA_SET_MARK_MASK:
			(void)wire_read(v, &out->output_mask, sizeof(out->output_mask));
			break;
		default:
			break;
		}
	}
}

/* A notification of DELSA has the ID as its header and the state as an attribute; EXPIRE has the state and a flag. */
static bool find_info(const struct nlmsghdr *nlh, struct xfrm_usersa_info *info, struct bytes *rest)
{
	struct bytes at = nl_attrs(nlh, 0), v;
	uint16_t type;

	switch (nlh->nlmsg_type) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		*rest = nl_attrs(nlh, sizeof(*info));
		return wire_read(at, info, sizeof(*info));
	case XFRM_MSG_EXPIRE:
		*rest = nl_attrs(nlh, sizeof(struct xfrm_user_expire));
		return wire_read(at, info, sizeof(*info));
	case XFRM_MSG_DELSA:
		*rest = at = nl_attrs(nlh, sizeof(struct xfrm_usersa_id));
		while (nl_attr_next(&at, &type, &v))
			if (type == XFRMA_SA)
				return wire_read(v, info, sizeof(*info));
		return false;
	default:
		return false;
	}
}

bool xfrm_get_state(const struct nlmsghdr *nlh, struct xfrm_view *out)
{
	struct xfrm_usersa_info i;
	struct addr src, dst;
	struct bytes rest;

	if (!find_info(nlh, &i, &rest))
		return false;
	memset(out, 0, sizeof(*out));
	out->user = i.sel.user;
	src = wire_addr_read(&i.saddr, i.family);
	dst = wire_addr_read(&i.id.daddr, i.family);
	out->id.dir = i.sel.user >> 16 == WIRE_SIGN && (i.sel.user & 0xff) == XFRM_KIND_IN ? DP_IN : DP_OUT;
	out->id.spi = ntohl(i.id.spi);
	out->id.local = out->id.dir == DP_IN ? dst : src;
	out->id.remote = out->id.dir == DP_IN ? src : dst;
	out->reqid = i.reqid;
	out->proto = i.id.proto;
	out->esn = (i.flags & XFRM_STATE_ESN) != 0;
	out->tunnel = i.mode == XFRM_MODE_TUNNEL;
	out->flags = i.flags;
	out->soft = i.lft.soft_packet_limit;
	out->hard = i.lft.hard_packet_limit;
	out->numbers.packets = i.curlft.packets;
	out->numbers.bytes = i.curlft.bytes;
	out->numbers.add_time = i.curlft.add_time;
	out->numbers.use_time = i.curlft.use_time;
	out->replays = (uint64_t)i.stats.replay_window + i.stats.replay;
	out->bad_icv = i.stats.integrity_failed;
	get_attributes(rest, out);
	out->numbers.position = out->id.dir == DP_IN ? out->in_position : out->out_position;
	return true;
}

/* ---- events ---- */

bool xfrm_expire_is_hard(const struct nlmsghdr *nlh)
{
	struct xfrm_user_expire x;

	return nlh->nlmsg_type == XFRM_MSG_EXPIRE && wire_read(nl_attrs(nlh, 0), &x, sizeof(x)) && x.hard != 0;
}

bool xfrm_get_mapping(const struct nlmsghdr *nlh, struct xfrm_mapping *out)
{
	struct xfrm_user_mapping m;

	if (nlh->nlmsg_type != XFRM_MSG_MAPPING || !wire_read(nl_attrs(nlh, 0), &m, sizeof(m)))
		return false;
	out->spi = ntohl(m.id.spi);
	out->was = (struct endpoint){ wire_addr_read(&m.old_saddr, m.id.family), ntohs(m.old_sport) };
	out->is = (struct endpoint){ wire_addr_read(&m.new_saddr, m.id.family), ntohs(m.new_sport) };
	return true;
}

bool xfrm_get_aevent(const struct nlmsghdr *nlh, struct xfrm_aevent *out)
{
	struct xfrm_lifetime_cur cur = { 0 };
	struct xfrm_aevent_id a;
	struct xfrm_view v = { 0 };
	struct bytes rest, value;
	uint16_t type;

	if (nlh->nlmsg_type != XFRM_MSG_NEWAE || !wire_read(nl_attrs(nlh, 0), &a, sizeof(a)))
		return false;
	memset(out, 0, sizeof(*out));
	rest = nl_attrs(nlh, sizeof(a));
	while (nl_attr_next(&rest, &type, &value))
		if (type == XFRMA_REPLAY_ESN_VAL)
			get_replay(value, &v);
		else if (type == XFRMA_LTIME_VAL)
			(void)wire_read(value, &cur, sizeof(cur));
		else if (type == XFRMA_REPLAY_THRESH)
			(void)wire_read(value, &out->reports.packets, sizeof(out->reports.packets));
		else if (type == XFRMA_ETIMER_THRESH)
			(void)wire_read(value, &out->reports.ticks, sizeof(out->reports.ticks));
	out->spi = ntohl(a.sa_id.spi);
	out->reqid = a.reqid;
	out->source = wire_addr_read(&a.saddr, a.sa_id.family);
	out->destination = wire_addr_read(&a.sa_id.daddr, a.sa_id.family);
	out->written = (a.flags & XFRM_AE_CU) != 0;
	out->out_position = v.out_position;
	out->in_position = v.in_position;
	out->packets = cur.packets;
	out->bytes = cur.bytes;
	return true;
}
