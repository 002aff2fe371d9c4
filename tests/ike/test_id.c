#include "ike/id.h"

#include "payload_check.h"

static struct id_cfg cfg(enum id_kind kind, const char *text, bool pattern)
{
	return (struct id_cfg){ .kind = kind, .data = bytes_str(text), .pattern = pattern };
}

START_TEST(printing)
{
	static const struct {
		uint8_t kind;
		const char *data;
		size_t n;
		const char *want;
	} cases[] = {
		{ ID_FQDN, "gw.example.org", 14, "gw.example.org" },
		{ ID_RFC822, "alice@example.org", 17, "alice@example.org" },
		{ ID_IPV4, "\xc0\x00\x02\x01", 4, "192.0.2.1" },
		{ ID_IPV4, "\xc0\x00\x02", 3, "ipv4:0xc00002" },
		{ ID_IPV4, "0123456789abcdef", 16, "ipv4:0x30313233343536373839616263646566" },
		{ ID_IPV6, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16, "fd00::1" },
		{ ID_IPV6, "", 0, "ipv6:0x" },
		{ ID_KEY_ID, "alice", 5, "keyid:alice" },
		{ ID_KEY_ID, "\x0a\x0b", 2, "keyid:0x0a0b" },
		{ ID_KEY_ID, "a\nb", 3, "keyid:0x610a62" },
		{ ID_KEY_ID, "", 0, "keyid:" },
		{ ID_DN, "\x30\x00", 2, "" },
		{ 13, "\x01", 1, "id-13:0x01" },
		{ 255, "", 0, "id-255:0x" },
		{ ID_NONE, "", 0, "none" },
		{ ID_FQDN, "a\nb\x1b[31m", 8, "a\\x0ab\\x1b[31m" },
		{ ID_FQDN, "a\0b", 3, "a\\x00b" },
		{ ID_FQDN, "a\\x0a", 5, "a\\\\x0a" },
		{ ID_RFC822, "\xc3\xa4@x", 4, "\\xc3\\xa4@x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char buf[ID_TEXT];

		ck_assert_str_eq(id_text(cases[i].kind, bytes_of(cases[i].data, cases[i].n), buf), cases[i].want);
	}
}
END_TEST

static bool printable(const char *s)
{
	while (*s >= 0x20 && *s < 0x7f)
		s++;
	return *s == '\0';
}

START_TEST(long_ones_are_cut_between_characters)
{
	uint8_t data[600];

	for (unsigned kind = 0; kind < 16; kind++) {
		for (unsigned fill = 0; fill < 256; fill += 15) {
			for (size_t n = 100; n < sizeof(data); n += 37) {
				char *buf = malloc(ID_TEXT);

				ck_assert_ptr_nonnull(buf);
				memset(data, (int)fill, n);
				id_text((uint8_t)kind, bytes_of(data, n), buf);
				ck_assert_uint_lt(strlen(buf), ID_TEXT);
				ck_assert(printable(buf));
				if (n > 200 && kind != ID_NONE)
					ck_assert_str_eq(buf + strlen(buf) - 3, "...");
				free(buf);
			}
		}
	}
	{
		char buf[ID_TEXT];

		memset(data, 1, sizeof(data));
		id_text(ID_FQDN, bytes_of(data, sizeof(data)), buf);
		ck_assert_uint_eq((strlen(buf) - 3) % 4, 0);
	}
}
END_TEST

START_TEST(matching)
{
	static const struct {
		enum id_kind kind;
		const char *pattern;
		bool is_pattern;
		uint8_t peer_kind;
		const char *peer;
		bool want;
	} cases[] = {
		{ ID_FQDN, "gw.example.org", false, ID_FQDN, "gw.example.org", true },
		{ ID_FQDN, "gw.example.org", false, ID_FQDN, "GW.Example.ORG", true },
		{ ID_FQDN, "GW.example.org", false, ID_FQDN, "gw.example.org", true },
		{ ID_FQDN, "gw.example.org", false, ID_FQDN, "gw.example.or", false },
		{ ID_FQDN, "gw.example.org", false, ID_FQDN, "gw.example.orgx", false },
		{ ID_FQDN, "gw.example.org", false, ID_RFC822, "gw.example.org", false },
		{ ID_FQDN, "gw.example.org", false, ID_KEY_ID, "gw.example.org", false },
		{ ID_FQDN, "*", false, ID_FQDN, "a", false },
		{ ID_RFC822, "*@example.org", true, ID_RFC822, "alice@example.org", true },
		{ ID_RFC822, "*@example.org", true, ID_RFC822, "ALICE@EXAMPLE.org", true },
		{ ID_RFC822, "*@example.org", true, ID_RFC822, "@example.org", true },
		{ ID_RFC822, "*@example.org", true, ID_RFC822, "alice@example.org.evil", false },
		{ ID_RFC822, "*@example.org", true, ID_RFC822, "alice@xexample.org", false },
		{ ID_RFC822, "*@example.org", true, ID_RFC822, "eve@evil@example.org", true },
		{ ID_RFC822, "*@example.org", true, ID_FQDN, "alice@example.org", false },
		{ ID_RFC822, "a*c*e", true, ID_RFC822, "abcde", true },
		{ ID_RFC822, "a*c*e", true, ID_RFC822, "acecace", true },
		{ ID_RFC822, "a*c*e", true, ID_RFC822, "abde", false },
		{ ID_RFC822, "*ab*ba", true, ID_RFC822, "abba", true },
		{ ID_RFC822, "*ab*ba", true, ID_RFC822, "aba", false },
		{ ID_RFC822, "a**b", true, ID_RFC822, "ab", true },
		{ ID_RFC822, "*", true, ID_RFC822, "", true },
		{ ID_RFC822, "a*", true, ID_RFC822, "", false },
		{ ID_RFC822, "", true, ID_RFC822, "", true },
		{ ID_RFC822, "", true, ID_RFC822, "a", false },
		{ ID_KEY_ID, "Alice", false, ID_KEY_ID, "Alice", true },
		{ ID_KEY_ID, "Alice", false, ID_KEY_ID, "alice", false },
		{ ID_KEY_ID, "dev-*", true, ID_KEY_ID, "dev-7", true },
		{ ID_KEY_ID, "dev-*", true, ID_KEY_ID, "DEV-7", false },
		{ ID_IPV4, "\xc0\x0a\x02\x41", false, ID_IPV4, "\xc0\x0a\x02\x41", true },
		{ ID_IPV4, "\xc0\x0a\x02\x41", false, ID_IPV4, "\xc0\x0a\x02\x61", false },
		{ ID_NONE, "", false, ID_FQDN, "anything", true },
		{ ID_NONE, "", false, 200, "anything", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct id_cfg c = cfg(cases[i].kind, cases[i].pattern, cases[i].is_pattern);
		bool got = id_matches(&c, cases[i].peer_kind, bytes_str(cases[i].peer));

		ck_assert_msg(got == cases[i].want, "%s ~ %s", cases[i].pattern, cases[i].peer);
		ck_assert(id_matches_any(&c, 1, cases[i].peer_kind, bytes_str(cases[i].peer)) == got);
	}
}
END_TEST

/* Case is folded for the letters of ASCII, and nothing else. */
START_TEST(only_letters_fold)
{
	for (unsigned a = 0; a < 256; a++) {
		unsigned wrong = 0;

		for (unsigned b = 0; b < 256; b++) {
			uint8_t x = (uint8_t)a, y = (uint8_t)b;
			struct id_cfg c = { .kind = ID_FQDN, .data = bytes_of(&x, 1) };
			bool letter = (a | 32) >= 'a' && (a | 32) <= 'z' && (a | 32) == (b | 32);

			wrong += id_matches(&c, ID_FQDN, bytes_of(&y, 1)) != (a == b || letter);
		}
		ck_assert_uint_eq(wrong, 0);
	}
}
END_TEST

START_TEST(zero_octets_do_not_end_an_identity)
{
	struct id_cfg exact_cfg = { .kind = ID_FQDN, .data = bytes_str("gw") };
	struct id_cfg pattern = { .kind = ID_FQDN, .data = bytes_str("*w"), .pattern = true };

	ck_assert(!id_matches(&exact_cfg, ID_FQDN, bytes_of("gw\0.evil", 8)));
	ck_assert(!id_matches(&pattern, ID_FQDN, bytes_of("gw\0.evil", 8)));
	ck_assert(id_matches(&pattern, ID_FQDN, bytes_of("g\0w", 3)));
}
END_TEST

START_TEST(rank_is_of_the_best)
{
	struct id_cfg all[] = { cfg(ID_NONE, "", false), cfg(ID_RFC822, "*@example.org", true),
				cfg(ID_RFC822, "alice@example.org", false), cfg(ID_RFC822, "*", true) };
	struct bytes alice = bytes_str("Alice@example.org"), bob = bytes_str("bob@example.org"),
		     eve = bytes_str("eve@example.net");

	ck_assert_int_eq(id_match_rank(all, 4, ID_RFC822, alice), 3);
	ck_assert_int_eq(id_match_rank(all, 4, ID_RFC822, bob), 2);
	ck_assert_int_eq(id_match_rank(all, 3, ID_RFC822, eve), 1);
	ck_assert_int_eq(id_match_rank(all + 1, 2, ID_RFC822, eve), 0);
	ck_assert_int_eq(id_match_rank(all, 0, ID_RFC822, eve), 1);
	ck_assert(id_matches_any(all, 0, ID_RFC822, eve));
	ck_assert(!id_matches_any(all + 1, 2, ID_RFC822, eve));
}
END_TEST

/* Many stars against a long text that almost fits: has to come back. */
START_TEST(patterns_are_cheap)
{
	char pattern[128], text[512];
	struct id_cfg c = { .kind = ID_FQDN, .data = { (const uint8_t *)pattern, sizeof(pattern) }, .pattern = true };

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 2 ? 'a' : '*';
	pattern[sizeof(pattern) - 1] = 'b';
	memset(text, 'a', sizeof(text));
	ck_assert(!id_matches(&c, ID_FQDN, bytes_of(text, sizeof(text))));
	text[sizeof(text) - 1] = 'b';
	ck_assert(id_matches(&c, ID_FQDN, bytes_of(text, sizeof(text))));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		printing,	    long_ones_are_cut_between_characters, matching,
		only_letters_fold,  zero_octets_do_not_end_an_identity,	  rank_is_of_the_best,
		patterns_are_cheap,
	};

	return run_tests("id", tests, ARRAY_LEN(tests));
}
