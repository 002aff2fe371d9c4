#include "config/yaml.h"

#include "tests/config/scene.h"

static struct yaml_node *parse(const char *text, struct config_report *r)
{
	*r = (struct config_report){ .file = strdup("f") };
	return yaml_tree_parse(bytes_str(text), r);
}

/* The problems of a text, and whether a tree is left to go on with. */
static void expect(const char *text, const char *wanted, bool tree)
{
	struct config_report r;
	struct yaml_node *n = parse(text, &r);
	char *problems = scene_problems(&r);

	ck_assert_str_eq(problems, wanted);
	ck_assert_int_eq(n != NULL, tree);
	free(problems);
	yaml_tree_free(n);
	config_report_clear(&r);
}

START_TEST(a_tree_knows_its_places)
{
	struct config_report r;
	struct yaml_node *root = parse("a: 1\nb:\n  - x\n  - {c: 'no', d: }\n", &r);
	const struct yaml_node *b = yaml_tree_get(root, "b"), *map = yaml_tree_item(b, 1);
	const struct yaml_node *c = yaml_tree_get(map, "c"), *d = yaml_tree_get(map, "d");

	ck_assert_uint_eq(r.count, 0);
	ck_assert_int_eq(root->kind, YAML_MAP);
	ck_assert_uint_eq(root->count, 2);
	ck_assert_str_eq(yaml_tree_get(root, "a")->text, "1");
	ck_assert_int_eq(b->kind, YAML_LIST);
	ck_assert_uint_eq(b->key_at.line, 2);
	ck_assert_uint_eq(b->key_at.column, 1);
	ck_assert_uint_eq(b->at.line, 3);
	ck_assert_uint_eq(b->at.column, 3);
	ck_assert_str_eq(yaml_tree_item(b, 0)->text, "x");
	ck_assert_ptr_null(yaml_tree_item(b, 2));
	ck_assert_str_eq(c->text, "no");
	ck_assert(c->quoted);
	ck_assert_uint_eq(c->at.line, 4);
	ck_assert_uint_eq(c->at.column, 9);
	ck_assert(yaml_tree_is_null(d));
	ck_assert(!yaml_tree_is_null(c));
	ck_assert_ptr_null(yaml_tree_get(map, "e"));
	ck_assert_ptr_null(yaml_tree_get(b, "c"));
	ck_assert_ptr_null(yaml_tree_get(NULL, "c"));
	ck_assert_ptr_eq(yaml_tree_item(c, 0), c);
	ck_assert_ptr_null(yaml_tree_item(c, 1));
	yaml_tree_free(root);
	config_report_clear(&r);
}
END_TEST

START_TEST(scalars_stay_text)
{
	static const char *const words[] = { "no", "on", "012", "0x10", "1e3", "1:30", "2001-01-01", ".inf", "=", "<" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		char text[32];
		struct config_report r;
		struct yaml_node *root;

		(void)snprintf(text, sizeof(text), "a: %s\n", words[i]);
		root = parse(text, &r);
		ck_assert_uint_eq(r.count, 0);
		ck_assert_str_eq(yaml_tree_get(root, "a")->text, words[i]);
		yaml_tree_free(root);
		config_report_clear(&r);
	}
}
END_TEST

START_TEST(nulls)
{
	struct config_report r;
	struct yaml_node *root = parse("[~, null, Null, NULL, '', '~', 'null', nul]", &r);

	for (size_t i = 0; i < root->count; i++)
		ck_assert_int_eq(yaml_tree_is_null(yaml_tree_item(root, i)), i < 4);
	ck_assert(!yaml_tree_is_null(root));
	yaml_tree_free(root);
	config_report_clear(&r);
}
END_TEST

START_TEST(only_the_strict_part)
{
	expect("a: 1\nb: 2\na: 3\n", "f:3:1: error: `a` is there twice, first in line 1\n", true);
	expect("x: {a: 1, a: 2, a: 3}\n",
	       "f:1:11: error: `a` is there twice, first in line 1\n"
	       "f:1:17: error: `a` is there twice, first in line 1\n",
	       true);
	expect("a: &x 1\n", "f:1:4: error: anchors (&x) are not supported\n", true);
	expect("a: &x [1]\nb: &y {c: 1}\n",
	       "f:1:4: error: anchors (&x) are not supported\nf:2:4: error: anchors (&y) are not supported\n", true);
	expect("ids: [*@example.org]\n", "f:1:7: error: text that begins with * wants quotes\n", false);
	expect("ids: [*bob]\n",
	       "f:1:7: error: aliases (*bob) are not supported; text that begins with * wants quotes\n", true);
	expect("a: {<<: {b: 1}, c: 2}\n", "f:1:5: error: merge keys (<<) are not supported\n", true);
	expect("a: !!str 1\nb: !foo [1]\n",
	       "f:1:4: error: tags (tag:yaml.org,2002:str) are not supported\n"
	       "f:2:4: error: tags (!foo) are not supported\n",
	       true);
	expect("? [a, b]\n: 1\nc: 2\n", "f:1:3: error: a key must be plain text\n", true);
	expect("a: 1\n---\nb: 1\n", "f:2:1: error: a second document: only one is allowed\n", false);
	expect("--- {a: 1}\n...\n", "", true);
	expect("\xef\xbb\xbf"
	       "a: 1\r\nb:\r\n  - 2\r\n",
	       "", true);
	expect("\xef\xbb\xbf"
	       "a: 1\na: 2\n",
	       "f:2:1: error: `a` is there twice, first in line 1\n", true);
	expect("", "", false);
	expect("# nothing\n", "", false);
}
END_TEST

START_TEST(what_is_no_yaml)
{
	expect("a: [1, 2\n", "f:2:1: error: did not find expected ',' or ']', while parsing a flow sequence\n", false);
	expect("a: 1\n b: 2\n", "f:2:3: error: mapping values are not allowed in this context\n", false);
	expect("a:\n\tb: 1\n",
	       "f:2:1: error: found character that cannot start any token, while scanning for the next token\n", false);
	expect("a: \xff\n", "f: error: invalid leading UTF-8 octet\n", false);
	expect("a: \x01\n", "f: error: control characters are not allowed\n", false);
	expect("a: \"x\\0y\"\n", "f:1:4: error: NUL in text\n", false);
	expect("\"a\\0\": 1\n", "f:1:1: error: NUL in text\n", false);
}
END_TEST

/* head, then `n` times `each`, then `n` times `after`. */
static char *repeat(const char *head, const char *each, size_t n, const char *after)
{
	char *all = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&all, &size);

	(void)fputs(head, f);
	for (size_t i = 0; i < n; i++)
		(void)fputs(each, f);
	for (size_t i = 0; i < n; i++)
		(void)fputs(after, f);
	(void)fclose(f);
	return all;
}

static void expect_repeat(const char *head, const char *each, size_t n, const char *after, const char *wanted)
{
	char *text = repeat(head, each, n, after);

	expect(text, wanted, *wanted == 0);
	free(text);
}

START_TEST(bounds)
{
	expect_repeat("", "[", YAML_MAX_DEPTH + 1, "]", "");
	expect_repeat("", "[", YAML_MAX_DEPTH + 2, "]", "f:1:14: error: nested too deeply\n");
	expect_repeat("", "{a: ", YAML_MAX_DEPTH, "}", "");
	expect_repeat("", "{a: ", YAML_MAX_DEPTH + 2, "}", "f:1:53: error: nested too deeply\n");
	expect_repeat("a: ", "x", YAML_MAX_SCALAR, "", "");
	expect_repeat("a: ", "x", YAML_MAX_SCALAR + 1, "", "f:1:4: error: text is too long\n");
	expect_repeat("", "x", YAML_MAX_SCALAR + 1, "", "f:1:1: error: text is too long\n");
	expect_repeat("", "- 1\n", YAML_MAX_MEMBERS, "", "");
	expect_repeat("", "- 1\n", YAML_MAX_MEMBERS + 1, "", "f:100001:3: error: too many members\n");
	expect_repeat("", "- [1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9]\n", 22000, "",
		      "f:21053:24: error: too many values\n");
}
END_TEST

START_TEST(size)
{
	char *text = repeat("a: 1\n#", "#\n", (YAML_MAX_BYTES - 6) / 2, ""), *longer;

	ck_assert_uint_eq(strlen(text), YAML_MAX_BYTES);
	expect(text, "", true);
	longer = repeat(text, "\n", 1, "");
	expect(longer, "f: error: larger than 4194304 octets\n", false);
	free(text);
	free(longer);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("yaml");

	tcase_add_test(t, a_tree_knows_its_places);
	tcase_add_test(t, scalars_stay_text);
	tcase_add_test(t, nulls);
	tcase_add_test(t, only_the_strict_part);
	tcase_add_test(t, what_is_no_yaml);
	tcase_add_test(t, bounds);
	tcase_add_test(t, size);
	return check_main("yaml", t);
}
