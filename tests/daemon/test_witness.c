/* Pings: their bytes, and a witness on loopback. */
#include "daemon/witness.h"

#include <poll.h>

#include "daemon_check.h"

static struct env env;
static struct kept_log kept;
static struct loop *loop;
static unsigned changes;

static void setup(void)
{
	struct err e = { 0 };

	kept_log_init(&kept);
	env = (struct env){ .clock = clock_system(), .rng = rng_system_create(), .log = &kept.log };
	loop = loop_create(env.clock, &e);
	ck_assert(loop && env.rng);
	changes = 0;
}

static void teardown(void)
{
	loop_destroy(loop);
	rng_system_destroy(env.rng);
}

static void on_changed(void *arg)
{
	(void)arg;
	changes++;
}

START_TEST(requests_have_the_form_of_their_rfc)
{
	uint8_t p[WITNESS_PACKET];
	uint32_t sum = 0;

	ck_assert_uint_eq(witness_write(p, false, UINT64_C(0x1122334455667788), 0x99aa), WITNESS_PACKET);
	ck_assert_mem_eq(p, "\x08\x00", 2);
	ck_assert_mem_eq(p + 4, "\x11\x22\x99\xaa\x11\x22\x33\x44\x55\x66\x77\x88", 12);
	/* RFC 1071: with its checksum the sum of all is all ones. */
	for (size_t i = 0; i < sizeof(p); i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	ck_assert_uint_eq(sum, 0xffff);
	ck_assert_uint_eq(witness_write(p, true, 1, 2), WITNESS_PACKET);
	ck_assert_mem_eq(p, "\x80\x00\x00\x00", 4);
}
END_TEST

START_TEST(only_our_own_answers_count)
{
	uint8_t p[WITNESS_PACKET];
	uint16_t n;

	for (int v6 = 0; v6 < 2; v6++) {
		(void)witness_write(p, v6, 77, 5);
		ck_assert(!witness_parse(bytes_of(p, sizeof(p)), v6, 77, &n)); /* a request */
		p[0] = v6 ? 129 : 0;
		ck_assert(witness_parse(bytes_of(p, sizeof(p)), v6, 77, &n));
		ck_assert_uint_eq(n, 5);
		ck_assert(!witness_parse(bytes_of(p, sizeof(p)), v6, 78, &n));
		ck_assert(!witness_parse(bytes_of(p, sizeof(p)), !v6, 77, &n));
		for (size_t cut = 0; cut < sizeof(p); cut++)
			ck_assert(!witness_parse(bytes_of(p, cut), v6, 77, &n));
		p[1] = 1;
		ck_assert(!witness_parse(bytes_of(p, sizeof(p)), v6, 77, &n));
	}
}
END_TEST

static void run_for(int64_t us)
{
	mtime end = mtime_add(clock_now(env.clock), us);

	while (!mtime_reached(end, clock_now(env.clock))) {
		loop_turn(loop, false);
		(void)poll(NULL, 0, 2);
	}
}

START_TEST(loopback_answers_and_nowhere_does_not)
{
	struct addr addrs[3];
	struct witness_state st;
	struct err e = { 0 };
	struct witness *w;

	if (geteuid() != 0)
		return;
	ck_assert(addr_parse("127.0.0.1", &addrs[0]) && addr_parse("::1", &addrs[1]) &&
		  addr_parse("192.0.2.99", &addrs[2]));
	w = witness_create(&env, loop, addrs, 3, MILLISECONDS(20), on_changed, NULL, &e);
	ck_assert_msg(w != NULL, "%s", e.text);
	run_for(MILLISECONDS(50));
	ck_assert(!witness_heard(w)); /* nobody was asked */
	witness_ask(w, true);
	run_for(MILLISECONDS(200));
	ck_assert(witness_heard(w));
	ck_assert_uint_eq(changes, 1);
	ck_assert(witness_at(w, 0, &st) && st.answers && st.answered > 2);
	ck_assert(witness_at(w, 1, &st) && st.addr.family == 6);
	ck_assert(witness_at(w, 2, &st) && !st.answers && st.asked > 2);
	ck_assert(!witness_at(w, 3, &st));
	witness_ask(w, false);
	run_for(MILLISECONDS(120));
	ck_assert(witness_at(w, 0, &st));
	witness_destroy(w);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("witness");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, requests_have_the_form_of_their_rfc);
	tcase_add_test(tc, only_our_own_answers_count);
	tcase_add_test(tc, loopback_answers_and_nowhere_does_not);
	return check_main("witness", tc);
}
