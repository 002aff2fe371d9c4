#include "esp/xfrm_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "esp/replay.h"

enum {
	SIGN = 0x6777,
	UDP_ENCAP_ESP = 2, /* UDP_ENCAP_ESPINUDP: RFC 3948 */
};

uint32_t xfrm_sign(uint8_t node, enum xfrm_kind kind)
{
	return (uint32_t)SIGN << 16 | (uint32_t)node << 8 | (uint32_t)kind;
}

bool xfrm_sign_ours(uint32_t user, uint8_t node, enum xfrm_kind *kind)
{
	if (user >> 16 != SIGN || (user >> 8 & 0xff) != node)
		return false;
	*kind = (enum xfrm_kind)(user & 0xff);
	return true;
}

enum gw_err xfrm_error(int number)
{
	switch (number) {
	case 0:
		return GW_OK;
	case ESRCH:
	case ENOENT:
		return GW_ENOTFOUND;
	case EEXIST:
		return GW_EEXIST;
	case EINVAL:
	case ERANGE:
		return GW_EINVAL;
	case ENOMEM:
	case ENOBUFS:
		return GW_ENOMEM;
	case EPROTONOSUPPORT: /* no such transform: esp4, esp6 */
	case ENOSYS:	      /* no such algorithm */
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case ENOPROTOOPT:
		return GW_EUNSUPPORTED;
	case EPERM:
	case EACCES:
		return GW_EPERM;
	case EBUSY:
	case EAGAIN:
		return GW_EBUSY;
	default:
		return GW_EIO;
	}
}

uint32_t xfrm_window(uint32_t packets, bool esn)
{
	uint32_t w = XFRM_WINDOW_MIN;

	if (packets == 0)
		return esn ? 64 : 0; /* RFC 4303 2.2.1: the upper half is inferred from the window */
	while (w < packets && w < XFRM_WINDOW_MAX)
		w *= 2;
	return w;
}

/* ---- values ---- */

static uint16_t family_of(const struct addr *a)
{
	return a->family == 6 ? AF_INET6 : AF_INET;
}

static xfrm_address_t to_kernel(const struct addr *a)
{
	xfrm_address_t x;

	memset(&x, 0, sizeof(x));
	memcpy(&x, a->b, addr_len(a));
	return x;
}

static struct addr from_kernel(const xfrm_address_t *x, uint16_t family)
{
	struct addr a = { .family = family == AF_INET6 ? 6 : 4 };

	memcpy(a.b, x, addr_len(&a));
	return a;
}

static const struct addr *source_of(const struct xfrm_state_id *id)
{
	return id->dir == DP_IN ? &id->remote : &id->local;
}

static const struct addr *destination_of(const struct xfrm_state_id *id)
{
	return id->dir == DP_IN ? &id->local : &id->remote;
}

struct xfrm_state_id xfrm_state_id_of(const struct xfrm_state *s)
{
	return (struct xfrm_state_id){
		s->dir, s->spi, s->local.addr, s->remote.addr, s->extra.mark, s->extra.mark_mask
	};
}

static void put_mark(struct nl_batch *b, uint32_t mark, uint32_t mask)
{
	struct xfrm_mark m = { mark, mask };

	if (mark != 0 || mask != 0)
		nl_put(b, XFRMA_MARK, &m, sizeof(m));
}

/* ---- algorithms ---- */

/* The salt belongs to the key there as here; "tag" is the ICV's length for those that come in several. */
static const char *encr_name(const struct encr_alg *a)
{
	switch (a->id) {
	case ENCR_AES_GCM_8:
	case ENCR_AES_GCM_12:
	case ENCR_AES_GCM_16:
		return "rfc4106(gcm(aes))";
	case ENCR_AES_CCM_16:
		return "rfc4309(ccm(aes))";
	case ENCR_CHACHA20_POLY1305:
		return "rfc7539esp(chacha20,poly1305)";
	case ENCR_AES_CBC:
		return "cbc(aes)";
	case ENCR_AES_CTR:
		return "rfc3686(ctr(aes))";
	default:
		return NULL;
	}
}

static const char *integ_name(const struct integ_alg *a)
{
	switch (a->id) {
	case INTEG_HMAC_SHA1_96:
		return "hmac(sha1)";
	case INTEG_HMAC_SHA2_256_128:
		return "hmac(sha256)";
	case INTEG_HMAC_SHA2_384_192:
		return "hmac(sha384)";
	case INTEG_HMAC_SHA2_512_256:
		return "hmac(sha512)";
	default:
		return NULL;
	}
}

enum gw_err xfrm_suite_check(const struct cipher_suite *s)
{
	if (!s->encr || !encr_name(s->encr))
		return GW_EUNSUPPORTED;
	if (!s->encr->aead && (!s->integ || !integ_name(s->integ)))
		return GW_EUNSUPPORTED;
	return GW_OK;
}

/* The key goes behind the struct, whatever the struct is. */
static void put_key(void *algo, size_t struct_size, struct bytes key)
{
	if (algo && key.n > 0)
		memcpy((uint8_t *)algo + struct_size, key.p, key.n);
}

static void put_name(char name[64], const char *from)
{
	size_t n = strlen(from);

	memcpy(name, from, n < 63 ? n : 63);
}

static void put_algorithms(struct nl_batch *b, const struct xfrm_state *s)
{
	unsigned encr_bits = (unsigned)s->encr_key.n * 8, integ_bits = (unsigned)s->integ_key.n * 8;

	if (s->suite.encr->aead) {
		struct xfrm_algo_aead *a = nl_room(b, XFRMA_ALG_AEAD, sizeof(*a) + s->encr_key.n);

		if (!a)
			return;
		put_name(a->alg_name, encr_name(s->suite.encr));
		a->alg_key_len = encr_bits;
		a->alg_icv_len = s->suite.encr->icv_len * 8u;
		put_key(a, sizeof(*a), s->encr_key);
	} else {
		struct xfrm_algo_auth *i = nl_room(b, XFRMA_ALG_AUTH_TRUNC, sizeof(*i) + s->integ_key.n);
		struct xfrm_algo *c = nl_room(b, XFRMA_ALG_CRYPT, sizeof(*c) + s->encr_key.n);

		if (!i || !c)
			return;
		put_name(i->alg_name, integ_name(s->suite.integ));
		i->alg_key_len = integ_bits;
		i->alg_trunc_len = s->suite.integ->icv_len * 8u;
		put_key(i, sizeof(*i), s->integ_key);
		put_name(c->alg_name, encr_name(s->suite.encr));
		c->alg_key_len = encr_bits;
		put_key(c, sizeof(*c), s->encr_key);
	}
}

/* ---- states: building ---- */

static void put_replay(struct nl_batch *b, enum dp_dir dir, const struct xfrm_numbers *n)
{
	/* An outbound state has no window, but the struct and ESN want one. */
	uint32_t window = dir == DP_OUT ? XFRM_WINDOW_MIN : n->window;
	uint32_t words = window > 0 ? window / 32 : 1;
	struct xfrm_replay_state_esn *r = nl_room(b, XFRMA_REPLAY_ESN_VAL, sizeof(*r) + words * sizeof(uint32_t));

	if (!r)
		return;
	r->bmp_len = words;
	r->replay_window = window;
	if (dir == DP_OUT) {
		r->oseq = (uint32_t)n->position;
		r->oseq_hi = (uint32_t)(n->position >> 32);
		return;
	}
	r->seq = (uint32_t)n->position;
	r->seq_hi = (uint32_t)(n->position >> 32);
	if (n->known_bits)
		memcpy(r->bmp, n->bits, words * sizeof(uint32_t));
	else if (n->position > 0)
		memset(r->bmp, 0xff, words * sizeof(uint32_t));
}

static void put_lifetime(struct nl_batch *b, const struct xfrm_numbers *n)
{
	struct xfrm_lifetime_cur cur = {
		.bytes = n->bytes, .packets = n->packets, .add_time = n->add_time, .use_time = n->use_time
	};

	nl_put(b, XFRMA_LTIME_VAL, &cur, sizeof(cur));
}

static void put_encap(struct nl_batch *b, const struct xfrm_state *s)
{
	const struct endpoint *from = s->dir == DP_IN ? &s->remote : &s->local;
	const struct endpoint *to = s->dir == DP_IN ? &s->local : &s->remote;
	struct xfrm_encap_tmpl t = { .encap_type = UDP_ENCAP_ESP };

	if (!s->udp_encap)
		return;
	t.encap_sport = htons(from->port);
	t.encap_dport = htons(to->port);
	nl_put(b, XFRMA_ENCAP, &t, sizeof(t));
}

static void put_extra(struct nl_batch *b, const struct xfrm_state *s)
{
	const struct dp_extra *x = &s->extra;
	struct xfrm_user_offload offload = { .ifindex = (int)x->offload_ifindex };

	put_mark(b, x->mark, x->mark_mask);
	if (x->if_id != 0)
		nl_put_u32(b, XFRMA_IF_ID, x->if_id);
	if (x->output_mark != 0 || x->output_mask != 0) {
		nl_put_u32(b, XFRMA_SET_MARK, x->output_mark);
		nl_put_u32(b, XFRMA_SET_MARK_MASK, x->output_mask);
	}
	if (x->offload == DP_OFFLOAD_NONE)
		return;
	offload.flags = (uint8_t)((s->dir == DP_IN ? XFRM_OFFLOAD_INBOUND : 0) |
				  (x->offload == DP_OFFLOAD_PACKET ? XFRM_OFFLOAD_PACKET : 0));
	nl_put(b, XFRMA_OFFLOAD_DEV, &offload, sizeof(offload));
}

static struct xfrm_usersa_info info_of(const struct xfrm_state *s)
{
	struct xfrm_state_id id = xfrm_state_id_of(s);
	struct xfrm_usersa_info i;

	memset(&i, 0, sizeof(i)); /* padding too: these bytes are compared by tests */
	i.sel.user = s->sign;
	i.id.daddr = to_kernel(destination_of(&id));
	i.id.spi = htonl(s->spi);
	i.id.proto = IPPROTO_ESP;
	i.saddr = to_kernel(source_of(&id));
	i.lft.soft_byte_limit = i.lft.hard_byte_limit = XFRM_NO_LIMIT;
	i.lft.soft_packet_limit = s->soft;
	i.lft.hard_packet_limit = s->hard;
	i.reqid = s->reqid;
	i.family = family_of(&s->remote.addr);
	i.mode = s->mode == DP_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	/* Tunnels take both inner families; transport mode has only its own. */
	if (s->mode == DP_TUNNEL)
		i.flags |= XFRM_STATE_AF_UNSPEC;
	else
		i.sel.family = i.family;
	if (s->esn)
		i.flags |= XFRM_STATE_ESN;
	if (!s->copy_df)
		i.flags |= XFRM_STATE_NOPMTUDISC;
	return i;
}

static void put_state(struct nl_batch *b, const struct xfrm_state *s)
{
	put_algorithms(b, s);
	put_encap(b, s);
	put_extra(b, s);
	if (s->dir == DP_OUT && !s->copy_dscp)
		nl_put_u32(b, XFRMA_SA_EXTRA_FLAGS, XFRM_SA_XFLAG_DONT_ENCAP_DSCP);
}

bool xfrm_put_new_sa(struct nl_batch *b, const struct xfrm_state *s, const struct xfrm_numbers *n)
{
	struct xfrm_usersa_info i = info_of(s);

	nl_begin(b, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof(i));
	put_state(b, s);
	put_replay(b, s->dir, n);
	put_lifetime(b, n);
	/* No aevents of this state, whoever listens: at the default threshold they are a flood. */
	nl_put_u32(b, XFRMA_REPLAY_THRESH, 0);
	nl_put_u32(b, XFRMA_ETIMER_THRESH, 0);
	return nl_end(b);
}

bool xfrm_put_update_sa(struct nl_batch *b, const struct xfrm_state *s)
{
	struct xfrm_usersa_info i = info_of(s);

	nl_begin(b, XFRM_MSG_UPDSA, 0, &i, sizeof(i));
	put_state(b, s);
	/* Ignored but for its presence: ESN cannot be constructed without. */
	put_replay(b, s->dir, &(struct xfrm_numbers){ .window = XFRM_WINDOW_MIN });
	return nl_end(b);
}

static struct xfrm_usersa_id usersa_id(const struct xfrm_state_id *id)
{
	const struct addr *to = destination_of(id);
	struct xfrm_usersa_id u;

	memset(&u, 0, sizeof(u));
	u.daddr = to_kernel(to);
	u.spi = htonl(id->spi);
	u.family = family_of(to);
	u.proto = IPPROTO_ESP;
	return u;
}

static bool put_by_id(struct nl_batch *b, uint16_t type, const struct xfrm_state_id *id)
{
	struct xfrm_usersa_id u = usersa_id(id);

	nl_begin(b, type, 0, &u, sizeof(u));
	put_mark(b, id->mark, id->mark_mask);
	return nl_end(b);
}

bool xfrm_put_del_sa(struct nl_batch *b, const struct xfrm_state_id *id)
{
	return put_by_id(b, XFRM_MSG_DELSA, id);
}

bool xfrm_put_get_sa(struct nl_batch *b, const struct xfrm_state_id *id)
{
	return put_by_id(b, XFRM_MSG_GETSA, id);
}

bool xfrm_put_dump_sa(struct nl_batch *b)
{
	/* Nothing behind the header: a filter would go there. */
	nl_begin(b, XFRM_MSG_GETSA, NLM_F_DUMP, NULL, 0);
	return nl_end(b);
}

static struct xfrm_aevent_id aevent_id(const struct xfrm_state_id *id, uint32_t reqid, uint32_t flags)
{
	struct xfrm_aevent_id a;

	memset(&a, 0, sizeof(a));
	a.sa_id = usersa_id(id);
	a.saddr = to_kernel(source_of(id));
	a.flags = flags;
	a.reqid = reqid;
	return a;
}

bool xfrm_put_new_ae(struct nl_batch *b, const struct xfrm_state_id *id, bool esn, uint32_t reqid,
		     const struct xfrm_numbers *n)
{
	struct xfrm_aevent_id a = aevent_id(id, reqid, XFRM_AE_RVAL | XFRM_AE_LVAL);

	(void)esn; /* the same attribute for both: every state of ours has a bitmap */
	nl_begin(b, XFRM_MSG_NEWAE, NLM_F_REPLACE, &a, sizeof(a));
	put_mark(b, id->mark, id->mark_mask);
	put_replay(b, id->dir, n);
	put_lifetime(b, n);
	return nl_end(b);
}

bool xfrm_put_get_ae(struct nl_batch *b, const struct xfrm_state_id *id, uint32_t reqid)
{
	struct xfrm_aevent_id a = aevent_id(id, reqid, 0);

	nl_begin(b, XFRM_MSG_GETAE, 0, &a, sizeof(a));
	put_mark(b, id->mark, id->mark_mask);
	return nl_end(b);
}

bool xfrm_put_flush_sa(struct nl_batch *b)
{
	struct xfrm_usersa_flush f = { .proto = IPPROTO_ESP };

	nl_begin(b, XFRM_MSG_FLUSHSA, 0, &f, sizeof(f));
	return nl_end(b);
}

/* ---- states: reading ---- */

static bool copy_head(struct bytes from, void *to, size_t n)
{
	if (from.n < n)
		return false;
	memcpy(to, from.p, n);
	return true;
}

static void get_replay(struct bytes v, struct xfrm_view *out)
{
	struct xfrm_replay_state_esn r;
	size_t words;

	if (!copy_head(v, &r, sizeof(r)))
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

	if (!copy_head(v, &a, sizeof(a)) || v.n < head || !memchr(v.p, 0, sizeof(a.alg_name)))
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
			if (!copy_head(v, &encap, sizeof(encap)))
				break;
			out->udp_encap = true;
			out->local_port = ntohs(out->id.dir == DP_IN ? encap.encap_dport : encap.encap_sport);
			out->remote_port = ntohs(out->id.dir == DP_IN ? encap.encap_sport : encap.encap_dport);
			break;
		case XFRMA_MARK:
			if (!copy_head(v, &mark, sizeof(mark)))
				break;
			out->id.mark = mark.v;
			out->id.mark_mask = mark.m;
			break;
		case XFRMA_LASTUSED:
			(void)copy_head(v, &out->last_used, sizeof(out->last_used));
			break;
		case XFRMA_SA_EXTRA_FLAGS:
			(void)copy_head(v, &out->extra_flags, sizeof(out->extra_flags));
			break;
		case XFRMA_IF_ID:
			(void)copy_head(v, &out->if_id, sizeof(out->if_id));
			break;
		case XFRMA_SET_MARK:
			(void)copy_head(v, &out->output_mark, sizeof(out->output_mark));
			break;
		case XFRMA_SET_MARK_MASK:
			(void)copy_head(v, &out->output_mask, sizeof(out->output_mask));
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
		return copy_head(at, info, sizeof(*info));
	case XFRM_MSG_EXPIRE:
		*rest = nl_attrs(nlh, sizeof(struct xfrm_user_expire));
		return copy_head(at, info, sizeof(*info));
	case XFRM_MSG_DELSA:
		*rest = at = nl_attrs(nlh, sizeof(struct xfrm_usersa_id));
		while (nl_attr_next(&at, &type, &v))
			if (type == XFRMA_SA)
				return copy_head(v, info, sizeof(*info));
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
	src = from_kernel(&i.saddr, i.family);
	dst = from_kernel(&i.id.daddr, i.family);
	out->id.dir = i.sel.user >> 16 == SIGN && (i.sel.user & 0xff) == XFRM_KIND_IN ? DP_IN : DP_OUT;
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

bool xfrm_expire_is_hard(const struct nlmsghdr *nlh)
{
	struct xfrm_user_expire x;

	return nlh->nlmsg_type == XFRM_MSG_EXPIRE && copy_head(nl_attrs(nlh, 0), &x, sizeof(x)) && x.hard != 0;
}

bool xfrm_get_mapping(const struct nlmsghdr *nlh, struct xfrm_mapping *out)
{
	struct xfrm_user_mapping m;

	if (nlh->nlmsg_type != XFRM_MSG_MAPPING || !copy_head(nl_attrs(nlh, 0), &m, sizeof(m)))
		return false;
	out->spi = ntohl(m.id.spi);
	out->was = (struct endpoint){ from_kernel(&m.old_saddr, m.id.family), ntohs(m.old_sport) };
	out->is = (struct endpoint){ from_kernel(&m.new_saddr, m.id.family), ntohs(m.new_sport) };
	return true;
}

bool xfrm_get_aevent(const struct nlmsghdr *nlh, uint32_t *spi, struct addr *destination, uint64_t *out_position,
		     uint64_t *in_position)
{
	struct xfrm_aevent_id a;
	struct xfrm_view v = { 0 };
	struct bytes rest, value;
	uint16_t type;

	if (nlh->nlmsg_type != XFRM_MSG_NEWAE || !copy_head(nl_attrs(nlh, 0), &a, sizeof(a)))
		return false;
	rest = nl_attrs(nlh, sizeof(a));
	while (nl_attr_next(&rest, &type, &value))
		if (type == XFRMA_REPLAY_ESN_VAL)
			get_replay(value, &v);
	*spi = ntohl(a.sa_id.spi);
	*destination = from_kernel(&a.sa_id.daddr, a.sa_id.family);
	*out_position = v.out_position;
	*in_position = v.in_position;
	return true;
}

/* ---- policies ---- */

static struct xfrm_selector selector_in_kernel(const struct xfrm_policy *p)
{
	const struct xfrm_row *r = &p->row;
	bool out = p->dir == XFRM_POLICY_OUT;
	const struct prefix *src = out ? &r->ours : &r->theirs, *dst = out ? &r->theirs : &r->ours;
	struct xfrm_selector s;

	memset(&s, 0, sizeof(s));
	s.saddr = to_kernel(&src->addr);
	s.daddr = to_kernel(&dst->addr);
	s.prefixlen_s = src->len;
	s.prefixlen_d = dst->len;
	s.sport = htons(out ? r->our_port : r->their_port);
	s.sport_mask = htons(out ? r->our_mask : r->their_mask);
	s.dport = htons(out ? r->their_port : r->our_port);
	s.dport_mask = htons(out ? r->their_mask : r->our_mask);
	/* RFC 4301 4.4.1.1: ICMP's type and code are no ports of either side; the kernel has the type as source. */
	if (r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6) {
		s.sport = htons(r->our_port);
		s.sport_mask = htons(r->our_mask);
		s.dport = htons(r->their_port);
		s.dport_mask = htons(r->their_mask);
	}
	s.family = family_of(src->addr.family ? &src->addr : &dst->addr);
	s.proto = r->proto;
	s.user = p->sign;
	return s;
}

static void put_template(struct nl_batch *b, const struct xfrm_policy *p)
{
	bool out = p->dir == XFRM_POLICY_OUT;
	struct xfrm_user_tmpl t;

	memset(&t, 0, sizeof(t));
	t.id.spi = htonl(p->spi);
	t.id.proto = IPPROTO_ESP;
	t.id.daddr = to_kernel(out ? &p->remote : &p->local);
	t.saddr = to_kernel(out ? &p->local : &p->remote);
	t.family = p->remote.family ? family_of(&p->remote) : selector_in_kernel(p).family;
	t.reqid = p->reqid;
	t.mode = p->mode == DP_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	t.aalgos = t.ealgos = t.calgos = UINT32_MAX;
	nl_put(b, XFRMA_TMPL, &t, sizeof(t));
}

bool xfrm_put_policy(struct nl_batch *b, const struct xfrm_policy *p)
{
	struct xfrm_userpolicy_info i;

	memset(&i, 0, sizeof(i));
	i.sel = selector_in_kernel(p);
	i.lft.soft_byte_limit = i.lft.hard_byte_limit = XFRM_NO_LIMIT;
	i.lft.soft_packet_limit = i.lft.hard_packet_limit = XFRM_NO_LIMIT;
	i.priority = p->priority;
	i.dir = p->dir;
	i.action = p->block ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
	nl_begin(b, XFRM_MSG_UPDPOLICY, 0, &i, sizeof(i));
	if (p->has_template && !p->block)
		put_template(b, p);
	put_mark(b, p->mark, p->mark_mask);
	if (p->if_id != 0)
		nl_put_u32(b, XFRMA_IF_ID, p->if_id);
	return nl_end(b);
}

bool xfrm_put_del_policy(struct nl_batch *b, const struct xfrm_policy *p)
{
	struct xfrm_userpolicy_id id;

	memset(&id, 0, sizeof(id));
	id.sel = selector_in_kernel(p);
	id.dir = p->dir;
	nl_begin(b, XFRM_MSG_DELPOLICY, 0, &id, sizeof(id));
	put_mark(b, p->mark, p->mark_mask);
	if (p->if_id != 0)
		nl_put_u32(b, XFRMA_IF_ID, p->if_id);
	return nl_end(b);
}

bool xfrm_put_dump_policy(struct nl_batch *b)
{
	nl_begin(b, XFRM_MSG_GETPOLICY, NLM_F_DUMP, NULL, 0);
	return nl_end(b);
}

bool xfrm_put_flush_policy(struct nl_batch *b)
{
	nl_begin(b, XFRM_MSG_FLUSHPOLICY, 0, NULL, 0);
	return nl_end(b);
}

static void get_row(const struct xfrm_selector *s, bool out, struct xfrm_row *r)
{
	struct prefix src = { from_kernel(&s->saddr, s->family), s->prefixlen_s };
	struct prefix dst = { from_kernel(&s->daddr, s->family), s->prefixlen_d };
	bool icmp = s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6, source_is_ours = out || icmp;

	*r = (struct xfrm_row){ .ours = out ? src : dst, .theirs = out ? dst : src, .proto = s->proto };
	r->our_port = ntohs(source_is_ours ? s->sport : s->dport);
	r->our_mask = ntohs(source_is_ours ? s->sport_mask : s->dport_mask);
	r->their_port = ntohs(source_is_ours ? s->dport : s->sport);
	r->their_mask = ntohs(source_is_ours ? s->dport_mask : s->sport_mask);
}

bool xfrm_get_policy(const struct nlmsghdr *nlh, struct xfrm_policy *out)
{
	struct xfrm_userpolicy_info i;
	struct xfrm_user_tmpl t;
	struct xfrm_mark mark;
	struct bytes rest, v;
	uint16_t type;

	if (nlh->nlmsg_type != XFRM_MSG_NEWPOLICY || !copy_head(nl_attrs(nlh, 0), &i, sizeof(i)))
		return false;
	memset(out, 0, sizeof(*out));
	out->dir = i.dir;
	out->priority = i.priority;
	out->sign = i.sel.user;
	out->block = i.action == XFRM_POLICY_BLOCK;
	get_row(&i.sel, i.dir == XFRM_POLICY_OUT, &out->row);
	rest = nl_attrs(nlh, sizeof(i));
	while (nl_attr_next(&rest, &type, &v)) {
		if (type == XFRMA_TMPL && copy_head(v, &t, sizeof(t))) {
			bool forth = i.dir == XFRM_POLICY_OUT;

			out->has_template = true;
			out->mode = t.mode == XFRM_MODE_TUNNEL ? DP_TUNNEL : DP_TRANSPORT;
			out->reqid = t.reqid;
			out->spi = ntohl(t.id.spi);
			out->local = from_kernel(forth ? &t.saddr : &t.id.daddr, t.family);
			out->remote = from_kernel(forth ? &t.id.daddr : &t.saddr, t.family);
		} else if (type == XFRMA_MARK && copy_head(v, &mark, sizeof(mark))) {
			out->mark = mark.v;
			out->mark_mask = mark.m;
		} else if (type == XFRMA_IF_ID) {
			(void)copy_head(v, &out->if_id, sizeof(out->if_id));
		}
	}
	return true;
}

/* ---- thresholds ---- */

bool xfrm_put_thresholds(struct nl_batch *b, const struct xfrm_thresholds *t)
{
	const uint32_t flags = 0;
	struct xfrmu_spdhthresh v4 = { t->ours4, t->theirs4 }, v6 = { t->ours6, t->theirs6 };

	nl_begin(b, XFRM_MSG_NEWSPDINFO, 0, &flags, sizeof(flags));
	nl_put(b, XFRMA_SPD_IPV4_HTHRESH, &v4, sizeof(v4));
	nl_put(b, XFRMA_SPD_IPV6_HTHRESH, &v6, sizeof(v6));
	return nl_end(b);
}

bool xfrm_put_get_thresholds(struct nl_batch *b)
{
	const uint32_t flags = UINT32_MAX;

	nl_begin(b, XFRM_MSG_GETSPDINFO, 0, &flags, sizeof(flags));
	return nl_end(b);
}

bool xfrm_get_thresholds(const struct nlmsghdr *nlh, struct xfrm_thresholds *out)
{
	struct bytes rest = nl_attrs(nlh, sizeof(uint32_t)), v;
	struct xfrmu_spdhthresh t;
	unsigned found = 0;
	uint16_t type;

	if (nlh->nlmsg_type != XFRM_MSG_NEWSPDINFO)
		return false;
	while (nl_attr_next(&rest, &type, &v)) {
		if (type == XFRMA_SPD_IPV4_HTHRESH && copy_head(v, &t, sizeof(t))) {
			out->ours4 = t.lbits;
			out->theirs4 = t.rbits;
			found |= 1;
		} else if (type == XFRMA_SPD_IPV6_HTHRESH && copy_head(v, &t, sizeof(t))) {
			out->ours6 = t.lbits;
			out->theirs6 = t.rbits;
			found |= 2;
		}
	}
	return found == 3;
}
