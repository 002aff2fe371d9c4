#include "ike/window.h"

#include <stdlib.h>

#include "tests/check_main.h"

#define FIRST SECONDS(2)

static struct bytes packed(const char *text)
{
	return bytes_str(text);
}

START_TEST(judges_requests)
{
	static const struct {
		uint32_t next;
		bool cached;
		uint32_t id;
		enum window_verdict want;
	} t[] = {
		{ 0, false, 0, WINDOW_NEW },
		{ 0, false, UINT32_MAX, WINDOW_STALE },
		{ 0, true, UINT32_MAX, WINDOW_STALE },
		{ 1, true, 0, WINDOW_RESEND },
		{ 1, false, 0, WINDOW_STALE },
		{ 1, true, 1, WINDOW_NEW },
		{ 1, true, 2, WINDOW_STALE },
		{ 7, true, 5, WINDOW_STALE },
		{ 7, true, 6, WINDOW_RESEND },
		{ 7, true, 7, WINDOW_NEW },
		{ UINT32_MAX, true, UINT32_MAX, WINDOW_NEW },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct window w = { .recv_next = t[i].next };

		if (t[i].cached)
			ck_assert_int_eq(secret_copy(&w.response, packed("response")), GW_OK);
		ck_assert_msg(window_judge(&w, false, t[i].id) == t[i].want, "row %zu", i);
		window_clear(&w);
	}
}
END_TEST

START_TEST(judges_responses)
{
	struct window w = { .send_next = 4 };
	mtime now = { 1000 };

	ck_assert_int_eq(window_judge(&w, true, 3), WINDOW_STALE); /* nothing is outstanding */
	ck_assert_int_eq(window_requested(&w, packed("request"), 1, now, FIRST), GW_OK);
	ck_assert_uint_eq(w.send_next, 5);
	ck_assert(window_busy(&w));
	ck_assert_int_eq(window_judge(&w, true, 3), WINDOW_STALE);
	ck_assert_int_eq(window_judge(&w, true, 4), WINDOW_ANSWER);
	ck_assert_int_eq(window_judge(&w, true, 5), WINDOW_STALE);
	window_answered(&w);
	ck_assert(!window_busy(&w));
	ck_assert_int_eq(window_judge(&w, true, 4), WINDOW_STALE);
	window_clear(&w);
}
END_TEST

START_TEST(remembers_one_response)
{
	struct window w = { 0 };

	ck_assert_int_eq(window_responded(&w, packed("one")), GW_OK);
	ck_assert_int_eq(window_responded(&w, packed("two")), GW_OK);
	ck_assert_uint_eq(w.recv_next, 2);
	ck_assert(bytes_equal(secret_bytes(&w.response), bytes_str("two")));
	window_clear(&w);
}
END_TEST

START_TEST(waits_longer_each_time)
{
	struct window w = { 0 };
	mtime now = { 0 };
	int64_t last = FIRST;

	ck_assert_int_eq(window_requested(&w, packed("request"), 1, now, FIRST), GW_OK);
	ck_assert_int_eq(w.retransmit_at.us, FIRST);
	for (int i = 0; i < 5; i++) {
		int64_t wait;

		now = w.retransmit_at;
		ck_assert(window_retransmit(&w, now, FIRST, 5));
		wait = w.retransmit_at.us - now.us;
		ck_assert_int_eq(wait, last * 9 / 5);
		last = wait;
	}
	ck_assert(!window_retransmit(&w, w.retransmit_at, FIRST, 5));
	window_clear(&w);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("window");

	tcase_add_test(t, judges_requests);
	tcase_add_test(t, judges_responses);
	tcase_add_test(t, remembers_one_response);
	tcase_add_test(t, waits_longer_each_time);
	return check_main("window", t);
}
