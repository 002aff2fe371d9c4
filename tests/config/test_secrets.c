#include "config/reader.h"

#include "tests/config/scene.h"

#include <sys/stat.h>
#include <unistd.h>

START_TEST(decoding)
{
	static const struct row {
		struct bytes in, out;
		const char *why; /* NULL: decoded */
	} rows[] = {
#define B(text) { (const uint8_t *)(text), sizeof(text) - 1 }
		{ B("secret"), B("secret"), NULL },
		{ B("secret\n"), B("secret"), NULL },
		{ B("secret\r\n"), B("secret"), NULL },
		{ B("secret\n\n"), B("secret\n"), NULL }, /* one newline only */
		{ B(" secret "), B(" secret "), NULL },
		{ B("a\0b"), B("a\0b"), NULL },
		{ B("0xdeadBEEF"), B("\xde\xad\xbe\xef"), NULL },
		{ B("0xdeadbeef\n"), B("\xde\xad\xbe\xef"), NULL },
		{ B("0Xdead"), B("0Xdead"), NULL },
		{ B("0sYWJj"), B("abc"), NULL },
		{ B("0sYWI="), B("ab"), NULL },
		{ B("0sYQ=="), B("a"), NULL },
		{ B("0sYWI"), B("ab"), NULL },
		{ B("0sYQ"), B("a"), NULL },
		{ B("0s+/+/"), B("\xfb\xff\xbf"), NULL },
		{ B("0sYWJjZGVmZ2hp\n"), B("abcdefghi"), NULL },
		{ B("x0s"), B("x0s"), NULL },
		{ B(""), B(""), "is empty" },
		{ B("\n"), B(""), "is empty" },
		{ B("0x"), B(""), "0x wants an even number of hex digits behind it" },
		{ B("0xabc"), B(""), "0x wants an even number of hex digits behind it" },
		{ B("0xag"), B(""), "0x wants hex digits behind it" },
		{ B("0s"), B(""), "0s wants base64 behind it" },
		{ B("0sY"), B(""), "0s wants base64 behind it" },
		{ B("0sYWJjZ"), B(""), "0s wants base64 behind it" },
		{ B("0sYW=j"), B(""), "0s wants base64 behind it" },
		{ B("0sYWI=="), B(""), "0s wants base64 behind it" },
		{ B("0s===="), B(""), "0s wants base64 behind it" },
		{ B("0sYW j"), B(""), "0s wants base64 behind it" },
		{ B("0sYW-_"), B(""), "0s wants base64 behind it" },
#undef B
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct secret s = { 0 };
		struct err e = { 0 };
		enum gw_err r = secret_decode(rows[i].in, &s, &e);

		if (rows[i].why) {
			ck_assert_int_eq(r, GW_ECONFIG);
			ck_assert_str_eq(e.text, rows[i].why);
			ck_assert_ptr_null(s.p);
			continue;
		}
		ck_assert_msg(r == GW_OK, "row %zu: %s", i, e.text);
		ck_assert_msg(bytes_equal(secret_bytes(&s), rows[i].out), "row %zu", i);
		secret_clear(&s);
	}
}
END_TEST

/* A connection with this psk. */
static char *with_psk(const char *psk)
{
	char *text;

	ck_assert_int_gt(
		asprintf(&text, "connections:\n  road:\n    psk: %s\n    children: {lan: {local: 10.0.0.0/8}}\n", psk),
		0);
	return text;
}

static void expect_psk(const char *file, const char *psk, const char *content)
{
	char *yaml = with_psk(psk);
	struct config_report r;
	struct settings *s = scene_load(file, yaml, &r);
	char *problems = scene_problems(&r);

	ck_assert_str_eq(problems, "");
	ck_assert(bytes_equal(secret_bytes(&s->conns[0].psk), bytes_str(content)));
	settings_unref(s);
	config_report_clear(&r);
	free(problems);
	free(yaml);
}

static void refuse_psk(const char *psk, const char *wanted)
{
	char *yaml = with_psk(psk);

	expect_problems(yaml, wanted);
	free(yaml);
}

START_TEST(where_from)
{
	expect_psk("f", "correct horse", "correct horse");
	expect_psk("f", "'0x6162636465666768'", "abcdefgh");
	expect_psk("f", "0123456789", "0123456789");
	expect_psk("f", "{file: /etc/gateway/psk}", "from the file");
	expect_psk("f", "{env: PSK}", "from the environment");
	/* Relative to the folder of the YAML file. */
	expect_psk("/x/gateway.yaml", "{file: psk}", "from the file");
	expect_psk("gateway.yaml", "{file: psk}", "from the file");
}
END_TEST

START_TEST(refused)
{
	refuse_psk("", "f:3:9: error: `psk` has no value\n");
	refuse_psk("''", "f:3:10: error: `psk`: is empty\n");
	refuse_psk("short", "f:3:10: warning: `psk` has 5 octets only: easily guessed\n");
	refuse_psk("0x1", "f:3:10: error: `psk`: 0x wants an even number of hex digits behind it\n");
	refuse_psk("[a]", "f:3:10: error: `psk` is text, {file: path} or {env: NAME}\n");
	refuse_psk("{}", "f:3:10: error: `psk` is text, {file: path} or {env: NAME}\n");
	refuse_psk("{fil: x}", "f:3:10: error: `psk` is text, {file: path} or {env: NAME}\n");
	refuse_psk("{file: x, env: y}", "f:3:10: error: `psk` is text, {file: path} or {env: NAME}\n");
	refuse_psk("{file: }", "f:3:17: error: `file` wants a path\n");
	refuse_psk("{file: [a]}", "f:3:17: error: `file` wants a path\n");
	refuse_psk("{env: ''}", "f:3:16: error: `env` wants the name of a variable\n");
	refuse_psk("{file: /no/where}", "f:3:17: error: `psk`: /no/where: No such file or directory\n");
	refuse_psk("{env: NOPE}", "f:3:16: error: `psk`: NOPE: the environment has no such variable\n");
}
END_TEST

static void write_file(const char *path, const char *content, mode_t mode)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	(void)fputs(content, f);
	(void)fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
}

/* A folder with gateway.yaml and psk, on the real disk. */
struct disk {
	char dir[32], yaml[64], psk[64];
};

static void disk_init(struct disk *d, const char *psk)
{
	char *text = with_psk(psk);

	strcpy(d->dir, "/tmp/gwconfXXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(d->dir));
	(void)snprintf(d->yaml, sizeof(d->yaml), "%s/gateway.yaml", d->dir);
	(void)snprintf(d->psk, sizeof(d->psk), "%s/psk", d->dir);
	write_file(d->yaml, text, 0600);
	free(text);
}

static void disk_clear(struct disk *d)
{
	(void)unlink(d->psk);
	(void)unlink(d->yaml);
	ck_assert_int_eq(rmdir(d->dir), 0);
}

/* The one problem of the file, without its path and place; "" when there is none. */
static void expect_file(const struct disk *d, const char *wanted, const char *psk)
{
	struct config_report r;
	struct settings *s = config_load_file(d->yaml, NULL, &r);

	ck_assert_uint_eq(r.count, *wanted != 0);
	if (*wanted)
		ck_assert_msg(strstr(r.items[0].text, wanted) != NULL, "%s", r.items[0].text);
	ck_assert_int_eq(s != NULL, psk != NULL);
	if (s)
		ck_assert(bytes_equal(secret_bytes(&s->conns[0].psk), bytes_str(psk)));
	settings_unref(s);
	config_report_clear(&r);
}

START_TEST(files_on_disk)
{
	struct disk d;
	char *big = calloc(1, 64 * 1024 + 2);

	disk_init(&d, "{file: psk}");
	expect_file(&d, "psk: No such file or directory", NULL);
	write_file(d.psk, "from the disk\n", 0600);
	expect_file(&d, "", "from the disk");
	write_file(d.psk, "from the disk\n", 0640);
	expect_file(&d, "", "from the disk");
	write_file(d.psk, "from the disk\n", 0604);
	expect_file(&d, "others may read or write it (mode 0604); chmod o-rwx it", NULL);
	write_file(d.psk, "from the disk\n", 0602);
	expect_file(&d, "others may read or write it (mode 0602); chmod o-rwx it", NULL);
	write_file(d.psk, "", 0600);
	expect_file(&d, "`psk`: is empty", NULL);
	memset(big, 'a', 64 * 1024);
	write_file(d.psk, big, 0600);
	expect_file(&d, "", big);
	big[64 * 1024] = 'a';
	write_file(d.psk, big, 0600);
	expect_file(&d, "is larger than 65536 octets", NULL);
	ck_assert_int_eq(unlink(d.psk), 0);
	ck_assert_int_eq(mkfifo(d.psk, 0600), 0);
	expect_file(&d, "is not a plain file", NULL); /* and nobody waits for a writer */
	ck_assert_int_eq(unlink(d.psk), 0);
	ck_assert_int_eq(mkdir(d.psk, 0700), 0);
	expect_file(&d, "is not a plain file", NULL);
	ck_assert_int_eq(rmdir(d.psk), 0);
	disk_clear(&d);
	free(big);
}
END_TEST

START_TEST(text_in_a_file_that_others_read)
{
	struct disk d;

	disk_init(&d, "correct horse");
	expect_file(&d, "", "correct horse");
	ck_assert_int_eq(chmod(d.yaml, 0644), 0);
	expect_file(&d, "`psk` stands in a file that others may read; chmod o-rwx it or use {file: path}",
		    "correct horse");
	disk_clear(&d);
	/* A reference gives nothing away. */
	disk_init(&d, "{file: psk}");
	write_file(d.psk, "from the disk\n", 0600);
	ck_assert_int_eq(chmod(d.yaml, 0644), 0);
	expect_file(&d, "", "from the disk");
	disk_clear(&d);
}
END_TEST

START_TEST(the_real_environment)
{
	struct disk d;

	disk_init(&d, "{env: GATEWAY_TEST_PSK}");
	ck_assert_int_eq(unsetenv("GATEWAY_TEST_PSK"), 0);
	expect_file(&d, "the environment has no such variable", NULL);
	ck_assert_int_eq(setenv("GATEWAY_TEST_PSK", "0x6162636465666768", 1), 0);
	expect_file(&d, "", "abcdefgh");
	ck_assert_int_eq(unsetenv("GATEWAY_TEST_PSK"), 0);
	disk_clear(&d);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("secrets");

	tcase_add_test(t, decoding);
	tcase_add_test(t, where_from);
	tcase_add_test(t, refused);
	tcase_add_test(t, files_on_disk);
	tcase_add_test(t, text_in_a_file_that_others_read);
	tcase_add_test(t, the_real_environment);
	return check_main("secrets", t);
}
