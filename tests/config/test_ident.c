#include "config/reader.h"

#include <stdlib.h>

#include "tests/check_main.h"

#define DATA(text) \
	{ \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

START_TEST(kinds)
{
	static const struct row {
		const char *in;
		enum id_kind kind;
		struct bytes data;
		bool pattern;
	} rows[] = {
		{ "gw.example.org", ID_FQDN, DATA("gw.example.org"), false },
		{ "bob", ID_FQDN, DATA("bob"), false },
		{ "12345", ID_FQDN, DATA("12345"), false },
		{ "@gw.example.org", ID_FQDN, DATA("gw.example.org"), false },
		{ "@192.0.2.1", ID_FQDN, DATA("192.0.2.1"), false },
		{ "alice@example.org", ID_RFC822, DATA("alice@example.org"), false },
		{ "192.0.2.1", ID_IPV4, DATA("\xc0\0\2\1"), false },
		{ "2001:db8::1", ID_IPV6, DATA("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), false },
		{ "@#0a0B", ID_KEY_ID, DATA("\x0a\x0b"), false },
		{ "@#2a", ID_KEY_ID, DATA("*"), false }, /* an asterisk in hex is no pattern */
		{ "keyid:road warrior", ID_KEY_ID, DATA("road warrior"), false },
		{ "keyid:a@b", ID_KEY_ID, DATA("a@b"), false },
		{ "*", ID_NONE, { NULL, 0 }, false },
		{ "CN=a,C=DE", ID_DN,
		  DATA("\x30\x19\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02"
		       "DE\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
		       "a"),
		  false },
		{ "*@example.org", ID_RFC822, DATA("*@example.org"), true },
		{ "*.example.org", ID_FQDN, DATA("*.example.org"), true },
		{ "@*.example.org", ID_FQDN, DATA("*.example.org"), true },
		{ "keyid:road-*", ID_KEY_ID, DATA("road-*"), true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int remote = 0; remote < 2; remote++) {
			bool fine = remote || (rows[i].kind != ID_NONE && !rows[i].pattern);
			struct id_cfg id = { 0 };
			struct err e = { 0 };

			ck_assert_msg((ident_parse(rows[i].in, remote, &id, &e) == GW_OK) == fine, "%s: %s", rows[i].in,
				      e.text);
			if (!fine) {
				ck_assert_str_eq(e.text, "our own identity cannot be a pattern");
				continue;
			}
			ck_assert_str_eq(id.text, rows[i].in);
			ck_assert_int_eq(id.kind, rows[i].kind);
			ck_assert_int_eq(id.pattern, rows[i].pattern);
			ck_assert(bytes_equal(id.data, rows[i].data));
			ident_clear(&id);
			ck_assert_ptr_null(id.text);
		}
}
END_TEST

START_TEST(refused)
{
	static const struct row {
		const char *in, *why;
	} rows[] = {
		{ "", "an identity has 1 to 255 characters" },
		{ "CN=x, nonsense", "`nonsense` in a distinguished name is no type=value" },
		{ "CN=x, NO=y", "`NO` in a distinguished name is no type that we know" },
		{ "CN=, O=y", "CN in a distinguished name is empty" },
		{ "@", "`@` wants a name behind it" },
		{ "@#", "`@#` wants an even number of hex digits behind it" },
		{ "@#0", "`@#` wants an even number of hex digits behind it" },
		{ "@#0g", "`@#` wants hex digits behind it" },
		{ "keyid:", "`keyid:` wants text behind it" },
		{ "two words", "an identity has no blanks or control characters" },
		{ "a\nb", "an identity has no blanks or control characters" },
		{ "192.0.2.*", "`192.0.2.*` is no address, and addresses as identities have no patterns" },
		{ "192.0.2.0/24", "`192.0.2.0/24` is no address, and addresses as identities have no patterns" },
		{ "192.0.2.256", "`192.0.2.256` is no address, and addresses as identities have no patterns" },
		{ "2001:db8::*", "`2001:db8::*` is no address, and addresses as identities have no patterns" },
	};
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct id_cfg id = { 0 };
		struct err e = { 0 };

		ck_assert_int_eq(ident_parse(rows[i].in, true, &id, &e), GW_ECONFIG);
		ck_assert_str_eq(e.text, rows[i].why);
		ck_assert_ptr_null(id.text);
	}
	for (size_t n = 255; n <= 256; n++) {
		struct id_cfg id = { 0 };

		memset(text, 'a', n);
		text[n] = 0;
		ck_assert_int_eq(ident_parse(text, true, &id, NULL) == GW_OK, n == 255);
		ident_clear(&id);
		/* A key ID in hex of the longest text there may be. */
		memcpy(text, "@#", 2);
		text[254] = 0;
		ck_assert_int_eq(ident_parse(text, true, &id, NULL), GW_OK);
		ck_assert_uint_eq(id.data.n, 126);
		ident_clear(&id);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("ident");

	tcase_add_test(t, kinds);
	tcase_add_test(t, refused);
	return check_main("ident", t);
}
