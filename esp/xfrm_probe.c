#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "esp/xfrm_link.h"
#include "esp/xfrm_state.h"

/*
 * The kernel is asked by trying: states that nothing can match, in a documentation network, made and removed at once.
 * Its modules load themselves on the way, where they may.
 */

enum { PROBE_SPI = 0x100 };

struct trial {
	const char *name, *local, *remote;
	uint16_t encr, key_bits, integ;
	bool udp, esn;
	const char *remedy;
};

#define ESP4_REMEDY "ESP for IPv4 is missing; do: modprobe esp4 (CONFIG_INET_ESP)"
#define ESP6_REMEDY "ESP for IPv6 is missing; do: modprobe esp6 (CONFIG_INET6_ESP)"

/* The first is what there is no plane without. */
static const struct trial trials[] = {
	{ "ESP", "192.0.2.1", "192.0.2.2", ENCR_AES_GCM_16, 128, 0, false, false, ESP4_REMEDY },
	{ "ESP in UDP", "192.0.2.1", "192.0.2.2", ENCR_AES_GCM_16, 128, 0, true, false, ESP4_REMEDY },
	{ "ESN", "192.0.2.1", "192.0.2.2", ENCR_AES_GCM_16, 128, 0, false, true,
	  "extended sequence numbers are missing; do: modprobe esp4 seqiv" },
	{ "AES-CBC with HMAC", "192.0.2.1", "192.0.2.2", ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128, false, false,
	  "do: modprobe cbc authenc sha256_generic" },
	{ "ChaCha20-Poly1305", "192.0.2.1", "192.0.2.2", ENCR_CHACHA20_POLY1305, 256, 0, false, false,
	  "do: modprobe chacha20poly1305" },
	{ "ESP over IPv6", "2001:db8::1", "2001:db8::2", ENCR_AES_GCM_16, 128, 0, false, false, ESP6_REMEDY },
	{ "ESP in UDP over IPv6", "2001:db8::1", "2001:db8::2", ENCR_AES_GCM_16, 128, 0, true, false,
	  ESP6_REMEDY ", or a kernel from 5.8 on" },
};

struct outcome {
	int number;
	char text[96];
	bool offloaded;
	uint32_t tenths; /* of a second: what it says of TRIED_TICKS */
};

enum { TRIED_TICKS = 100000 };

static void on_error(void *arg, uint32_t index, int number, const char *text)
{
	struct outcome *o = arg;

	(void)index;
	o->number = number;
	(void)snprintf(o->text, sizeof(o->text), "%s", text[0] ? text : strerror(number));
}

static void on_data(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	struct outcome *o = arg;
	struct xfrm_aevent a;
	struct xfrm_view v;

	(void)index;
	if (xfrm_get_state(nlh, &v))
		o->offloaded = v.offloaded;
	else if (xfrm_get_aevent(nlh, &a))
		o->tenths = a.reports.ticks;
}

/* Makes the state, looks at it, removes it: only what was made, for somebody else's may stand there. */
static enum gw_err try_state(struct nl_socket *nl, const struct xfrm_state *s, struct outcome *o)
{
	_Alignas(struct nlmsghdr) uint8_t buf[4096];
	const struct nl_handler making = { .error = on_error, .arg = o }, looking = { .data = on_data, .arg = o };
	const struct xfrm_numbers n = { .window = XFRM_WINDOW_MIN };
	struct xfrm_state_id id = xfrm_state_id_of(s);
	struct nl_batch b;

	*o = (struct outcome){ 0 };
	nl_reset(&b, buf, sizeof(buf), nl->seq + 1);
	if (!xfrm_put_new_sa(&b, s, &n))
		return GW_EINTERNAL;
	TRY(nl_exchange(nl, &b, &making));
	if (o->number != 0)
		return GW_OK;
	nl_reset(&b, buf, sizeof(buf), nl->seq + 1);
	if (!xfrm_put_get_sa(&b, &id) || !xfrm_put_get_ae(&b, &id, s->reqid) || !xfrm_put_del_sa(&b, &id))
		return GW_EINTERNAL;
	return nl_exchange(nl, &b, &looking);
}

static bool endpoint_at(const char *text, struct endpoint *out)
{
	out->port = 4500;
	return addr_parse(text, &out->addr);
}

/* False: no addresses. */
static bool state_for(const struct trial *t, uint8_t node, struct xfrm_state *out)
{
	static const uint8_t key[64] = { 1 };

	*out = (struct xfrm_state){
		.dir = DP_OUT,
		.mode = DP_TUNNEL,
		.spi = PROBE_SPI,
		.reqid = 1,
		.sign = xfrm_sign(node, XFRM_KIND_PROBE),
		.udp_encap = t->udp,
		.esn = t->esn,
		.suite = { .encr = encr_find(t->encr), .key_bits = t->key_bits },
		.soft = XFRM_NO_LIMIT,
		.hard = XFRM_NO_LIMIT,
	};

	out->suite.integ = t->integ ? integ_find(t->integ) : NULL;
	out->encr_key = bytes_of(key, suite_encr_key_len(&out->suite));
	out->integ_key = bytes_of(key, suite_integ_key_len(&out->suite));
	return endpoint_at(t->local, &out->local) && endpoint_at(t->remote, &out->remote);
}

static enum gw_err try_one(struct nl_socket *nl, uint8_t node, const struct trial *t, struct outcome *o)
{
	struct xfrm_state s;

	return state_for(t, node, &s) ? try_state(nl, &s, o) : GW_EINTERNAL;
}

static enum gw_err missing(struct err *e, const struct trial *t, const struct outcome *o)
{
	switch (o->number) {
	case EPERM:
	case EACCES:
		return err_set(e, GW_EPERM,
			       "kernel data plane: not permitted; CAP_NET_ADMIN is missing: run as root, or by the "
			       "systemd unit");
	case EPROTONOSUPPORT:
	case EAFNOSUPPORT:
		return err_set(e, GW_EUNSUPPORTED, "kernel data plane: %s", t->remedy);
	case ENOSYS:
	case ENOENT:
		return err_set(e, GW_EUNSUPPORTED,
			       "kernel data plane: ESP or AES-GCM is missing; do: modprobe esp4 esp6 gcm seqiv");
	case EEXIST:
		return err_set(e, GW_EEXIST,
			       "kernel data plane: somebody's state stands where we probe (SPI 00000100 to 192.0.2.2)");
	default:
		return err_set(e, xfrm_error(o->number), "kernel data plane: %s: %s", t->name, o->text);
	}
}

/* Of the sockets, not of the states. */
static enum gw_err try_encap(struct err *e)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	enum gw_err r;

	if (fd < 0)
		return err_set(e, GW_EIO, "socket: %s", strerror(errno));
	r = xfrm_socket_encap(fd, true, e);
	(void)close(fd);
	return r;
}

enum gw_err xfrm_probe(const struct env *env, struct dp_caps *caps, struct err *e)
{
	struct nl_socket nl;
	struct outcome o;
	enum gw_err r;

	r = nl_open(NETLINK_XFRM, &nl, e);
	if (r == GW_EUNSUPPORTED)
		return err_set(e, r,
			       "kernel data plane: this kernel has no XFRM; do: modprobe xfrm_user (CONFIG_XFRM_USER)");
	TRY(r);
	*caps = (struct dp_caps){ .name = "kernel", .transport = true, .raw_esp = true };
	caps->replay_window_max = XFRM_WINDOW_MAX;
	for (size_t i = 0; i < ARRAY_LEN(trials) && r == GW_OK; i++) {
		r = try_one(&nl, env->node.index, &trials[i], &o);
		if (r != GW_OK) {
			(void)err_set(e, r, "kernel data plane: no answer: %s", gw_err_text(r));
		} else if (i == 0 && o.number != 0) {
			r = missing(e, &trials[0], &o);
		} else if (o.number != 0) {
			log_info(env->log, "kernel data plane: no %s (%s); %s", trials[i].name, o.text,
				 trials[i].remedy);
		} else if (trials[i].esn) {
			caps->esn = true;
		}
	}
	nl_close(&nl);
	if (r == GW_OK)
		r = try_encap(e);
	/* Offload is a matter of the device: it is asked for by SA, and refused by SA. */
	caps->offload = true;
	return r;
}

/* ---- ticks ---- */

/* What is written in ticks is read in tenths of a second. */
uint32_t xfrm_ticks_per_second(struct xfrm_plane *x)
{
	struct xfrm_state s;
	struct outcome o;

	if (!state_for(&trials[0], x->env->node.index, &s))
		return 0;
	s.reports.ticks = TRIED_TICKS;
	if (try_state(&x->nl, &s, &o) != GW_OK || o.number != 0 || o.tenths == 0)
		return 0;
	return TRIED_TICKS * 10 / o.tenths;
}

/* ---- offload ---- */

#define OFFLOAD_MEMORY_US SECONDS(10)

/*
 * A kernel without a driver for it takes a state with `crypto` all the same and encrypts by itself, without a word. So
 * a state of the SA's kind, which nothing can match, is looked at after it was made.
 */
static bool try_offload(struct nl_socket *nl, const struct xfrm_plane *x, const struct sad_sa *sa)
{
	struct xfrm_state s = xfrm_sa_state(x, sa);
	struct outcome o;

	s.spi = PROBE_SPI;
	s.sign = xfrm_sign(x->env->node.index, XFRM_KIND_PROBE);
	return try_state(nl, &s, &o) == GW_OK && o.number == 0 && o.offloaded;
}

enum gw_err xfrm_offload(struct xfrm_plane *x, struct sad_sa *sa, const char **why)
{
	struct dp_extra *extra = &sa->extra;
	struct nl_socket nl;
	struct err e = { 0 };

	if (extra->offload_ifindex == 0)
		extra->offload_ifindex = xfrm_link_with(&sa->local.addr);
	if (extra->offload_ifindex == 0) {
		*why = "offload: no device has the local address";
		return GW_EUNSUPPORTED;
	}
	if (x->offload.ifindex != extra->offload_ifindex || x->offload.kind != extra->offload ||
	    mtime_since(x->offload.when, x->now) > OFFLOAD_MEMORY_US) {
		TRY(nl_open(NETLINK_XFRM, &nl, &e));
		x->offload.ifindex = extra->offload_ifindex;
		x->offload.kind = extra->offload;
		x->offload.works = try_offload(&nl, x, sa);
		x->offload.when = x->now;
		nl_close(&nl);
	}
	if (x->offload.works)
		return GW_OK;
	*why = extra->offload == DP_OFFLOAD_CRYPTO ? "offload: the network device cannot encrypt ESP"
						   : "offload: the network device cannot do ESP";
	return GW_EUNSUPPORTED;
}
