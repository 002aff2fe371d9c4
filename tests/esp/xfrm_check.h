/*
 * The kernel plane against a real kernel: a plane, a second look at what the kernel has, and packets. Tests are skipped
 * where the kernel has no ESP; in User Mode Linux, and with KERNEL_PLANE=1 in the environment, they must run.
 */
#ifndef TESTS_ESP_XFRM_CHECK_H
#define TESTS_ESP_XFRM_CHECK_H

#include "esp/packet.h"
#include "esp/xfrm_state.h"
#include "tests/esp/plane_check.h"

enum { REQID = 77, NODE = 3, FOUND_MAX = 4096 };

static struct plane plane;
static struct crypto *crypto;
static struct selector ours, theirs;
static struct nl_socket nl;

static inline void begin(void)
{
	struct err e = { 0 };

	plane_open_kernel(&plane, NODE);
	crypto = crypto_create(&e);
	ck_assert_ptr_nonnull(crypto);
	ck_assert_msg(nl_open(NETLINK_XFRM, &nl, &e) == GW_OK, "%s", e.text);
	ours = selector_for("192.168.1.0/24", 0, 0, 65535);
	theirs = selector_for("10.1.1.1", 0, 0, 65535);
}

static inline void end(void)
{
	nl_close(&nl);
	crypto_destroy(crypto);
	plane_close(&plane);
}

/* ---- the kernel's own word ---- */

static struct found {
	size_t states, policies;
	_Alignas(8) uint8_t last_state[2048]; /* as a message, of the SPI looked for */
	struct xfrm_policy policy[FOUND_MAX];
	struct xfrm_view view[FOUND_MAX];
	uint32_t spi;
} found;

static inline void on_found(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	struct xfrm_view v;
	struct xfrm_policy p;

	(void)arg;
	(void)index;
	if (xfrm_get_state(nlh, &v)) {
		if (v.id.spi == found.spi)
			memcpy(found.last_state, nlh, nlh->nlmsg_len);
		if (found.states < FOUND_MAX)
			found.view[found.states] = v;
		found.states++;
	} else if (xfrm_get_policy(nlh, &p) && p.dir <= XFRM_POLICY_FWD) { /* sockets have some of their own */
		if (found.policies < FOUND_MAX)
			found.policy[found.policies] = p;
		found.policies++;
	}
}

static inline void look(uint32_t spi)
{
	const struct nl_handler h = { .data = on_found };
	_Alignas(struct nlmsghdr) uint8_t buf[256];
	struct nl_batch b;

	found.states = found.policies = 0;
	found.spi = spi;
	memset(found.last_state, 0, sizeof(found.last_state));
	nl_reset(&b, buf, sizeof(buf), nl.seq + 1);
	ck_assert(xfrm_put_dump_sa(&b));
	ck_assert_int_eq(nl_exchange(&nl, &b, &h), GW_OK);
	nl_reset(&b, buf, sizeof(buf), nl.seq + 1);
	ck_assert(xfrm_put_dump_policy(&b));
	ck_assert_int_eq(nl_exchange(&nl, &b, &h), GW_OK);
}

static inline const struct xfrm_view *view_of(uint32_t spi)
{
	look(spi);
	for (size_t i = 0; i < found.states; i++)
		if (found.view[i].id.spi == spi)
			return &found.view[i];
	ck_abort_msg("no state %08x", spi);
}

static inline void on_refused(void *arg, uint32_t index, int number, const char *text)
{
	(void)arg;
	ck_abort_msg("request %u: %d %s", index, number, text);
}

static inline void put(struct nl_batch *b)
{
	const struct nl_handler h = { .error = on_refused };

	ck_assert_int_eq(nl_exchange(&nl, b, &h), GW_OK);
}

static inline struct dp_sa sa_here(enum dp_dir dir, uint32_t spi)
{
	struct dp_sa sa = sa_of(dir, spi, REQID);

	sa.local = plane.at;
	sa.remote = endpoint_of("127.0.0.1", 4501);
	return sa;
}

/* An authentic packet from `from` to `to`; true: it came inside. */
static inline bool arrives(const struct dp_sa *in, uint64_t seq, const char *from, uint16_t port,
			   const struct endpoint *to)
{
	struct flow f = { "10.1.1.1", "192.168.1.5", 17, 1000, 2000, 0, false, 0, 72 };
	struct packet_sa keys = { &in->suite, NULL, in->spi, in->esn };
	struct endpoint at = endpoint_of(from, port);
	struct sockaddr_storage ss;
	struct packet p;
	uint8_t buf[2048], iv[8], got[2048];
	size_t n = flow_write(&f, buf + PACKET_HEADROOM, 1024);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)endpoint_to_sockaddr(&at, &ss);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	p = (struct packet){ buf, sizeof(buf), PACKET_HEADROOM, n };
	put_u64(iv, seq);
	ck_assert_int_eq(cipher_create(crypto, &in->suite, CIPHER_SEAL, in->encr_key, in->integ_key, &keys.cipher),
			 GW_OK);
	ck_assert_int_eq(packet_seal(&keys, seq, iv, ESP_NEXT_IPV4, &p), GW_OK);
	cipher_destroy(keys.cipher);
	len = (socklen_t)endpoint_to_sockaddr(to, &ss);
	ck_assert_int_eq(sendto(fd, packet_data(&p), p.n, 0, (struct sockaddr *)&ss, len), (ssize_t)p.n);
	(void)close(fd);
	if (!readable(plane.inside, QUIET_MS))
		return false;
	ck_assert_int_eq(read(plane.inside, got, sizeof(got)), (ssize_t)n);
	return true;
}

static inline void send_inside(unsigned n)
{
	struct flow f = { "192.168.1.5", "10.1.1.1", 17, 1000, 2000, 0, false, 0, 72 };
	uint8_t buf[2048];
	size_t len = flow_write(&f, buf, sizeof(buf));

	while (n-- > 0)
		ck_assert_int_eq(write(plane.inside, buf, len), (ssize_t)len);
}

/* The sequence number of the next ESP packet at a socket; 0: none came. */
static inline uint32_t next_seq(int fd)
{
	uint8_t buf[2048];
	uint32_t spi, seq = 0;
	ssize_t n;

	if (!readable(fd, QUIET_MS))
		return 0;
	n = recv(fd, buf, sizeof(buf), 0);
	ck_assert(n > 0 && packet_peek(bytes_of(buf, (size_t)n), &spi, &seq));
	return seq;
}

static inline int socket_at(const char *address, uint16_t port)
{
	struct endpoint at = endpoint_of(address, port);
	struct sockaddr_storage ss;
	socklen_t n = (socklen_t)endpoint_to_sockaddr(&at, &ss);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
	return fd;
}

/* A program of such tests. */
static inline int xfrm_run_cases(const char *name, void (*add)(TCase *t))
{
	struct err e = { 0 };

	if (kernel_available(&e))
		return run_cases(name, add);
	fprintf(stderr, "kernel plane: not here: %s\n", e.text);
	return kernel_required() ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
