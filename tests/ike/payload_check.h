/* What the tests of payloads share: hex, buffers that end exactly where the data ends (so that ASan sees a read
 * beyond). */
#ifndef TESTS_IKE_PAYLOAD_CHECK_H
#define TESTS_IKE_PAYLOAD_CHECK_H

#include <stdio.h>

#include "ike/message.h"
#include "tests/check_main.h"

typedef enum gw_err parse_fn(struct reader r, void *out);

struct parse_case {
	const char *what, *hex; /* blanks between digits mean nothing */
	enum gw_err want;
};

/* A heap copy of exactly n octets; the caller frees. */
static inline uint8_t *exact(const void *p, size_t n)
{
	uint8_t *out = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(out);
	if (n > 0)
		memcpy(out, p, n);
	return out;
}

/* Owned by the caller. */
static inline uint8_t *unhex(const char *hex, size_t *n)
{
	uint8_t *tmp = malloc(strlen(hex) / 2 + 1), *out;

	ck_assert_ptr_nonnull(tmp);
	*n = 0;
	while (*hex) {
		char pair[3] = { hex[0], hex[1], '\0' };

		if (*hex == ' ') {
			hex++;
			continue;
		}
		ck_assert_msg(strspn(pair, "0123456789abcdef") == 2, "not hex: %s", hex);
		tmp[(*n)++] = (uint8_t)strtoul(pair, NULL, 16);
		hex += 2;
	}
	out = exact(tmp, *n);
	free(tmp);
	return out;
}

static inline void check_cases(parse_fn *parse, void *out, const struct parse_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len;
		uint8_t *p = unhex(cases[i].hex, &len);
		enum gw_err got = parse(rd_of(bytes_of(p, len)), out);

		ck_assert_msg(got == cases[i].want, "%s: %d instead of %d", cases[i].what, got, cases[i].want);
		free(p);
	}
}

/* Every shorter one is refused, but from `legal` octets on, where shorter means another value and not a cut one. */
static inline void check_cuts(parse_fn *parse, void *out, struct bytes good, size_t legal)
{
	for (size_t n = 0; n < good.n; n++) {
		uint8_t *p = exact(good.p, n);
		enum gw_err got = parse(rd_of(bytes_of(p, n)), out);

		ck_assert_msg((got == GW_OK) == (n >= legal), "cut to %zu of %zu: %d", n, good.n, got);
		free(p);
	}
}

/* Any octet may be anything: nothing is asked but that the parser stays inside. */
static inline void check_flips(parse_fn *parse, void *out, struct bytes good)
{
	static const uint8_t values[] = { 0, 1, 2, 3, 4, 7, 8, 127, 128, 254, 255 };
	uint8_t *p = exact(good.p, good.n);

	for (size_t i = 0; i < good.n; i++) {
		for (size_t v = 0; v < ARRAY_LEN(values); v++) {
			enum gw_err got;

			p[i] = values[v];
			got = parse(rd_of(bytes_of(p, good.n)), out);
			ck_assert(got == GW_OK || got == GW_EMALFORMED);
		}
		p[i] = good.p[i];
	}
	free(p);
}

/* The body of the only payload of a chain: what a parser is given. Also says that writing worked. */
static inline struct bytes written_body(struct msg_writer *m, uint8_t type)
{
	struct bytes chain;

	ck_assert_int_eq(chain_finish(m, &chain), GW_OK);
	ck_assert_uint_eq(m->first, type);
	ck_assert_uint_ge(chain.n, 4);
	ck_assert_uint_eq(chain.p[0], PL_NONE);
	ck_assert_uint_eq(chain.p[1], 0);
	ck_assert_uint_eq(get_u16(chain.p + 2), chain.n);
	return bytes_of(chain.p + 4, chain.n - 4);
}

#define ck_assert_bytes(got, text) \
	do { \
		struct bytes got_ = (got); \
		struct bytes want_ = bytes_str(text); \
		ck_assert_msg(bytes_equal(got_, want_), "%.*s instead of %s", (int)got_.n, (const char *)got_.p, \
			      text); \
	} while (0)

/* Runs the tests, each between setup and teardown (or NULL), and gives main()'s result. */
static inline int run_tests_with(const char *name, SFun setup, SFun teardown, const TTest *const *tests, size_t n)
{
	TCase *tc = tcase_create(name);

	if (setup)
		tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	return check_main(name, tc);
}

static inline int run_tests(const char *name, const TTest *const *tests, size_t n)
{
	return run_tests_with(name, NULL, NULL, tests, n);
}

#endif
