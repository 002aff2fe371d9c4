/* What the tests of daemon/ share: a scratch folder, files, a clock by hand, log lines kept for looking. */
#ifndef TESTS_DAEMON_CHECK_H
#define TESTS_DAEMON_CHECK_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "tests/check_main.h"

struct hand_clock {
	struct clock clock;
	mtime now;
	int64_t wall;
};

static inline mtime hand_now(const struct clock *c)
{
	return ((const struct hand_clock *)(const void *)c)->now;
}

static inline int64_t hand_wall(const struct clock *c)
{
	return ((const struct hand_clock *)(const void *)c)->wall;
}

static inline struct hand_clock hand_clock_at(int64_t wall)
{
	return (struct hand_clock){ { .now = hand_now, .wall = hand_wall }, { SECONDS(1000) }, wall };
}

/* Free with scratch_remove(). */
static inline char *scratch_make(void)
{
	char *path = strdup("/tmp/gw-test-XXXXXX");

	ck_assert_ptr_nonnull(mkdtemp(path));
	return path;
}

static inline int scratch_unlink(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static inline void scratch_remove(char *path)
{
	ck_assert_int_eq(nftw(path, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(path);
}

/* In a static buffer of four. */
static inline const char *path_in(const char *dir, const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *p = paths[next++ % 4];

	(void)snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static inline void file_write(const char *path, const void *data, size_t n)
{
	FILE *f = fopen(path, "we");

	ck_assert_msg(f != NULL, "%s", path);
	ck_assert_uint_eq(fwrite(data, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

static inline void file_put(const char *path, const char *text)
{
	file_write(path, text, strlen(text));
}

static inline size_t file_read(const char *path, char *out, size_t max)
{
	FILE *f = fopen(path, "re");
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	n = fread(out, 1, max - 1, f);
	out[n] = 0;
	ck_assert_int_eq(fclose(f), 0);
	return n;
}

struct kept_log {
	struct log log;
	char text[8192];
};

static inline void kept_sink(void *arg, enum log_level level, const char *line, size_t n)
{
	struct kept_log *k = arg;
	size_t used = strlen(k->text);

	(void)level;
	if (n < sizeof(k->text) - used) {
		memcpy(k->text + used, line, n);
		k->text[used + n] = 0;
	}
}

/* The struct must not move afterwards. */
static inline void kept_log_init(struct kept_log *k)
{
	memset(k, 0, sizeof(*k));
	k->log = (struct log){ .level = LOG_LVL_DEBUG, .sink = kept_sink, .arg = k };
}

#endif
