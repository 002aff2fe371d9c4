/* The way of one packet through the userspace plane. `lock` is held throughout; nothing here allocates per packet. */
#include "esp/pmtu.h"
#include "esp/user_state.h"

enum { PATH_MTU_AGE_S = 10 }; /* how long the kernel's answer about a path is believed */

static void tell_no_sa(struct user_plane *u, const struct endpoint *from, uint32_t spi, uint32_t wire)
{
	struct dp_event event = { .kind = DP_NO_SA, .remote = *from, .position = wire };

	u->stats[ST_IN_NO_SA]++;
	if (!ratelimit_allow(&u->no_sa_limit, u->now, NULL))
		return;
	event.id.dir = DP_IN;
	event.id.spi = spi;
	(void)pthread_mutex_lock(&u->mail);
	outbox_put(&u->outbox, &event);
	user_wake(u);
	(void)pthread_mutex_unlock(&u->mail);
}

static void tell_fence(struct user_plane *u, struct sad_sa *sa, unsigned tell)
{
	(void)pthread_mutex_lock(&u->mail);
	outbox_tell_fence(&u->outbox, sa, tell);
	user_wake(u);
	(void)pthread_mutex_unlock(&u->mail);
}

static void tell_moved(struct user_plane *u, struct sad_sa *sa, const struct endpoint *from)
{
	if (endpoint_equal(from, &sa->remote) && sa->moved_to.addr.family == 0)
		return; /* the usual case, without the lock */
	(void)pthread_mutex_lock(&u->mail);
	outbox_tell_moved(&u->outbox, sa, from);
	user_wake(u);
	(void)pthread_mutex_unlock(&u->mail);
}

static void too_big(struct user_plane *u, const struct packet *p, const struct inner *in, size_t mtu)
{
	uint8_t reply[PMTU_REPLY_MAX];
	size_t n;

	u->stats[ST_OUT_TOO_BIG]++;
	if (!ratelimit_allow(&u->icmp_limit, u->now, NULL))
		return;
	n = pmtu_reply(packet_bytes(p), in, mtu, reply);
	if (n > 0)
		user_tun_write(u, bytes_of(reply, n));
}

/* RFC 4301 8.2: does the packet fit the outer path, or may the outer packet be fragmented? */
static bool fits(struct user_plane *u, struct sad_sa *sa, const struct packet *p, const struct inner *in)
{
	size_t mtu;

	if (!in->df || !sa->copy_df)
		return true;
	if (sa->path_mtu == 0 || u->now.us / SECONDS(1) - sa->path_mtu_at > PATH_MTU_AGE_S) {
		sa->path_mtu = pmtu_path(&sa->local, &sa->remote);
		sa->path_mtu_at = (uint32_t)(u->now.us / SECONDS(1));
		if (sa->path_mtu == 0)
			sa->path_mtu = PMTU_DEFAULT;
	}
	mtu = pmtu_inner(&sa->suite, sa->remote.addr.family, sa->udp_encap, sa->path_mtu);
	if (in->src.family == 6 && mtu < 1280)
		mtu = 1280; /* RFC 8200 5: below it is our job to fragment */
	if (in->n <= mtu)
		return true;
	too_big(u, p, in, mtu);
	return false;
}

/* RFC 4106 3.1, DESIGN.md §4: unique by construction. CBC's must be unpredictable instead (RFC 3602 3). */
static bool make_iv(struct user_plane *u, const struct sad_sa *sa, uint64_t seq, uint8_t iv[16])
{
	size_t n = suite_iv_len(&sa->suite);

	if (n != 8)
		return rng_fill(u->rng, iv, n) == GW_OK;
	put_u64(iv, node_nonce(u->node, seq));
	return true;
}

static struct sad_sa *choose_out(struct user_plane *u, const struct inner *in)
{
	const struct spd_policy *policy = spd_out(u->spd, in);
	struct sad_sa *sa;

	if (!policy) {
		u->stats[ST_OUT_NO_POLICY]++;
		return NULL;
	}
	sa = sad_newest_out(u->sad, policy->reqid);
	if (!sa)
		u->stats[ST_OUT_NO_SA]++;
	return sa;
}

void user_outbound(struct user_plane *u, struct packet *p)
{
	struct packet_sa seal;
	struct inner in;
	struct sad_sa *sa;
	uint8_t iv[16], next;
	unsigned tell;
	uint64_t seq;
	bool granted;

	if (u->passes != DP_OPEN || user_asleep(u)) {
		u->stats[ST_OUT_SHUT]++;
		return;
	}
	if (!inner_parse(packet_bytes(p), &in)) {
		u->stats[ST_OUT_MALFORMED]++;
		return;
	}
	p->n = in.n;
	sa = choose_out(u, &in);
	if (!sa || !fits(u, sa, p, &in))
		return;
	seal = (struct packet_sa){ &sa->suite, NULL, sa->key.spi, sa->esn };
	if (sad_cipher(u->sad, u->crypto, sa, u->busy_max, &seal.cipher) != GW_OK) {
		u->stats[ST_OUT_ERROR]++;
		return;
	}
	granted = sad_next(sa, &seq, &tell);
	if (tell)
		tell_fence(u, sa, tell);
	if (!granted) {
		u->stats[ST_OUT_FENCE]++;
		return;
	}
	next = in.src.family == 6 ? ESP_NEXT_IPV6 : ESP_NEXT_IPV4;
	if (!make_iv(u, sa, seq, iv) || packet_seal(&seal, seq, iv, next, p) != GW_OK) {
		u->stats[ST_OUT_ERROR]++;
		return;
	}
	sa->last_use = u->now;
	sad_touch(u->sad, sa);
	sa->count.packets++;
	sa->count.bytes += in.n;
	u->stats[ST_OUT_PACKETS]++;
	u->stats[ST_OUT_BYTES] += in.n;
	user_send(u, sa, packet_outer_tos(in.tos, sa->copy_dscp), packet_bytes(p));
}

/* Verified, fresh, decrypted; false: dropped and counted. */
static bool open_esp(struct user_plane *u, struct sad_sa *sa, const struct endpoint *from, bool udp, uint64_t seq,
		     struct packet *p, uint8_t *next)
{
	struct packet_sa keys = { &sa->suite, NULL, sa->key.spi, sa->esn };
	enum gw_err code = GW_EREPLAY;
	bool highest = seq > sa->replay.top;

	if (!replay_check(&sa->replay, seq)) { /* spares the cryptography */
		sa->replays++;
		u->stats[ST_IN_REPLAY]++;
		return false;
	}
	if (sad_cipher(u->sad, u->crypto, sa, u->busy_max, &keys.cipher) != GW_OK) {
		u->stats[ST_IN_ERROR]++;
		return false;
	}
	code = packet_open(&keys, seq, p, next);
	if (code == GW_EAUTH) {
		sa->bad_icv++;
		u->stats[ST_IN_BAD_ICV]++;
		return false;
	}
	if (code != GW_OK || !replay_accept(&sa->replay, seq)) {
		u->stats[ST_IN_MALFORMED]++;
		return false;
	}
	sa->last_use = u->now;
	sad_touch(u->sad, sa);
	/* An old packet may still come the old way: only the newest tells where the peer is now. */
	if (highest && udp == sa->udp_encap)
		tell_moved(u, sa, from);
	return true;
}

/* The inner packet against the SA's policy (RFC 4301 5.2 step 4) and RFC 6040; then it is the kernel's. */
static void deliver(struct user_plane *u, struct sad_sa *sa, uint8_t next, uint8_t tos, struct packet *p)
{
	const struct spd_policy *policy;
	struct inner in;
	uint8_t inner_tos;

	if (next == ESP_NEXT_NONE) {
		u->stats[ST_IN_DUMMY]++;
		return;
	}
	if ((next != ESP_NEXT_IPV4 && next != ESP_NEXT_IPV6) || !inner_parse(packet_bytes(p), &in) ||
	    in.src.family != (next == ESP_NEXT_IPV4 ? 4 : 6)) {
		u->stats[ST_IN_MALFORMED]++;
		return;
	}
	p->n = in.n; /* without TFC padding */
	policy = spd_find(u->spd, sa->reqid);
	if (!policy || !spd_in_ok(policy, &in)) {
		sa->bad_policy++;
		u->stats[ST_IN_BAD_POLICY]++;
		return;
	}
	if (!packet_inner_tos(tos, in.tos, &inner_tos)) {
		u->stats[ST_IN_ECN]++;
		return;
	}
	if (inner_tos != in.tos)
		inner_set_tos(packet_data(p), inner_tos);
	sa->count.packets++;
	sa->count.bytes += in.n;
	u->stats[ST_IN_PACKETS]++;
	u->stats[ST_IN_BYTES] += in.n;
	user_tun_write(u, packet_bytes(p));
}

void user_inbound(struct user_plane *u, const struct endpoint *from, bool udp, uint8_t tos, struct packet *p)
{
	struct sad_sa *sa;
	uint32_t spi, wire;
	uint8_t next;

	if (!packet_peek(packet_bytes(p), &spi, &wire)) {
		u->stats[ST_IN_MALFORMED]++;
		return;
	}
	if (u->passes == DP_SHUT || user_asleep(u)) {
		u->stats[ST_IN_SHUT]++;
		return;
	}
	sa = sad_find_in(u->sad, spi);
	if (!sa) {
		tell_no_sa(u, from, spi, wire);
		return;
	}
	if (open_esp(u, sa, from, udp, replay_guess(&sa->replay, sa->esn, wire), p, &next))
		deliver(u, sa, next, tos, p);
}
