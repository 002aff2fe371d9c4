#include "config/users.h"
#include "tests/config/scene.h"

#include <time.h>

static const char *hash_text(const struct user_cfg *u, char buf[33])
{
	buf[0] = 0;
	for (size_t i = 0; i < u->nt_hash.n; i++)
		(void)snprintf(buf + 2 * i, 3, "%02x", u->nt_hash.p[i]);
	return buf;
}

static void assert_hash(const struct settings *s, const char *name, const char *wanted)
{
	const struct user_cfg *u = settings_user(s, bytes_str(name), false);
	char buf[33];

	ck_assert_msg(u != NULL, "no user %s", name);
	ck_assert_str_eq(hash_text(u, buf), wanted);
	ck_assert_uint_eq(u->password.n, 0);
}

START_TEST(passwords_become_hashes)
{
	struct settings *s = scene_good(ROAD "users:\n"
					     "  alice: {password: clientPass}\n"
					     "  bob@example.org: {nt_hash: 44EBBA8D5312b8d611474411f56989ae}\n"
					     "  'CORP\\carol': {nt_hash: 0x44ebba8d5312b8d611474411f56989ae}\n"
					     "  d\xc3\xb6rte: {password: {file: /etc/gateway/psk}}\n"
					     "  certificate-only: {}\n"
					     "  nothing:\n");

	assert_hash(s, "alice", "44ebba8d5312b8d611474411f56989ae");
	assert_hash(s, "bob@example.org", "44ebba8d5312b8d611474411f56989ae");
	assert_hash(s, "CORP\\carol", "44ebba8d5312b8d611474411f56989ae");
	assert_hash(s, "d\xc3\xb6rte", "f4d7a6a17d58c9709a7a67f0403aeaf6");
	assert_hash(s, "certificate-only", "");
	assert_hash(s, "nothing", "");
	ck_assert_ptr_null(settings_user(s, bytes_str("mallory"), false));
	ck_assert_ptr_null(settings_user(s, bytes_str(""), false));
	settings_unref(s);
}
END_TEST

START_TEST(letter_case)
{
	struct settings *s = scene_good(ROAD "users:\n"
					     "  Alice: {password: clientPass}\n"
					     "  alice: {password: otherPass}\n"
					     "  bob: {password: clientPass}\n");

	ck_assert_str_eq(settings_user(s, bytes_str("alice"), true)->name, "alice");
	ck_assert_str_eq(settings_user(s, bytes_str("Alice"), true)->name, "Alice");
	ck_assert_str_eq(settings_user(s, bytes_str("ALICE"), true)->name, "Alice");
	ck_assert_ptr_null(settings_user(s, bytes_str("ALICE"), false));
	ck_assert_str_eq(settings_user(s, bytes_str("BoB"), true)->name, "bob");
	ck_assert_ptr_null(settings_user(s, bytes_str("BoB"), false));
	settings_unref(s);
}
END_TEST

START_TEST(no_users)
{
	struct settings *s = scene_good(ROAD);

	ck_assert_ptr_null(settings_user(s, bytes_str("alice"), false));
	settings_unref(s);
}
END_TEST

static const struct {
	const char *yaml, *problems;
} wrong[] = {
	{ "{password: clientPass, nt_hash: 44ebba8d5312b8d611474411f56989ae}",
	  "f:8:42: error: either `password` or `nt_hash`, not both\n" },
	{ "{nt_hash: 44ebba8d5312b8d611474411f56989a}", "f:8:20: error: `nt_hash` is 32 hex digits\n" },
	{ "{nt_hash: 44ebba8d5312b8d611474411f56989ag}", "f:8:20: error: `nt_hash` is 32 hex digits\n" },
	{ "{nt_hash: 0x44ebba8d5312b8d611474411f56989}", "f:8:20: error: `nt_hash` is 32 hex digits\n" },
	{ "{password: 0xffffffffffffffff}", "f:8:21: error: `password` is not UTF-8 text\n" },
	{ "{password: {file: /nowhere}}", "f:8:28: error: `password`: /nowhere: No such file or directory\n" },
	{ "{pasword: clientPass}", "f:8:11: error: unknown key `pasword`; did you mean `password`?\n" },
	{ "{password: abc}", "f:8:21: warning: `password` has 3 octets only: easily guessed\n" },
};

START_TEST(problems)
{
	char yaml[1024];

	(void)snprintf(yaml, sizeof(yaml), ROAD "users:\n  alice: %s\n", wrong[_i].yaml);
	expect_problems(yaml, wrong[_i].problems);
}
END_TEST

START_TEST(names)
{
	char yaml[2048], name[300];

	expect_problems(ROAD "users:\n  \"a\\tb\": {password: clientPass}\n",
			"f:8:3: error: names in `users` are 1 to 253 octets of printable text\n");
	expect_problems(ROAD "users:\n  '': {password: clientPass}\n",
			"f:8:3: error: names in `users` are 1 to 253 octets of printable text\n");
	expect_problems(ROAD "users:\n  alice: {password: clientPass}\n  alice: {password: clientPass}\n",
			"f:9:3: error: `alice` is there twice, first in line 8\n");
	memset(name, 'n', sizeof(name));
	name[254] = 0;
	(void)snprintf(yaml, sizeof(yaml), ROAD "users:\n  %s: {password: clientPass}\n", name);
	expect_problems(yaml, "f:8:3: error: names in `users` are 1 to 253 octets of printable text\n");
	name[253] = 0;
	(void)snprintf(yaml, sizeof(yaml), ROAD "users:\n  %s: {password: clientPass}\n", name);
	settings_unref(scene_good(yaml));
}
END_TEST

/* Every one of very many is found, and all of them are loaded in a time that grows with their number, not its square.
 */
START_TEST(many)
{
	enum { MANY = 10000 };
	char *yaml = NULL, name[32];
	size_t n = 0;
	FILE *f = open_memstream(&yaml, &n);
	struct settings *s;
	struct timespec a, b;

	(void)fputs(ROAD "users:\n", f);
	for (int i = 0; i < MANY; i++)
		(void)fprintf(f, "  user%05d@example.org: {password: secret-%05d}\n", i, i);
	(void)fclose(f);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	s = scene_good(yaml);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	(void)fprintf(stderr, "%d users loaded in %.1f ms of CPU time\n", (int)MANY,
		      (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6);
	ck_assert_uint_eq(s->user_count, MANY);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "user%05d@example.org", i);
		ck_assert_ptr_eq(settings_user(s, bytes_str(name), false), &s->users[i]);
	}
	ck_assert_ptr_null(settings_user(s, bytes_str("user10000@example.org"), false));
	settings_unref(s);
	free(yaml);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("users");

	tcase_add_test(t, passwords_become_hashes);
	tcase_add_test(t, letter_case);
	tcase_add_test(t, no_users);
	tcase_add_loop_test(t, problems, 0, (int)ARRAY_LEN(wrong));
	tcase_add_test(t, names);
	tcase_add_test(t, many);
	return check_main("users", t);
}
