/*
 * What esp/dataplane.h promises, put to every plane that runs here: the fake and the userspace plane, and the kernel's
 * where it has one (in User Mode Linux, and with KERNEL_PLANE=1 in the environment, it must). Cases that need something
 * ask the capability flags. Packets are made by a driver: calls on the fake, real ESP through real sockets on the
 * others.
 *
 * Whoever includes this defines add_cases() and calls conformance_main().
 */
#ifndef TESTS_ESP_CONFORMANCE_CHECK_H
#define TESTS_ESP_CONFORMANCE_CHECK_H

#include <stdio.h>

#include "esp/dataplane.h"
#include "esp/packet.h"
#include "tests/esp/plane_check.h"

enum { REQID = 77 };

static struct plane plane;
static struct selector ours, theirs;
static struct crypto *crypto;
static int peer; /* userspace: the peer's socket */
static struct endpoint peer_at;

enum which { FAKE, USER, KERNEL };

static inline void begin_with(enum which which)
{
	bool fake = which == FAKE;
	struct err e = { 0 };

	if (which == KERNEL)
		plane_open_kernel(&plane, 3);
	else
		plane_open(&plane, fake, 3);
	crypto = crypto_create(&e);
	ck_assert_ptr_nonnull(crypto);
	peer = fake ? -1 : loopback_socket(&peer_at);
	if (fake)
		peer_at = endpoint_of("127.0.0.1", 4501);
	ours = selector_for("192.168.1.0/24", 0, 0, 65535);
	theirs = selector_for("10.1.1.1", 0, 0, 65535);
}

static inline void begin_fake(void)
{
	begin_with(FAKE);
}

static inline void begin_user(void)
{
	begin_with(USER);
}

static inline void begin_kernel(void)
{
	begin_with(KERNEL);
}

static inline void end(void)
{
	plane_close(&plane);
	crypto_destroy(crypto);
	if (peer >= 0)
		(void)close(peer);
}

/* ---- driver ---- */

static inline struct dp_sa make_sa(enum dp_dir dir, uint32_t spi)
{
	struct dp_sa sa = sa_of(dir, spi, REQID);

	sa.local = plane.at;
	sa.remote = peer_at;
	return sa;
}

static inline void set_policy(void)
{
	ck_assert_int_eq(plane_do(&plane, op_policy(REQID, &ours, &theirs)), GW_OK);
}

static inline struct dp_sa_state state_of(const struct dp_sa *sa)
{
	struct dp_sa_id id = id_of(sa);
	struct dp_sa_state state;

	ck_assert_int_eq(plane.dp->ops->query(plane.dp, &id, &state), GW_OK);
	return state;
}

static inline bool exists(const struct dp_sa *sa)
{
	struct dp_sa_id id = id_of(sa);
	struct dp_sa_state state;

	return plane.dp->ops->query(plane.dp, &id, &state) == GW_OK;
}

static inline const struct dp_caps *caps_of(void)
{
	return plane.dp->ops->caps(plane.dp);
}

/* What came to the peer. The kernel may take its time. */
static inline uint64_t collect(int patience_ms, uint64_t enough, uint32_t *spi)
{
	uint8_t buf[2048];
	uint64_t got = 0;

	while (got < enough && readable(peer, patience_ms)) {
		ssize_t r = recv(peer, buf, sizeof(buf), 0);
		uint32_t wire;

		ck_assert_int_gt(r, 0);
		ck_assert(packet_peek(bytes_of(buf, (size_t)r), spi, &wire));
		got++;
	}
	return got;
}

/* n packets from inside. Returns how many came to the peer; *spi gets the SPI of the last. */
static inline uint64_t send_inside(uint64_t n, uint32_t *spi)
{
	struct flow f = { "192.168.1.5", "10.1.1.1", 17, 1000, 2000, 0, false, 0, 72 };
	uint8_t buf[2048];
	uint64_t got = 0;
	size_t len = flow_write(&f, buf, sizeof(buf));

	if (plane.fake) {
		struct dp_sa_id id;

		got = fake_plane_send(plane.dp, REQID, n, len);
		if (got > 0 && fake_plane_newest_out(plane.dp, REQID, &id))
			*spi = id.spi;
		return got;
	}
	if (!plane.kernel)
		got = plane_seen(&plane, DP_OUT);
	for (uint64_t i = 0; i < n; i++)
		ck_assert_int_eq(write(plane.inside, buf, len), (ssize_t)len);
	if (plane.kernel)
		return collect(QUIET_MS, n + 1, spi);
	/* Loopback is synchronous: what the plane has sent is in our socket. */
	plane_await_seen(&plane, DP_OUT, got + n);
	return collect(0, UINT64_MAX, spi);
}

/* An authentic packet from the peer; true: it came inside. `sock`: the peer's socket, userspace only. */
static inline bool send_peer(const struct dp_sa *in, uint64_t seq, int sock, const struct endpoint *from)
{
	struct flow f = { "10.1.1.1", "192.168.1.5", 17, 1000, 2000, 0, false, 0, 72 };
	struct packet_sa keys = { &in->suite, NULL, in->spi, in->esn };
	struct sockaddr_storage ss;
	struct packet p;
	uint8_t buf[2048], iv[8], got[2048];
	uint64_t before;
	socklen_t len;
	size_t n = flow_write(&f, buf + PACKET_HEADROOM, 1024);

	if (plane.fake)
		return fake_plane_receive(plane.dp, in->spi, seq, from, n);
	p = (struct packet){ buf, sizeof(buf), PACKET_HEADROOM, n };
	put_u64(iv, seq);
	ck_assert_int_eq(cipher_create(crypto, &in->suite, CIPHER_SEAL, in->encr_key, in->integ_key, &keys.cipher),
			 GW_OK);
	ck_assert_int_eq(packet_seal(&keys, seq, iv, ESP_NEXT_IPV4, &p), GW_OK);
	cipher_destroy(keys.cipher);
	len = (socklen_t)endpoint_to_sockaddr(&plane.at, &ss);
	before = plane.kernel ? 0 : plane_seen(&plane, DP_IN);
	ck_assert_int_eq(sendto(sock, packet_data(&p), p.n, 0, (struct sockaddr *)&ss, len), (ssize_t)p.n);
	if (!plane.kernel)
		plane_await_seen(&plane, DP_IN, before + 1);
	if (!readable(plane.inside, plane.kernel ? QUIET_MS : 0))
		return false;
	ck_assert_int_eq(read(plane.inside, got, sizeof(got)), (ssize_t)n);
	return true;
}

static inline void expect_event(enum dp_event_kind kind, const struct dp_sa *sa)
{
	struct dp_event event;

	ck_assert_msg(plane_event(&plane, &event, PATIENCE_MS), "no event %d", kind);
	ck_assert_int_eq(event.kind, kind);
	ck_assert_uint_eq(event.id.spi, sa->spi);
	ck_assert_int_eq(event.id.dir, sa->dir);
}

static inline void expect_no_event(void)
{
	struct dp_event event;

	ck_assert_msg(!plane_event(&plane, &event, QUIET_MS), "event %d", event.kind);
}

/* ---- each case on each plane ---- */

static void add_cases(TCase *t);

static inline void add_fake(TCase *t)
{
	tcase_add_checked_fixture(t, begin_fake, end);
	add_cases(t);
}

static inline void add_user(TCase *t)
{
	tcase_add_checked_fixture(t, begin_user, end);
	add_cases(t);
}

static inline void add_kernel(TCase *t)
{
	tcase_add_checked_fixture(t, begin_kernel, end);
	add_cases(t);
}

static inline int run_kernel(void)
{
	struct err e = { 0 };

	if (kernel_available(&e))
		return run_cases("kernel", add_kernel);
	fprintf(stderr, "kernel plane: not here: %s\n", e.text);
	return kernel_required() ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int conformance_main(void)
{
	int fake = run_cases("fake", add_fake), user = run_cases("userspace", add_user), kernel = run_kernel();

	return fake == EXIT_SUCCESS && user == EXIT_SUCCESS && kernel == EXIT_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
