#include "core/net/udp.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/check_main.h"

static struct endpoint at(const char *text, uint16_t port)
{
	struct endpoint e = { .port = port };

	ck_assert(addr_parse(text, &e.addr));
	return e;
}

static struct udp_socket open_at(const char *text)
{
	struct endpoint e = at(text, 0);
	struct udp_socket s;
	struct err err = { 0 };

	ck_assert_msg(udp_open(&e, &s, &err) == GW_OK, "%s", err.text);
	ck_assert_uint_ne(s.local.port, 0);
	return s;
}

static size_t wait_receive(const struct udp_socket *s, struct udp_burst *b, struct udp_in out[UDP_BURST])
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	return udp_receive(s, b, out);
}

/* A server on the wildcard answers from the very address that was asked, whichever that was. */
static void round_trip(const char *wildcard, const char *client_addr, const char *server_addr)
{
	struct udp_socket server = open_at(wildcard), client = open_at(client_addr);
	struct udp_burst *b = udp_burst_create();
	struct udp_in in[UDP_BURST];
	struct endpoint to = at(server_addr, server.local.port);
	struct addr any = { 0 };

	ck_assert_ptr_nonnull(b);
	ck_assert_int_eq(udp_send(&client, &any, &to, bytes_of("\0\0\0\0", 4), bytes_str("question")), GW_OK);
	ck_assert_uint_eq(wait_receive(&server, b, in), 1);
	ck_assert_uint_eq(in[0].n, 12);
	ck_assert_mem_eq(in[0].p, "\0\0\0\0question", 12);
	ck_assert(endpoint_equal(&in[0].from, &client.local));
	ck_assert(endpoint_equal(&in[0].to, &to));
	ck_assert_int_eq(udp_send(&server, &in[0].to.addr, &in[0].from, (struct bytes){ 0 }, bytes_str("answer")),
			 GW_OK);
	ck_assert_uint_eq(wait_receive(&client, b, in), 1);
	ck_assert(endpoint_equal(&in[0].from, &to));
	ck_assert_uint_eq(in[0].n, 6);
	ck_assert_uint_eq(udp_receive(&client, b, in), 0);
	udp_burst_destroy(b);
	udp_close(&server);
	udp_close(&client);
}

START_TEST(answers_leave_from_the_address_asked)
{
	round_trip("0.0.0.0", "127.0.0.1", "127.0.0.1");
	round_trip("0.0.0.0", "127.0.0.1", "127.0.0.77");
}
END_TEST

START_TEST(ipv6_likewise)
{
	struct endpoint e = at("::1", 0);
	struct udp_socket s;

	if (udp_open(&e, &s, NULL) != GW_OK)
		return; /* no IPv6 on this machine */
	udp_close(&s);
	round_trip("::", "::1", "::1");
}
END_TEST

START_TEST(bursts_are_bounded_and_complete)
{
	struct udp_socket server = open_at("127.0.0.1"), client = open_at("127.0.0.1");
	struct udp_burst *b = udp_burst_create();
	struct udp_in in[UDP_BURST];
	size_t got = 0, most = 0, n;
	uint8_t big[60000];

	memset(big, 7, sizeof(big));
	for (uint8_t i = 0; i < 40; i++)
		ck_assert_int_eq(udp_send(&client, &client.local.addr, &server.local, bytes_of(&i, 1),
					  bytes_of(big, i == 20 ? sizeof(big) : 0)),
				 GW_OK);
	while ((n = udp_receive(&server, b, in)) > 0) {
		most = n > most ? n : most;
		for (size_t i = 0; i < n; i++, got++) {
			ck_assert_uint_eq(in[i].p[0], got);
			ck_assert_uint_eq(in[i].n, got == 20 ? 60001 : 1);
		}
	}
	ck_assert_uint_eq(got, 40);
	ck_assert_uint_eq(most, UDP_BURST);
	udp_burst_destroy(b);
	udp_close(&server);
	udp_close(&client);
}
END_TEST

START_TEST(tos_of_the_outer_header_is_seen)
{
	struct udp_socket server = open_at("127.0.0.1"), client = open_at("127.0.0.1");
	struct udp_burst *b = udp_burst_create();
	struct udp_in in[UDP_BURST];
	int tos = 0xb9; /* EF, ECT(1) */

	ck_assert_int_eq(setsockopt(client.fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
	ck_assert_int_eq(udp_send(&client, &client.local.addr, &server.local, (struct bytes){ 0 }, bytes_str("x")),
			 GW_OK);
	ck_assert_uint_eq(wait_receive(&server, b, in), 1);
	ck_assert_uint_eq(in[0].tos, 0xb9);
	udp_burst_destroy(b);
	udp_close(&server);
	udp_close(&client);
}
END_TEST

START_TEST(what_cannot_be_bound_says_why)
{
	struct udp_socket first = open_at("127.0.0.1"), s;
	struct endpoint e = first.local;
	struct err err = { 0 };

	ck_assert_int_eq(udp_open(&e, &s, &err), GW_EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "is taken"));
	ck_assert_int_eq(s.fd, -1);
	e = at("192.0.2.123", 0);
	ck_assert_int_eq(udp_open(&e, &s, &err), GW_EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "no such address"));
	udp_close(&first);
	udp_close(&first);
}
END_TEST

START_TEST(mixed_families_are_refused)
{
	struct udp_socket s = open_at("127.0.0.1");
	struct endpoint to = at("::1", 500), none = { 0 };

	ck_assert_int_eq(udp_send(&s, &s.local.addr, &to, (struct bytes){ 0 }, bytes_str("x")), GW_EINVAL);
	ck_assert_int_eq(udp_send(&s, &s.local.addr, &none, (struct bytes){ 0 }, bytes_str("x")), GW_EINVAL);
	udp_close(&s);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("udp");

	tcase_add_test(tc, answers_leave_from_the_address_asked);
	tcase_add_test(tc, ipv6_likewise);
	tcase_add_test(tc, bursts_are_bounded_and_complete);
	tcase_add_test(tc, tos_of_the_outer_header_is_seen);
	tcase_add_test(tc, what_cannot_be_bound_says_why);
	tcase_add_test(tc, mixed_families_are_refused);
	return check_main("udp", tc);
}
