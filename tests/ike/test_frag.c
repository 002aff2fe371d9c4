#include "ike/frag.h"

#include "payload_check.h"

static struct frags *f;
static uint8_t first;
static struct bytes whole;
static uint8_t data[70000];

static void setup(void)
{
	f = NULL;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + i / 256);
}

static void teardown(void)
{
	frags_clear(&f);
	ck_assert_ptr_null(f);
	frags_clear(&f);
}

/* Adds a copy that is gone right afterwards: what is kept has to be kept by value. */
static enum gw_err add_bytes(uint32_t id, unsigned fragment, unsigned total, struct bytes b)
{
	uint8_t *p = exact(b.p, b.n);
	struct sk_inside in = {
		.first = fragment == 1 ? PL_IDI : PL_NONE,
		.chain = bytes_of(p, b.n),
		.fragment = (uint16_t)fragment,
		.total = (uint16_t)total,
	};
	enum gw_err rc;

	first = 0;
	whole = (struct bytes){ 0 };
	rc = frags_add(&f, id, &in, &first, &whole);
	free(p);
	return rc;
}

static enum gw_err add(uint32_t id, unsigned fragment, unsigned total, const char *text)
{
	return add_bytes(id, fragment, total, bytes_str(text));
}

START_TEST(in_order)
{
	ck_assert_int_eq(add(1, 1, 3, "one "), GW_PENDING);
	ck_assert_int_eq(add(1, 2, 3, "two "), GW_PENDING);
	ck_assert_int_eq(add(1, 3, 3, "three"), GW_OK);
	ck_assert_bytes(whole, "one two three");
	ck_assert_uint_eq(first, PL_IDI);
}
END_TEST

START_TEST(in_any_order)
{
	static const char *const parts[] = { "a", "bb", "ccc", "dddd" };

	/* All 24 orders of four. */
	for (unsigned p = 0; p < 256; p++) {
		unsigned order[4] = { p & 3, p >> 2 & 3, p >> 4 & 3, p >> 6 & 3 }, seen = 0;

		for (size_t i = 0; i < 4; i++)
			seen |= 1U << order[i];
		if (seen != 15)
			continue;
		for (size_t i = 0; i < 4; i++)
			ck_assert_int_eq(add(p, order[i] + 1, 4, parts[order[i]]), i == 3 ? GW_OK : GW_PENDING);
		ck_assert_bytes(whole, "abbcccdddd");
		ck_assert_uint_eq(first, PL_IDI);
	}
}
END_TEST

START_TEST(duplicates)
{
	ck_assert_int_eq(add(1, 2, 3, "two "), GW_PENDING);
	ck_assert_int_eq(add(1, 2, 3, "XXXX"), GW_EREPLAY);
	ck_assert_int_eq(add(1, 1, 3, "one "), GW_PENDING);
	ck_assert_int_eq(add(1, 1, 3, "XXXX"), GW_EREPLAY);
	ck_assert_int_eq(add(1, 3, 3, "three"), GW_OK);
	ck_assert_bytes(whole, "one two three");
	for (unsigned i = 1; i <= 3; i++)
		ck_assert_int_eq(add(1, i, 3, "XXXX"), GW_EREPLAY);
	/* Nor does a finished message start over for a larger total (RFC 7383 2.6: only when not finished). */
	ck_assert_int_eq(add(1, 1, 4, "XXXX"), GW_EREPLAY);
	ck_assert_int_eq(add(1, 1, 1, "XXXX"), GW_EREPLAY);
}
END_TEST

START_TEST(smaller_fragments_start_over)
{
	ck_assert_int_eq(add(1, 1, 2, "XX"), GW_PENDING);
	ck_assert_int_eq(add(1, 3, 3, "c"), GW_PENDING);
	/* The old set is over. */
	ck_assert_int_eq(add(1, 2, 2, "XX"), GW_EREPLAY);
	ck_assert_int_eq(add(1, 1, 1, "XX"), GW_EREPLAY);
	ck_assert_int_eq(add(1, 1, 3, "a"), GW_PENDING);
	ck_assert_int_eq(add(1, 2, 3, "b"), GW_OK);
	ck_assert_bytes(whole, "abc");
}
END_TEST

START_TEST(another_message_starts_over)
{
	ck_assert_int_eq(add(1, 1, 2, "XX"), GW_PENDING);
	ck_assert_int_eq(add(2, 2, 2, "b"), GW_PENDING);
	ck_assert_int_eq(add(2, 1, 2, "a"), GW_OK);
	ck_assert_bytes(whole, "ab");
	ck_assert_int_eq(add(3, 1, 1, "single"), GW_OK);
	ck_assert_bytes(whole, "single");
	ck_assert_int_eq(add(0, 1, 2, "a"), GW_PENDING);
	ck_assert_int_eq(add(0, 2, 2, "b"), GW_OK);
}
END_TEST

START_TEST(bad_numbers_change_nothing)
{
	ck_assert_int_eq(add(1, 0, 0, "x"), GW_EMALFORMED);
	ck_assert_int_eq(add(1, 0, 2, "x"), GW_EMALFORMED);
	ck_assert_int_eq(add(1, 3, 2, "x"), GW_EMALFORMED);
	ck_assert_ptr_null(f);
	ck_assert_int_eq(add(1, 1, 2, "a"), GW_PENDING);
	ck_assert_int_eq(add(2, 0, 2, "x"), GW_EMALFORMED);
	ck_assert_int_eq(add(2, 3, 2, "x"), GW_EMALFORMED);
	ck_assert_int_eq(add(2, 1, IKE_FRAG_MAX + 1, "x"), GW_ELIMIT);
	ck_assert_int_eq(add(1, 1, 65535, "x"), GW_ELIMIT);
	ck_assert_int_eq(add(1, 2, 2, "b"), GW_OK);
	ck_assert_bytes(whole, "ab");
}
END_TEST

START_TEST(as_many_fragments_as_allowed)
{
	for (unsigned i = IKE_FRAG_MAX; i >= 1; i--)
		ck_assert_int_eq(add_bytes(1, i, IKE_FRAG_MAX, bytes_of(data + (i - 1) * 100, 100)),
				 i == 1 ? GW_OK : GW_PENDING);
	ck_assert(bytes_equal(whole, bytes_of(data, IKE_FRAG_MAX * 100)));
}
END_TEST

START_TEST(as_many_octets_as_allowed)
{
	/* One too many: that fragment is dropped, and a smaller one in its place still completes the message. */
	ck_assert_int_eq(add_bytes(1, 1, 3, bytes_of(data, 40000)), GW_PENDING);
	ck_assert_int_eq(add_bytes(1, 2, 3, bytes_of(data + 40000, 25535)), GW_PENDING);
	ck_assert_int_eq(add_bytes(1, 3, 3, bytes_of(data + 65535, 1)), GW_ELIMIT);
	ck_assert_int_eq(add_bytes(1, 3, 3, (struct bytes){ 0 }), GW_OK);
	ck_assert(bytes_equal(whole, bytes_of(data, 65535)));

	/* A fresh start counts from nothing, but within the same bound. */
	ck_assert_int_eq(add_bytes(2, 1, 2, bytes_of(data, 65536)), GW_ELIMIT);
	ck_assert_int_eq(add_bytes(2, 1, 2, bytes_of(data, 65535)), GW_PENDING);
	ck_assert_int_eq(add_bytes(2, 1, 3, bytes_of(data, 65535)), GW_PENDING);
	ck_assert_int_eq(add_bytes(2, 2, 3, bytes_of(data, 1)), GW_ELIMIT);
}
END_TEST

START_TEST(empty_fragments)
{
	ck_assert_int_eq(add(1, 1, 3, ""), GW_PENDING);
	ck_assert_int_eq(add(1, 1, 3, "x"), GW_EREPLAY);
	ck_assert_int_eq(add(1, 3, 3, ""), GW_PENDING);
	ck_assert_int_eq(add(1, 2, 3, "middle"), GW_OK);
	ck_assert_bytes(whole, "middle");
	ck_assert_int_eq(add(2, 1, 1, ""), GW_OK);
	ck_assert_uint_eq(whole.n, 0);
}
END_TEST

START_TEST(clear_forgets)
{
	ck_assert_int_eq(add(1, 1, 2, "a"), GW_PENDING);
	frags_clear(&f);
	ck_assert_ptr_null(f);
	ck_assert_int_eq(add(1, 2, 2, "b"), GW_PENDING);
	ck_assert_int_eq(add(1, 1, 2, "a"), GW_OK);
	ck_assert_bytes(whole, "ab");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		in_order,
		in_any_order,
		duplicates,
		smaller_fragments_start_over,
		another_message_starts_over,
		bad_numbers_change_nothing,
		as_many_fragments_as_allowed,
		as_many_octets_as_allowed,
		empty_fragments,
		clear_forgets,
	};

	return run_tests_with("frag", setup, teardown, tests, ARRAY_LEN(tests));
}
