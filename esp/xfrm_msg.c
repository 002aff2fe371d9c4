#include "esp/xfrm_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "esp/xfrm_wire.h"

enum {
	UDP_ENCAP_ESP = 2, /* UDP_ENCAP_ESPINUDP: RFC 3948 */
};

uint32_t xfrm_sign(uint8_t node, enum xfrm_kind kind)
{
	return (uint32_t)WIRE_SIGN << 16 | (uint32_t)node << 8 | (uint32_t)kind;
}

bool xfrm_sign_ours(uint32_t user, uint8_t node, enum xfrm_kind *kind)
{
	if (user >> 16 != WIRE_SIGN || (user >> 8 & 0xff) != node)
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

	wire_put_mark(b, x->mark, x->mark_mask);
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
	i.id.daddr = wire_addr(destination_of(&id));
	i.id.spi = htonl(s->spi);
	i.id.proto = IPPROTO_ESP;
	i.saddr = wire_addr(source_of(&id));
	i.lft.soft_byte_limit = i.lft.hard_byte_limit = XFRM_NO_LIMIT;
	i.lft.soft_packet_limit = s->soft;
	i.lft.hard_packet_limit = s->hard;
	i.reqid = s->reqid;
	i.family = wire_family(&s->remote.addr);
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

static void put_reports(struct nl_batch *b, const struct xfrm_reports *r)
{
	nl_put_u32(b, XFRMA_REPLAY_THRESH, r->packets);
	nl_put_u32(b, XFRMA_ETIMER_THRESH, r->ticks);
}

static bool put_whole(struct nl_batch *b, uint16_t type, uint16_t flags, const struct xfrm_state *s,
		      const struct xfrm_numbers *n)
{
	struct xfrm_usersa_info i = info_of(s);

	nl_begin(b, type, flags, &i, sizeof(i));
	put_state(b, s);
	put_replay(b, s->dir, n);
	put_lifetime(b, n);
	/* Always, since the kernel's own choice, every second packet, is a flood for who listens. */
	put_reports(b, &s->reports);
	return nl_end(b);
}

bool xfrm_put_new_sa(struct nl_batch *b, const struct xfrm_state *s, const struct xfrm_numbers *n)
{
	return put_whole(b, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, s, n);
}

bool xfrm_put_update_sa(struct nl_batch *b, const struct xfrm_state *s, const struct xfrm_numbers *n)
{
	return put_whole(b, XFRM_MSG_UPDSA, 0, s, n);
}

static struct xfrm_usersa_id usersa_id(const struct xfrm_state_id *id)
{
	const struct addr *to = destination_of(id);
	struct xfrm_usersa_id u;

	memset(&u, 0, sizeof(u));
	u.daddr = wire_addr(to);
	u.spi = htonl(id->spi);
	u.family = wire_family(to);
	u.proto = IPPROTO_ESP;
	return u;
}

static bool put_by_id(struct nl_batch *b, uint16_t type, const struct xfrm_state_id *id)
{
	struct xfrm_usersa_id u = usersa_id(id);

	nl_begin(b, type, 0, &u, sizeof(u));
	wire_put_mark(b, id->mark, id->mark_mask);
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
	a.saddr = wire_addr(source_of(id));
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
	wire_put_mark(b, id->mark, id->mark_mask);
	put_replay(b, id->dir, n);
	put_lifetime(b, n);
	return nl_end(b);
}

bool xfrm_put_reports(struct nl_batch *b, const struct xfrm_state_id *id, uint32_t reqid, const struct xfrm_reports *r)
{
	struct xfrm_aevent_id a = aevent_id(id, reqid, XFRM_AE_RTHR | XFRM_AE_ETHR);

	nl_begin(b, XFRM_MSG_NEWAE, NLM_F_REPLACE, &a, sizeof(a));
	wire_put_mark(b, id->mark, id->mark_mask);
	put_reports(b, r);
	return nl_end(b);
}

bool xfrm_put_get_ae(struct nl_batch *b, const struct xfrm_state_id *id, uint32_t reqid)
{
	struct xfrm_aevent_id a = aevent_id(id, reqid, XFRM_AE_RTHR | XFRM_AE_ETHR);

	nl_begin(b, XFRM_MSG_GETAE, 0, &a, sizeof(a));
	wire_put_mark(b, id->mark, id->mark_mask);
	return nl_end(b);
}

bool xfrm_put_flush_sa(struct nl_batch *b)
{
	struct xfrm_usersa_flush f = { .proto = IPPROTO_ESP };

	nl_begin(b, XFRM_MSG_FLUSHSA, 0, &f, sizeof(f));
	return nl_end(b);
}
