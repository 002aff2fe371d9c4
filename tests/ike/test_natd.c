#include "ike/natd.h"

#include "payload_check.h"
#include "tests/vectors/vectors.h"

static struct crypto *crypto;

static void setup(void)
{
	struct err e;

	crypto = crypto_create(&e);
	ck_assert_msg(crypto != NULL, "%s", e.text);
}

static void teardown(void)
{
	crypto_destroy(crypto);
}

static struct endpoint ep(const char *addr, uint16_t port)
{
	struct endpoint e = { .port = port };

	ck_assert(addr_parse(addr, &e.addr));
	return e;
}

static void parse(struct bytes datagram, struct ike_msg *m)
{
	struct err e = { 0 };

	memset(m, 0, sizeof(*m));
	ck_assert_int_eq(msg_parse_header(datagram, &m->h), GW_OK);
	ck_assert_msg(msg_parse(m, m->h.next, bytes_of(datagram.p + IKE_HEADER_LEN, datagram.n - IKE_HEADER_LEN), &e) ==
			      GW_OK,
		      "%s", e.text);
}

/* strongSwan was told to force UDP encapsulation: its source hashes are made up, its destination hashes are not. */
START_TEST(real_messages)
{
	struct endpoint i = ep("192.0.2.1", 500), r = ep("192.0.2.2", 500), other = ep("192.0.2.3", 500);
	static struct ike_msg m;
	struct nat_verdict nat;
	struct vectors v;

	vectors_load(&v, TEST_DATA "/vectors/aes256gcm16-prfsha384-x25519.txt");
	parse(vectors_need(&v, "msg01_i"), &m);
	ck_assert_uint_eq(m.h.spi_r, 0);
	ck_assert_int_eq(natd_judge(crypto, &m, &i, &r, &nat), GW_OK);
	ck_assert(nat.known && nat.peer && !nat.us);
	ck_assert_int_eq(natd_judge(crypto, &m, &i, &other, &nat), GW_OK);
	ck_assert(nat.known && nat.peer && nat.us);
	r.port = 4500;
	ck_assert_int_eq(natd_judge(crypto, &m, &i, &r, &nat), GW_OK);
	ck_assert(nat.known && nat.peer && nat.us);
	r.port = 500;
	parse(vectors_need(&v, "msg02_r"), &m);
	ck_assert_uint_ne(m.h.spi_r, 0);
	ck_assert_int_eq(natd_judge(crypto, &m, &r, &i, &nat), GW_OK);
	ck_assert(nat.known && nat.peer && !nat.us);
	vectors_free(&v);
}
END_TEST

/* A message with the notifies of any (from, to) pairs. */
static struct bytes message(uint8_t *buf, size_t cap, const struct endpoint (*pairs)[2], size_t n)
{
	const struct ike_header h = { .spi_i = 1, .spi_r = 2, .version = 0x20, .exchange = IKE_SA_INIT };
	struct msg_writer m;
	struct bytes out;

	msg_begin(&m, buf, cap, &h);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(natd_write(&m, crypto, 1, 2, &pairs[i][0], &pairs[i][1]), GW_OK);
	ck_assert_int_eq(msg_finish(&m, &out), GW_OK);
	return out;
}

START_TEST(written_and_judged)
{
	static const struct {
		const char *from, *to;
	} pairs[] = { { "192.0.2.1", "198.51.100.1" }, { "2001:db8::1", "2001:db8::2" } };
	static struct ike_msg m;
	struct nat_verdict nat;
	uint8_t buf[256];

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct endpoint from = ep(pairs[i].from, 500), to = ep(pairs[i].to, 500), moved = from;
		struct endpoint pair[1][2] = { { from, to } };

		parse(message(buf, sizeof(buf), pair, 1), &m);
		ck_assert_int_eq(natd_judge(crypto, &m, &from, &to, &nat), GW_OK);
		ck_assert(nat.known && !nat.peer && !nat.us);
		moved.port = 1024;
		ck_assert_int_eq(natd_judge(crypto, &m, &moved, &to, &nat), GW_OK);
		ck_assert(nat.known && nat.peer && !nat.us);
		ck_assert_int_eq(natd_judge(crypto, &m, &from, &moved, &nat), GW_OK);
		ck_assert(nat.known && !nat.peer && nat.us);
		/* The SPIs are part of it. */
		m.h.spi_r = 3;
		ck_assert_int_eq(natd_judge(crypto, &m, &from, &to, &nat), GW_OK);
		ck_assert(nat.known && nat.peer && nat.us);
	}
}
END_TEST

START_TEST(one_source_of_several_is_enough)
{
	struct endpoint to = ep("198.51.100.1", 500), a = ep("192.0.2.1", 500), b = ep("192.0.2.2", 500);
	struct endpoint pairs[2][2] = { { a, to }, { b, to } };
	static struct ike_msg m;
	struct nat_verdict nat;
	uint8_t buf[256];

	parse(message(buf, sizeof(buf), pairs, 2), &m);
	ck_assert_int_eq(natd_judge(crypto, &m, &a, &to, &nat), GW_OK);
	ck_assert(nat.known && !nat.peer && !nat.us);
	ck_assert_int_eq(natd_judge(crypto, &m, &b, &to, &nat), GW_OK);
	ck_assert(nat.known && !nat.peer && !nat.us);
	ck_assert_int_eq(natd_judge(crypto, &m, &to, &to, &nat), GW_OK);
	ck_assert(nat.known && nat.peer);
}
END_TEST

START_TEST(without_both_nothing_is_known)
{
	struct endpoint from = ep("192.0.2.1", 500), to = ep("198.51.100.1", 500);
	struct endpoint pair[1][2] = { { to, from } }; /* would be a NAT on both sides */
	static struct ike_msg m;
	struct nat_verdict nat;
	uint8_t buf[256];

	parse(message(buf, sizeof(buf), pair, 1), &m);
	m.notify_count = 1;
	ck_assert_int_eq(natd_judge(crypto, &m, &from, &to, &nat), GW_OK);
	ck_assert(!nat.known && !nat.peer && !nat.us);
	m.notifies[0] = m.notifies[1];
	ck_assert_int_eq(natd_judge(crypto, &m, &from, &to, &nat), GW_OK);
	ck_assert(!nat.known && !nat.peer && !nat.us);
	m.notify_count = 0;
	ck_assert_int_eq(natd_judge(crypto, &m, &from, &to, &nat), GW_OK);
	ck_assert(!nat.known && !nat.peer && !nat.us);
}
END_TEST

START_TEST(a_hash_of_another_length_does_not_match)
{
	struct endpoint from = ep("192.0.2.1", 500), to = ep("198.51.100.1", 500);
	struct endpoint pair[1][2] = { { from, to } };
	static struct ike_msg m;
	struct nat_verdict nat;
	uint8_t buf[256];

	parse(message(buf, sizeof(buf), pair, 1), &m);
	m.notifies[0].data.n = NATD_LEN - 1;
	m.notifies[1].data.n = 0;
	ck_assert_int_eq(natd_judge(crypto, &m, &from, &to, &nat), GW_OK);
	ck_assert(nat.known && nat.peer && nat.us);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		real_messages,
		written_and_judged,
		one_source_of_several_is_enough,
		without_both_nothing_is_known,
		a_hash_of_another_length_does_not_match,
	};

	return run_tests_with("natd", setup, teardown, tests, ARRAY_LEN(tests));
}
