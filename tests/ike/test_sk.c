#include "sk_check.h"

START_TEST(every_suite_opens_what_it_sealed)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 14, 15, 16, 17, 31, 32, 33, 1000, 20000 };
	struct sk_inside in;

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		use_suite(i);
		for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
			struct ike_header h;
			size_t n;
			uint8_t *d;

			ck_assert_int_eq(seal(sizes[k], IKE_MAX_MESSAGE, false), GW_OK);
			ck_assert_uint_eq(sealed_count(), 1);
			d = sealed(0, &n);
			ck_assert_int_eq(msg_parse_header(bytes_of(d, n), &h), GW_OK);
			ck_assert_uint_eq(h.spi_i, header.spi_i);
			ck_assert_uint_eq(h.spi_r, header.spi_r);
			ck_assert_uint_eq(h.version, 0x20);
			ck_assert_uint_eq(h.exchange, INFORMATIONAL);
			ck_assert_uint_eq(h.flags, IKE_FLAG_RESPONSE);
			ck_assert_uint_eq(h.id, 5);
			ck_assert_uint_eq(h.next, PL_SK);
			if (sizes[k] >= 16)
				ck_assert_ptr_null(memmem(d, n, f.chain, 16));
			ck_assert_int_eq(sk_open(f.c, &f.k, d, n, &in), GW_OK);
			ck_assert_uint_eq(in.first, PL_NOTIFY);
			ck_assert_uint_eq(in.fragment, 0);
			ck_assert_uint_eq(in.total, 0);
			ck_assert(bytes_equal(in.chain, bytes_of(f.chain, sizes[k])));
			free(d);
		}
	}
}
END_TEST

START_TEST(sizes_on_the_wire)
{
	/* Header 28, SK 4, IV, content, padding and its length, ICV. */
	static const struct {
		size_t suite, chain, datagram;
	} t[] = {
		{ 1, 0, 28 + 4 + 16 + 16 + 16 },  { 1, 15, 28 + 4 + 16 + 16 + 16 }, { 1, 16, 28 + 4 + 16 + 32 + 16 },
		{ 0, 15, 28 + 4 + 16 + 16 + 12 }, { 4, 15, 28 + 4 + 8 + 16 + 16 },  { 6, 8, 28 + 4 + 8 + 9 + 8 },
		{ 7, 8, 28 + 4 + 8 + 9 + 12 },	  { 9, 0, 28 + 4 + 8 + 1 + 16 },    { 12, 8, 28 + 4 + 8 + 9 + 16 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		use_suite(t[i].suite);
		ck_assert_int_eq(seal(t[i].chain, IKE_MAX_MESSAGE, false), GW_OK);
		ck_assert_uint_eq(f.w.n, 2 + t[i].datagram);
	}
}
END_TEST

START_TEST(every_changed_octet_is_refused)
{
	struct sk_inside in;

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		for (int fragmented = 0; fragmented <= 1; fragmented++) {
			size_t n;
			uint8_t *d, *copy;

			use_suite(i);
			ck_assert_int_eq(seal(100, fragmented ? 120 : IKE_MAX_MESSAGE, true), GW_OK);
			d = sealed(0, &n);
			copy = exact(d, n);
			for (size_t at = 0; at < n; at++) {
				for (unsigned bit = 0; bit < 8; bit++) {
					enum gw_err rc;

					memcpy(copy, d, n);
					copy[at] ^= (uint8_t)(1U << bit);
					rc = sk_open(f.c, &f.k, copy, n, &in);
					ck_assert_msg(rc == GW_EAUTH || rc == GW_EMALFORMED, "suite %zu, octet %zu: %d",
						      i, at, rc);
					/* What is behind the lengths is found out by the ICV, by nothing else. */
					if (at >= 36)
						ck_assert_int_eq(rc, GW_EAUTH);
				}
			}
			memcpy(copy, d, n);
			ck_assert_int_eq(sk_open(f.c, &f.k, copy, n, &in), GW_OK);
			free(copy);
			free(d);
		}
	}
}
END_TEST

START_TEST(every_cut_is_refused)
{
	struct sk_inside in;

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		size_t n;
		uint8_t *d;

		use_suite(i);
		ck_assert_int_eq(seal(40, IKE_MAX_MESSAGE, false), GW_OK);
		d = sealed(0, &n);
		for (size_t cut = 0; cut < n; cut++) {
			uint8_t *p = exact(d, cut);

			ck_assert_int_eq(sk_open(f.c, &f.k, p, cut, &in), GW_EMALFORMED);
			/* And with lengths that fit what is left. */
			if (cut >= 32) {
				put_u32(p + 24, (uint32_t)cut);
				put_u16(p + 30, (uint16_t)(cut - 28));
				ck_assert_int_ne(sk_open(f.c, &f.k, p, cut, &in), GW_OK);
			}
			free(p);
		}
		free(d);
	}
}
END_TEST

START_TEST(other_keys_do_not_open)
{
	struct sk_inside in;
	uint8_t other[128];

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		struct bytes was;
		size_t n;
		uint8_t *d;

		use_suite(i);
		memcpy(other, f.keys, sizeof(other));
		ck_assert_int_eq(seal(40, IKE_MAX_MESSAGE, false), GW_OK);
		d = sealed(0, &n);
		other[0] ^= 1;
		other[48] ^= 1;
		was = f.k.encr;
		f.k.encr = bytes_of(other, was.n);
		if (f.k.integ.n > 0)
			f.k.integ = bytes_of(other + 48, f.k.integ.n);
		ck_assert_int_eq(sk_open(f.c, &f.k, d, n, &in), GW_EAUTH);
		free(d);
	}
}
END_TEST

/* ---- messages that no writer of ours would make ---- */

/*
 * A datagram of `outer` payloads (with their generic headers; the first is of type `first`) and a last payload `type`
 * with `head` octets before the IV, sealed over `text` as it is. The caller frees.
 */
static uint8_t *raw(uint8_t first, struct bytes outer, uint8_t type, struct bytes head, struct bytes text, size_t *n)
{
	static uint8_t buf[1024];
	struct cipher_suite *s = &f.k.suite;
	struct writer w = wr_of(buf, sizeof(buf));
	size_t sk, aad;
	uint8_t *iv, *at, *icv;

	wr_u64(&w, header.spi_i);
	wr_u64(&w, header.spi_r);
	wr_u8(&w, first);
	wr_u8(&w, 0x20);
	wr_u8(&w, INFORMATIONAL);
	wr_u8(&w, 0);
	wr_u32(&w, 5);
	wr_u32(&w, 0);
	wr_bytes(&w, outer);
	ck_assert(outer.n > 0 || first == type);
	sk = w.n;
	wr_u8(&w, PL_NOTIFY);
	wr_u8(&w, 0);
	wr_u16(&w, 0);
	wr_bytes(&w, head);
	aad = w.n;
	iv = wr_room(&w, suite_iv_len(s));
	at = wr_room(&w, text.n);
	icv = wr_room(&w, suite_icv_len(s));
	ck_assert(iv && at && icv);
	memset(iv, 3, suite_iv_len(s));
	if (text.n > 0)
		memcpy(at, text.p, text.n);
	wr_patch_u32(&w, 24, (uint32_t)w.n);
	wr_patch_u16(&w, sk + 2, (uint16_t)(w.n - sk - f.sk_less));
	ck_assert_int_eq(crypto_seal(f.c, s, f.k.encr, f.k.integ, bytes_of(iv, suite_iv_len(s)), bytes_of(buf, aad), at,
				     text.n, icv),
			 GW_OK);
	*n = w.n;
	return exact(buf, w.n);
}

START_TEST(padding_is_bounded_and_otherwise_anything)
{
	struct sk_inside in;
	uint8_t text[64];

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		use_suite(i);
		for (size_t len = 16; len <= 64; len += 16) {
			for (unsigned pad = 0; pad < 256; pad++) {
				size_t n;
				uint8_t *d;
				enum gw_err rc;

				memset(text, 0xa5, sizeof(text));
				text[len - 1] = (uint8_t)pad;
				d = raw(PL_SK, (struct bytes){ 0 }, PL_SK, (struct bytes){ 0 }, bytes_of(text, len),
					&n);
				rc = sk_open(f.c, &f.k, d, n, &in);
				ck_assert_int_eq(rc, pad < len ? GW_OK : GW_EMALFORMED);
				if (rc == GW_OK)
					ck_assert_uint_eq(in.chain.n, len - 1 - pad);
				else
					ck_assert_uint_eq(in.chain.n, 0);
				free(d);
			}
		}
	}
}
END_TEST

START_TEST(cbc_wants_whole_blocks)
{
	struct sk_inside in;
	size_t n;
	uint8_t *d;

	use_suite(1);
	ck_assert_int_eq(seal(10, IKE_MAX_MESSAGE, false), GW_OK);
	d = sealed(0, &n);
	for (size_t less = 0; less < 20; less++) {
		size_t m = n - less;
		uint8_t *p = exact(d, m);

		put_u32(p + 24, (uint32_t)m);
		put_u16(p + 30, (uint16_t)(m - 28));
		/* No block left, or not a whole one: not even looked at. */
		ck_assert_int_eq(sk_open(f.c, &f.k, p, m, &in), less % 16 == 0 && less < 16 ? GW_OK : GW_EMALFORMED);
		free(p);
	}
	free(d);
}
END_TEST

START_TEST(payloads_before_sk_are_authenticated)
{
	static const uint8_t notify[] = { PL_SK, 0, 0, 8, 0, 0, 0x40, 0 };
	static const uint8_t text[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0 };
	struct sk_inside in;

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		size_t n;
		uint8_t *d;

		use_suite(i);
		d = raw(PL_NOTIFY, bytes_of(notify, sizeof(notify)), PL_SK, (struct bytes){ 0 }, bytes_of(text, 16),
			&n);
		ck_assert_int_eq(sk_open(f.c, &f.k, d, n, &in), GW_OK);
		ck_assert(bytes_equal(in.chain, bytes_of(text, 15)));
		free(d);
		d = raw(PL_NOTIFY, bytes_of(notify, sizeof(notify)), PL_SK, (struct bytes){ 0 }, bytes_of(text, 16),
			&n);
		d[35] ^= 1;
		ck_assert_int_eq(sk_open(f.c, &f.k, d, n, &in), GW_EAUTH);
		free(d);
	}
}
END_TEST

START_TEST(sk_reaches_the_end)
{
	static const uint8_t text[16];
	struct sk_inside in;

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		use_suite(i);
		for (f.sk_less = 0; f.sk_less < 3; f.sk_less++) {
			size_t n;
			uint8_t *d =
				raw(PL_SK, (struct bytes){ 0 }, PL_SK, (struct bytes){ 0 }, bytes_of(text, 16), &n);

			/* Everything is authentic, the length as well; but RFC 7296 3.14 wants nothing after it. */
			ck_assert_int_eq(sk_open(f.c, &f.k, d, n, &in), f.sk_less == 0 ? GW_OK : GW_EMALFORMED);
			free(d);
		}
	}
}
END_TEST

START_TEST(sk_is_found_only_where_it_may_be)
{
	static const struct {
		const char *what;
		uint8_t first;
		const char *hex; /* after the header */
	} t[] = {
		{ "no payloads", PL_NONE, "" },
		{ "SK missing", PL_SK, "" },
		{ "SK header cut", PL_SK, "290000" },
		{ "empty SK", PL_SK, "29000004" },
		{ "SK length 3", PL_SK, "29000003" },
		{ "SK length 0", PL_SK, "29000000" },
		{ "SK leaves the message", PL_SK, "29000009 11223344" },
		{ "octet after SK", PL_SK, "29000008 11223344 00" },
		{ "a payload after SK", PL_SK, "29000008 11223344 00000008 00004000" },
		{ "clear message", PL_NOTIFY, "00000008 00004000" },
		{ "chain without end", PL_NOTIFY, "29000008 00004000" },
		{ "outer length 0", PL_NOTIFY, "2e000000 00000004" },
		{ "outer length 3", PL_NOTIFY, "2e000003 00000004" },
		{ "SKF cut in its numbers", PL_SKF, "29000006 0001" },
		{ "SKF without IV", PL_SKF, "29000008 00010002" },
		{ "all that is needed but one octet", PL_SK,
		  "2900001c 0000000000000000 00000000000000000000000000000000" },
	};
	struct sk_inside in;

	use_suite(9);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		size_t n;
		uint8_t *rest = unhex(t[i].hex, &n), *d = malloc(28 + n);
		enum gw_err rc;

		ck_assert_ptr_nonnull(d);
		memset(d, 0, 28);
		d[16] = t[i].first;
		put_u32(d + 24, (uint32_t)(28 + n));
		memcpy(d + 28, rest, n);
		rc = sk_open(f.c, &f.k, d, 28 + n, &in);
		ck_assert_msg(rc == GW_EMALFORMED, "%s: %d", t[i].what, rc);
		free(d);
		free(rest);
	}
}
END_TEST

START_TEST(fragment_numbers)
{
	static const struct {
		uint16_t fragment, total;
		enum gw_err want;
	} t[] = {
		{ 0, 0, GW_EMALFORMED }, { 0, 1, GW_EMALFORMED },
		{ 1, 0, GW_EMALFORMED }, { 1, 1, GW_OK },
		{ 2, 1, GW_EMALFORMED }, { 2, 2, GW_OK },
		{ 1, 65535, GW_OK },	 { 65535, 65535, GW_OK },
		{ 3, 2, GW_EMALFORMED }, { 65535, 65534, GW_EMALFORMED },
	};
	static const uint8_t text[16];
	struct sk_inside in;

	use_suite(9);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		uint8_t head[4];
		size_t n;
		uint8_t *d;

		put_u16(head, t[i].fragment);
		put_u16(head + 2, t[i].total);
		d = raw(PL_SKF, (struct bytes){ 0 }, PL_SKF, bytes_of(head, 4), bytes_of(text, 16), &n);
		ck_assert_int_eq(sk_open(f.c, &f.k, d, n, &in), t[i].want);
		if (t[i].want == GW_OK) {
			ck_assert_uint_eq(in.fragment, t[i].fragment);
			ck_assert_uint_eq(in.total, t[i].total);
			/* Only the first one names the first payload, whatever the others say. */
			ck_assert_uint_eq(in.first, t[i].fragment == 1 ? PL_NOTIFY : PL_NONE);
		}
		free(d);
	}
}
END_TEST

/* ---- fragmentation ---- */

START_TEST(fragments_fit_and_make_up_the_whole)
{
	static uint8_t whole[65536];

	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		use_suite(i);
		for (size_t max = 140; max < 700; max += 37) {
			size_t count, at = 0;

			ck_assert_int_eq(seal(2000, max, true), GW_OK);
			count = sealed_count();
			ck_assert_uint_gt(count, 1);
			for (size_t k = 0; k < count; k++) {
				struct sk_inside in;
				size_t n;
				uint8_t *d = sealed(k, &n);

				ck_assert_uint_le(n, max);
				ck_assert_uint_eq(d[16], PL_SKF);
				ck_assert_int_eq(sk_open(f.c, &f.k, d, n, &in), GW_OK);
				ck_assert_uint_eq(in.fragment, k + 1);
				ck_assert_uint_eq(in.total, count);
				ck_assert_uint_eq(in.first, k == 0 ? PL_NOTIFY : PL_NONE);
				/* RFC 7383 2.5: no next payload but in the first. */
				ck_assert_uint_eq(d[28], k == 0 ? PL_NOTIFY : PL_NONE);
				memcpy(whole + at, in.chain.p, in.chain.n);
				at += in.chain.n;
				/* Nothing is wasted: one block more would not have fitted. */
				if (k + 1 < count)
					ck_assert_uint_gt(n + suite_block(&f.k.suite), max);
				free(d);
			}
			ck_assert(bytes_equal(bytes_of(whole, at), bytes_of(f.chain, 2000)));
		}
	}
}
END_TEST

START_TEST(fragments_only_when_it_does_not_fit)
{
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		size_t n;

		use_suite(i);
		ck_assert_int_eq(seal(400, IKE_MAX_MESSAGE, true), GW_OK);
		n = f.w.n - 2;
		ck_assert_int_eq(seal(400, n, true), GW_OK);
		ck_assert_uint_eq(sealed_count(), 1);
		ck_assert_int_eq(seal(400, n - 1, true), GW_OK);
		ck_assert_uint_eq(sealed_count(), 2);
		/* Unless the peer knows no fragments: then IP has to do it. */
		ck_assert_int_eq(seal(400, n - 1, false), GW_OK);
		ck_assert_uint_eq(sealed_count(), 1);
		ck_assert_uint_eq(f.w.n - 2, n);
		/* Nothing to cut in an empty message. */
		ck_assert_int_eq(seal(0, 10, true), GW_OK);
		ck_assert_uint_eq(sealed_count(), 1);
	}
}
END_TEST

START_TEST(number_of_fragments_is_bounded)
{
	size_t room;

	use_suite(9);
	room = 200 - 28 - 8 - 8 - 16 - 1;
	ck_assert_int_eq(seal(room * IKE_FRAG_MAX, 200, true), GW_OK);
	ck_assert_uint_eq(sealed_count(), IKE_FRAG_MAX);
	ck_assert_int_eq(seal(room * IKE_FRAG_MAX + 1, 200, true), GW_ELIMIT);
	ck_assert_uint_eq(f.w.n, 0);
	/* One octet of content a fragment is the least. */
	ck_assert_int_eq(seal(64, 28 + 8 + 8 + 16 + 2, true), GW_OK);
	ck_assert_uint_eq(sealed_count(), 64);
	ck_assert_int_eq(seal(64, 28 + 8 + 8 + 16 + 1, true), GW_ELIMIT);
	ck_assert_int_eq(seal(64, 0, true), GW_ELIMIT);
}
END_TEST

START_TEST(a_message_has_at_most_65535_octets)
{
	size_t fixed = 28 + 4 + 8 + 1 + 16;

	use_suite(9);
	ck_assert_int_eq(seal(65535 - fixed, IKE_MAX_MESSAGE, false), GW_OK);
	ck_assert_uint_eq(f.w.n, 2 + 65535);
	ck_assert_int_eq(seal(65536 - fixed, IKE_MAX_MESSAGE, false), GW_ELIMIT);
	ck_assert_uint_eq(f.w.n, 0);
}
END_TEST

START_TEST(failure_leaves_nothing_behind)
{
	uint8_t small[300];

	use_suite(1);
	for (size_t cap = 0; cap < sizeof(small); cap++) {
		struct writer w = wr_of(small, cap);
		enum gw_err rc = sk_seal(f.c, &f.k, &f.iv, &header, PL_NOTIFY, bytes_of(f.chain, 150), 160, true, &w);

		if (rc == GW_OK)
			ck_assert_uint_gt(w.n, 150);
		else
			ck_assert_uint_eq(w.n, 0);
		ck_assert(rc == GW_OK || rc == GW_ELIMIT);
	}
	memset(small, 0, sizeof(small));
	f.w = wr_of(small, sizeof(small));
	wr_u8(&f.w, 0x77);
	f.iv_fails = true;
	ck_assert_int_eq(sk_seal(f.c, &f.k, &f.iv, &header, PL_NOTIFY, bytes_of(f.chain, 100), 1000, true, &f.w),
			 GW_EIO);
	ck_assert_uint_eq(f.w.n, 1);
	ck_assert_uint_eq(small[0], 0x77);
	ck_assert_ptr_null(memmem(small, sizeof(small), f.chain, 8));
}
END_TEST

START_TEST(packed_walk_stays_inside)
{
	static const struct {
		const char *hex;
		size_t count;
	} t[] = {
		{ "", 0 },	 { "00", 0 },	    { "0000", 1 },	     { "0001", 0 },
		{ "0001aa", 1 }, { "0001aa00", 1 }, { "0001aa0002bbcc", 2 }, { "0001aa0002bb", 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		size_t n, count = 0;
		uint8_t *p = unhex(t[i].hex, &n);
		struct reader r = rd_of(bytes_of(p, n));
		struct bytes d;

		while (packed_next(&r, &d))
			count++;
		ck_assert_uint_eq(count, t[i].count);
		ck_assert(!packed_next(&r, &d));
		free(p);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_suite_opens_what_it_sealed,
		sizes_on_the_wire,
		every_changed_octet_is_refused,
		every_cut_is_refused,
		other_keys_do_not_open,
		padding_is_bounded_and_otherwise_anything,
		cbc_wants_whole_blocks,
		payloads_before_sk_are_authenticated,
		sk_reaches_the_end,
		sk_is_found_only_where_it_may_be,
		fragment_numbers,
		fragments_fit_and_make_up_the_whole,
		fragments_only_when_it_does_not_fit,
		number_of_fragments_is_bounded,
		a_message_has_at_most_65535_octets,
		failure_leaves_nothing_behind,
		packed_walk_stays_inside,
	};

	return run_tests_with("sk", setup, teardown, tests, ARRAY_LEN(tests));
}
