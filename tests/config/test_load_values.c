/* Values of all types: both ends, wrong words, what YAML would make of them. */
#include "tests/config/scene.h"

/* `key: value` at the top, in front of a good rest. */
static void expect_top(const char *line, const char *wanted)
{
	char yaml[1024];

	(void)snprintf(yaml, sizeof(yaml), "%s\n" ROAD, line);
	expect_problems(yaml, wanted);
}

START_TEST(both_ends_of_numbers)
{
	static const struct row {
		const char *line; /* the value stands for ? */
		const char *low, *below, *high, *above;
		const char *below_says, *above_says;
	} rows[] = {
		{ "node_index: ?", "0", "-1", "15", "16", "f:1:13: error: `node_index` wants a number, not `-1`\n",
		  "f:1:13: error: `node_index` is 0..15, not 16\n" },
		{ "listen: {port: ?}", "1", "0", "65535", "65536", "f:1:16: error: `port` is 1..65535, not 0\n",
		  "f:1:16: error: `port` is 1..65535, not 65536\n" },
		{ "userspace: {mtu: ?}", "1280", "1279", "9000", "9001",
		  "f:1:18: error: `mtu` is 1280..9000 or auto, not 1279\n",
		  "f:1:18: error: `mtu` is 1280..9000 or auto, not 9001\n" },
		{ "ike: {fragment_size: ?}", "576", "575", "65535", "65536",
		  "f:1:22: error: `fragment_size` is 576..65535, not 575\n",
		  "f:1:22: error: `fragment_size` is 576..65535, not 65536\n" },
		{ "ike: {sa_max: ?}", "1", "0", "10000000", "10000001",
		  "f:1:15: error: `sa_max` is 1..10000000, not 0\n",
		  "f:1:15: error: `sa_max` is 1..10000000, not 10000001\n" },
		{ "ike: {retransmit: {tries: ?}}", "1", "0", "20", "21", "f:1:27: error: `tries` is 1..20, not 0\n",
		  "f:1:27: error: `tries` is 1..20, not 21\n" },
		{ "ike: {retransmit: {first: ?}}", "100ms", "99ms", "60s", "60001ms",
		  "f:1:27: error: `first` is 100ms..1m, not `99ms`\n",
		  "f:1:27: error: `first` is 100ms..1m, not `60001ms`\n" },
		{ "ike: {half_open_timeout: ?}", "1s", "0", "10m", "10m1ms",
		  "f:1:26: error: `half_open_timeout` wants a duration such as 500ms, 30s, 5m, 8h or 1d, not `0`\n",
		  "f:1:26: error: `half_open_timeout` is 1s..10m, not `10m1ms`\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *values[] = { rows[i].low, rows[i].high, rows[i].below, rows[i].above };
		const char *says[] = { "", "", rows[i].below_says, rows[i].above_says };

		for (size_t j = 0; j < ARRAY_LEN(values); j++) {
			const char *hole = strchr(rows[i].line, '?');
			char line[128];

			(void)snprintf(line, sizeof(line), "%.*s%s%s", (int)(hole - rows[i].line), rows[i].line,
				       values[j], hole + 1);
			expect_top(line, says[j]);
		}
	}
}
END_TEST

START_TEST(yaml_1_1_does_not_surprise)
{
	static const char *const no_numbers[] = { "012", "0x10", "1_000", "1e3", "1.0", "+1", "1:30", "' 1'", "''" };
	static const char *const no_bools[] = { "yes", "no", "on", "off", "True", "TRUE", "y", "1", "0" };

	for (size_t i = 0; i < ARRAY_LEN(no_numbers); i++) {
		char line[64], wanted[128];
		bool quoted = no_numbers[i][0] == '\'';

		(void)snprintf(line, sizeof(line), "node_index: %s", no_numbers[i]);
		(void)snprintf(wanted, sizeof(wanted), "f:1:13: error: `node_index` wants a number, not `%.*s`\n",
			       (int)strlen(no_numbers[i]) - (quoted ? 2 : 0), no_numbers[i] + quoted);
		expect_top(line, wanted);
	}
	for (size_t i = 0; i < ARRAY_LEN(no_bools); i++) {
		char line[64], wanted[128];

		(void)snprintf(line, sizeof(line), "ike: {vendor_id: %s}", no_bools[i]);
		(void)snprintf(wanted, sizeof(wanted), "f:1:18: error: `vendor_id` wants true or false, not `%s`\n",
			       no_bools[i]);
		expect_top(line, wanted);
	}
	/* Names that YAML 1.1 takes for something else. */
	expect_top("node: no", "");
	expect_top("node: 012", "");
	expect_top("node_index: 99999999999999999999", "f:1:13: error: `node_index` wants a number, not "
						       "`99999999999999999999`\n");
	expect_top("node_index: '7'", "");
}
END_TEST

START_TEST(durations)
{
	static const struct row {
		const char *text;
		int64_t us; /* -1: refused */
	} rows[] = {
		{ "0", 0 },
		{ "off", 0 },
		{ "never", 0 },
		{ "0s", 0 },
		{ "1s", SECONDS(1) },
		{ "1000ms", SECONDS(1) },
		{ "30s", SECONDS(30) },
		{ "5m", SECONDS(300) },
		{ "8h", SECONDS(8 * 3600) },
		{ "1d", SECONDS(86400) },
		{ "1h30m", SECONDS(5400) },
		{ "1m500ms", MILLISECONDS(60500) },
		{ "365d", SECONDS(365 * 86400) },
		{ "366d", -1 },
		{ "999ms", -1 },
		{ "30", -1 },
		{ "30 s", -1 },
		{ "s", -1 },
		{ "1w", -1 },
		{ "1.5h", -1 },
		{ "-1s", -1 },
		{ "1h30", -1 },
		{ "01s", -1 },
		{ "9223372036854775807s", -1 },
		{ "9999999999999999999s", -1 },
		{ "106751991d106751991d", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char yaml[512];
		struct config_report r;
		struct settings *s;

		(void)snprintf(yaml, sizeof(yaml), ROAD "    dpd: %s\n", rows[i].text);
		s = scene_load("f", yaml, &r);
		ck_assert_msg((s != NULL) == (rows[i].us >= 0), "%s", rows[i].text);
		ck_assert_uint_eq(r.count, rows[i].us < 0);
		if (s)
			ck_assert_int_eq(s->conns[0].dpd_us, rows[i].us);
		settings_unref(s);
		config_report_clear(&r);
	}
	expect_problems(ROAD "    dpd: 30\n",
			"f:7:10: error: `dpd` wants a duration such as 500ms, 30s, 5m, 8h or 1d, not `30`\n");
	expect_problems(ROAD "    dpd: 366d\n", "f:7:10: error: `dpd` is 1s..365d or 0, not `366d`\n");
}
END_TEST

START_TEST(percentages_and_words)
{
	expect_problems(ROAD "    jitter: 50%\n", "");
	expect_problems(ROAD "    jitter: 51%\n", "f:7:13: error: `jitter` wants 0% to 50%, not `51%`\n");
	expect_problems(ROAD "    jitter: 10\n", "f:7:13: error: `jitter` wants 0% to 50%, not `10`\n");
	expect_problems(ROAD "    compat: [weak-hd]\n", "f:7:14: error: `compat` is one of: weak-dh, windows-legacy, "
							"apple, android; not `weak-hd`; did you mean `weak-dh`?\n");
	expect_problems(ROAD "    compat: none\n", "");
	expect_problems(ROAD "    compat: []\n", "");
	expect_top("shutdown: delte", "f:1:11: error: `shutdown` is one of: delete, silent; not `delte`; did you mean "
				      "`delete`?\n");
	expect_top("mss_clamp: off", "");
	expect_top("mss_clamp: 535", "f:1:12: error: `mss_clamp` is 536..8960, auto or off, not 535\n");
	expect_top("mss_clamp: 1", "f:1:12: error: `mss_clamp` is 536..8960, auto or off, not 1\n");
	expect_top("mss_clamp: false", "f:1:12: error: `mss_clamp` wants a number, auto or off, not `false`\n");
	expect_top("dataplane: ebpf", "f:1:12: error: `dataplane` is one of: auto, kernel, userspace; not `ebpf`\n");
	expect_problems(ROAD "        replay_window: off\n",
			"f:7:24: warning: without replay protection packets can be repeated by anybody on the way\n");
	expect_problems(ROAD "        replay_window: 31\n",
			"f:7:24: error: `replay_window` is 32..4096 or off, not 31\n");
	expect_problems(ROAD "        replay_window: 32\n", "");
	expect_problems(ROAD "        replay_window: 4097\n",
			"f:7:24: error: `replay_window` is 32..4096 or off, not 4097\n");
}
END_TEST

START_TEST(sizes_and_uniqueness)
{
	static const struct {
		const char *text;
		uint64_t size; /* UINT64_MAX: refused */
	} sizes[] = {
		{ "0", 0 },
		{ "off", 0 },
		{ "1000", 1000 },
		{ "999", UINT64_MAX },
		{ "200M", 200000000 },
		{ "4G", 4000000000 },
		{ "1k", 1000 },
		{ "9T", 9000000000000 },
		{ "1K", UINT64_MAX },
		{ "200MB", UINT64_MAX },
		{ "1.5G", UINT64_MAX },
		{ "-1", UINT64_MAX },
		{ "M", UINT64_MAX },
		{ "9999999999G", UINT64_MAX },
		{ "2 G", UINT64_MAX },
	};
	static const struct {
		const char *text;
		struct unique_cfg unique;
	} uniques[] = {
		{ "replace", { UNIQUE_REPLACE, 0 } },	 { "keep", { UNIQUE_KEEP, 0 } },
		{ "never", { UNIQUE_NEVER, 0 } },	 { "{limit: 1}", { UNIQUE_LIMIT, 1 } },
		{ "{limit: 25}", { UNIQUE_LIMIT, 25 } },
	};
	char yaml[512];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct config_report r;
		struct settings *s;

		(void)snprintf(yaml, sizeof(yaml), ROAD "        rekey_bytes: %s\n", sizes[i].text);
		s = scene_load("f", yaml, &r);
		ck_assert_msg((s != NULL) == (sizes[i].size != UINT64_MAX), "%s", sizes[i].text);
		if (s)
			ck_assert_uint_eq(s->conns[0].children[0].rekey_bytes, sizes[i].size);
		settings_unref(s);
		config_report_clear(&r);
	}
	for (size_t i = 0; i < ARRAY_LEN(uniques); i++) {
		struct settings *s;

		(void)snprintf(yaml, sizeof(yaml), ROAD "    unique: %s\n", uniques[i].text);
		s = scene_good(yaml);
		ck_assert_int_eq(s->conns[0].unique.policy, uniques[i].unique.policy);
		ck_assert_uint_eq(s->conns[0].unique.limit, uniques[i].unique.limit);
		settings_unref(s);
	}
	expect_problems(ROAD "    unique: kep\n",
			"f:7:13: error: `unique` is one of: replace, keep, never; not `kep`; did you mean `keep`?\n");
	expect_problems(ROAD "    unique: {limit: 0}\n", "f:7:21: error: `limit` is 1..1000000, not 0\n");
	expect_problems(ROAD "    unique: {max: 3}\n",
			"f:7:13: error: `unique` is replace, keep, never or {limit: number}\n");
	expect_problems(ROAD "    unique: [keep]\n",
			"f:7:13: error: `unique` is replace, keep, never or {limit: number}\n");
	expect_problems(ROAD "        rekey_packets: 99\n",
			"f:7:24: error: `rekey_packets` is at least 100 or 0, not `99`\n");
	expect_problems(ROAD "        pfs: requird\n", "f:7:14: error: `pfs` is one of: optional, required, off; not "
						       "`requird`; did you mean `required`?\n");
}
END_TEST

START_TEST(names_and_paths)
{
	char line[256], name[130];

	expect_top("node: a b",
		   "f:1:7: error: `node` wants letters, digits, dots, dashes and underscores, not `a b`\n");
	expect_top("node: ''", "f:1:7: error: `node` has 1 to 63 characters, not 0\n");
	expect_top("userspace: {device: abcdefghijklmno}", "");
	expect_top("userspace: {device: abcdefghijklmnop}", "f:1:21: error: `device` has 1 to 15 characters, not 16\n");
	expect_top("userspace: {device: a/b}",
		   "f:1:21: error: `device` wants letters, digits, dots, dashes and underscores, not `a/b`\n");
	for (size_t n = 107; n <= 108; n++) {
		memset(name, 'a', n);
		name[0] = '/';
		name[n] = 0;
		(void)snprintf(line, sizeof(line), "control: {socket: %s}", name);
		expect_top(line, n == 107 ? "" : "f:1:19: error: `socket` is a path of 1 to 107 octets\n");
	}
	expect_top("state_dir: ''", "f:1:12: error: `state_dir` is a path of 1 to 1024 octets\n");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("load_values");

	tcase_add_test(t, both_ends_of_numbers);
	tcase_add_test(t, yaml_1_1_does_not_surprise);
	tcase_add_test(t, durations);
	tcase_add_test(t, percentages_and_words);
	tcase_add_test(t, sizes_and_uniqueness);
	tcase_add_test(t, names_and_paths);
	return check_main("load_values", t);
}
