#include "core/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/check_main.h"

struct scene {
	struct log log;
	struct clock clock;
	int64_t wall;
	char line[16384];
	size_t n, lines;
	enum log_level level;
};

static int64_t scene_wall(const struct clock *c)
{
	return ((const struct scene *)(const void *)((const char *)c - offsetof(struct scene, clock)))->wall;
}

static int64_t scene_wall_us(const struct clock *c)
{
	return scene_wall(c) * 1000000 + 67890;
}

static void take(void *arg, enum log_level level, const char *line, size_t n)
{
	struct scene *s = arg;

	ck_assert_uint_lt(n, sizeof(s->line));
	memcpy(s->line, line, n);
	s->line[n] = 0;
	s->n = n;
	s->level = level;
	s->lines++;
	errno = EDOM;
}

static void scene_init(struct scene *s, enum log_format format)
{
	*s = (struct scene){ .wall = 1767323045 }; /* 2026-01-02T03:04:05Z */
	s->clock.wall = scene_wall;
	s->log = (struct log){ LOG_LVL_DEBUG, format, &s->clock, take, s };
}

START_TEST(forms_of_a_line)
{
	struct scene s;

	scene_init(&s, LOG_TEXT);
	log_line(&s.log, LOG_LVL_NOTICE, "alice #12", "up after %d ms", 7);
	ck_assert_str_eq(s.line, "2026-01-02T03:04:05Z notice  alice #12: up after 7 ms\n");
	ck_assert_int_eq(s.level, LOG_LVL_NOTICE);
	log_warn(&s.log, "no prefix");
	ck_assert_str_eq(s.line, "2026-01-02T03:04:05Z warn    no prefix\n");
	log_line(&s.log, LOG_LVL_INFO, "", "empty prefix");
	ck_assert_str_eq(s.line, "2026-01-02T03:04:05Z info    empty prefix\n");

	s.clock.wall_us = scene_wall_us;
	log_warn(&s.log, "no prefix");
	ck_assert_str_eq(s.line, "2026-01-02T03:04:05.067Z warn    no prefix\n");

	scene_init(&s, LOG_JSON);
	log_line(&s.log, LOG_LVL_NOTICE, "alice #12", "up");
	ck_assert_str_eq(s.line, "{\"time\":\"2026-01-02T03:04:05Z\",\"level\":\"notice\",\"sa\":\"alice #12\","
				 "\"message\":\"up\"}\n");
	log_error(&s.log, "no prefix");
	ck_assert_str_eq(s.line, "{\"time\":\"2026-01-02T03:04:05Z\",\"level\":\"error\",\"message\":\"no prefix\"}\n");

	scene_init(&s, LOG_JOURNAL);
	log_line(&s.log, LOG_LVL_NOTICE, "alice #12", "up");
	ck_assert_str_eq(s.line, "<5>alice #12: up\n");
	log_debug(&s.log, "no prefix");
	ck_assert_str_eq(s.line, "<7>no prefix\n");
}
END_TEST

START_TEST(the_calendar)
{
	static const struct row {
		int64_t wall;
		const char *stamp;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },		{ -1, "1969-12-31T23:59:59Z" },
		{ 86399, "1970-01-01T23:59:59Z" },	{ 951782400, "2000-02-29T00:00:00Z" },
		{ 951868800, "2000-03-01T00:00:00Z" },	{ 1709164800, "2024-02-29T00:00:00Z" },
		{ 1735689599, "2024-12-31T23:59:59Z" }, { 1740787200, "2025-03-01T00:00:00Z" },
		{ 2147483648, "2038-01-19T03:14:08Z" }, { 4107542400, "2100-03-01T00:00:00Z" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene s;

		scene_init(&s, LOG_TEXT);
		s.wall = rows[i].wall;
		log_info(&s.log, "x");
		ck_assert_msg(strncmp(s.line, rows[i].stamp, 20) == 0, "%lld: %s", (long long)s.wall, s.line);
	}
}
END_TEST

START_TEST(foreign_text_is_escaped)
{
	static const struct row {
		const char *in, *text, *json;
	} rows[] = {
		{ "a\nb\r\tc", "a\\nb\\r\\tc", "a\\nb\\r\\tc" },
		{ "\x1b[31m\x7f", "\\x1b[31m\\x7f", "\\u001b[31m\\u007f" },
		{ "say \"x\\y\"", "say \"x\\y\"", "say \\\"x\\\\y\\\"" },
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x92",
		  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x92",
		  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x92" },
		{ "\xc3", "\\xc3", "\\u00c3" },			/* cut short */
		{ "\xc0\xaf", "\\xc0\\xaf", "\\u00c0\\u00af" }, /* overlong */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\u00e0\\u0080\\u00af" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\u00ed\\u00a0\\u0080" }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\u00f4\\u0090\\u0080\\u0080" },
		{ "\xff", "\\xff", "\\u00ff" },
		{ "\xc2\x9b", "\\xc2\\x9b", "\\u00c2\\u009b" },			/* C1: CSI */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae", "\\u00e2\\u0080\\u00ae" }, /* right to left override */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene s;
		char want[256];

		scene_init(&s, LOG_JOURNAL);
		log_line(&s.log, LOG_LVL_INFO, rows[i].in, "%s", rows[i].in);
		(void)snprintf(want, sizeof(want), "<6>%s: %s\n", rows[i].text, rows[i].text);
		ck_assert_str_eq(s.line, want);
		s.log.format = LOG_JSON;
		s.log.clock = NULL;
		log_line(&s.log, LOG_LVL_INFO, rows[i].in, "%s", rows[i].in);
		(void)snprintf(want, sizeof(want),
			       "{\"time\":\"-\",\"level\":\"info\",\"sa\":\"%s\",\"message\":\"%s\"}\n", rows[i].json,
			       rows[i].json);
		ck_assert_str_eq(s.line, want);
	}
}
END_TEST

START_TEST(lines_above_the_level_are_not_made)
{
	for (int at = LOG_LVL_ERROR; at <= LOG_LVL_DEBUG; at++)
		for (int line = LOG_LVL_ERROR; line <= LOG_LVL_DEBUG; line++) {
			struct scene s;

			scene_init(&s, LOG_TEXT);
			s.log.level = (enum log_level)at;
			log_line(&s.log, (enum log_level)line, NULL, "x");
			ck_assert_uint_eq(s.lines, line <= at);
			ck_assert_int_eq(log_wants(&s.log, (enum log_level)line), line <= at);
		}
	log_line(NULL, LOG_LVL_ERROR, NULL, "nobody listens");
	ck_assert(!log_wants(NULL, LOG_LVL_ERROR));
}
END_TEST

START_TEST(a_long_line_is_cut_but_whole)
{
	static char text[10000];
	static const enum log_format formats[] = { LOG_TEXT, LOG_JSON, LOG_JOURNAL };

	for (size_t f = 0; f < ARRAY_LEN(formats); f++)
		for (int escaped = 0; escaped < 2; escaped++) {
			struct scene s;

			memset(text, escaped ? 1 : 'a', sizeof(text) - 1);
			scene_init(&s, formats[f]);
			log_line(&s.log, LOG_LVL_INFO, text, "%s", text);
			ck_assert_uint_gt(s.n, 1000);
			ck_assert_int_eq(s.line[s.n - 1], '\n');
			ck_assert_ptr_eq(strchr(s.line, '\n'), s.line + s.n - 1);
			if (formats[f] == LOG_JSON)
				ck_assert_mem_eq(s.line + s.n - 3, "\"}\n", 3);
		}
}
END_TEST

START_TEST(errno_survives)
{
	struct scene s;

	scene_init(&s, LOG_TEXT);
	errno = ENOENT;
	log_info(&s.log, "x");
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(stderr_gets_one_line)
{
	struct scene s;
	int ends[2], saved = dup(STDERR_FILENO);
	char got[128];
	ssize_t n;

	scene_init(&s, LOG_JOURNAL);
	s.log.sink = NULL;
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	log_info(&s.log, "to stderr");
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	n = read(ends[0], got, sizeof(got));
	ck_assert_int_eq(n, 13);
	ck_assert_mem_eq(got, "<6>to stderr\n", 13);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(saved);
}
END_TEST

START_TEST(levels_by_name)
{
	for (int i = LOG_LVL_ERROR; i <= LOG_LVL_DEBUG; i++)
		ck_assert_int_eq(log_level_parse(log_level_name((enum log_level)i)), i);
	ck_assert_int_eq(log_level_parse("loud"), -1);
	ck_assert_int_eq(log_level_parse(""), -1);
	ck_assert_str_eq(log_level_name((enum log_level)2), "unknown");
	ck_assert_str_eq(log_level_name((enum log_level)8), "unknown");
}
END_TEST

static mtime at_ms(int64_t ms)
{
	return (mtime){ MILLISECONDS(ms) };
}

START_TEST(the_limiter_swallows_and_counts)
{
	struct ratelimit r = { .per_second = 10, .burst = 3 };
	uint64_t swallowed = 99;

	for (int i = 0; i < 3; i++)
		ck_assert(ratelimit_allow(&r, at_ms(5), &swallowed));
	ck_assert_uint_eq(swallowed, 0);
	for (int i = 0; i < 5; i++)
		ck_assert(!ratelimit_allow(&r, at_ms(5), &swallowed));
	ck_assert(!ratelimit_allow(&r, at_ms(104), NULL));
	ck_assert(ratelimit_allow(&r, at_ms(105), &swallowed));
	ck_assert_uint_eq(swallowed, 6);
	ck_assert(!ratelimit_allow(&r, at_ms(105), NULL));
	/* Never more than the burst, however long it was quiet. */
	for (int i = 0; i < 3; i++)
		ck_assert(ratelimit_allow(&r, (mtime){ INT64_MAX }, NULL));
	ck_assert(!ratelimit_allow(&r, (mtime){ INT64_MAX }, NULL));
	/* A clock that goes back gives nothing. */
	ck_assert(!ratelimit_allow(&r, at_ms(0), NULL));
}
END_TEST

START_TEST(a_limiter_without_refill_ends)
{
	struct ratelimit r = { .per_second = 0, .burst = 1 }, none = { 0 };

	ck_assert(ratelimit_allow(&r, at_ms(0), NULL));
	ck_assert(!ratelimit_allow(&r, at_ms(1000000), NULL));
	ck_assert(!ratelimit_allow(&none, at_ms(0), NULL));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("log");

	tcase_add_test(t, forms_of_a_line);
	tcase_add_test(t, the_calendar);
	tcase_add_test(t, foreign_text_is_escaped);
	tcase_add_test(t, lines_above_the_level_are_not_made);
	tcase_add_test(t, a_long_line_is_cut_but_whole);
	tcase_add_test(t, errno_survives);
	tcase_add_test(t, stderr_gets_one_line);
	tcase_add_test(t, levels_by_name);
	tcase_add_test(t, the_limiter_swallows_and_counts);
	tcase_add_test(t, a_limiter_without_refill_ends);
	return check_main("log", t);
}
