/* Compat profiles: what they change, and that they leave alone what the file sets. */
#include "tests/config/scene.h"

#define CONN(compat, more, child) \
	"connections:\n  a: {psk: 'correct horse', compat: " compat more ", children: {x: {local: 10.0.0.0/8" child \
	"}}}\n"

static bool allows(const struct proposal_cfg *p, size_t n, const char *name)
{
	char text[PROPOSAL_TEXT], token[64];

	(void)snprintf(token, sizeof(token), "-%s", name);
	for (size_t i = 0; i < n; i++)
		if (strstr(proposal_text(&p[i], text), token))
			return true;
	return false;
}

START_TEST(windows_legacy)
{
	struct config_report r;
	struct settings *s = scene_load("f", CONN("windows-legacy", "", ""), &r);
	const struct conn_cfg *c;

	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(r.count, 1);
	ck_assert(r.items[0].warning);
	ck_assert_ptr_nonnull(strstr(r.items[0].text, "recorded traffic can be decrypted later"));
	c = &s->conns[0];
	ck_assert(allows(c->proposals, c->proposal_count, "modp1024"));
	ck_assert(allows(c->proposals, c->proposal_count, "sha1"));
	ck_assert(allows(c->children[0].proposals, c->children[0].proposal_count, "sha1"));
	/* Behind what is better. */
	ck_assert(!allows(c->proposals, c->proposal_count - 1, "modp1024"));
	ck_assert_int_eq(c->rekey_by, REKEY_AUTO);
	settings_unref(s);
	config_report_clear(&r);
	/* Proposals of the file stay as they are; the weak groups may stand in them. */
	s = scene_load("f", CONN("windows-legacy", ", proposals: aes256-sha256-modp1024", ", proposals: aes256-sha256"),
		       &r);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->conns[0].proposal_count, 1);
	ck_assert_uint_eq(s->conns[0].children[0].proposal_count, 1);
	settings_unref(s);
	config_report_clear(&r);
}
END_TEST

START_TEST(phones)
{
	struct settings *s = scene_good(CONN("apple", "", ""));

	ck_assert_int_eq(s->conns[0].rekey_by, REKEY_PEER);
	ck_assert_int_eq(s->conns[0].dpd_us, SECONDS(120));
	ck_assert_uint_eq(s->conns[0].proposal_count, 2);
	settings_unref(s);
	s = scene_good(CONN("[apple, android]", ", rekey_by: always, dpd: 7s", ""));
	ck_assert_int_eq(s->conns[0].rekey_by, REKEY_ALWAYS);
	ck_assert_int_eq(s->conns[0].dpd_us, SECONDS(7));
	ck_assert(allows(s->conns[0].proposals, s->conns[0].proposal_count, "modp4096"));
	settings_unref(s);
	s = scene_good(CONN("none", "", ""));
	ck_assert(!allows(s->conns[0].proposals, s->conns[0].proposal_count, "modp4096"));
	ck_assert(!allows(s->conns[0].proposals, s->conns[0].proposal_count, "sha1"));
	settings_unref(s);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("compat");

	tcase_add_test(t, windows_legacy);
	tcase_add_test(t, phones);
	return check_main("compat", t);
}
