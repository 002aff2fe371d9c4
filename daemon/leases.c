#include "daemon/leases.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SCHEMA "gateway-leases/1"
#define SAVE_DELAY_US SECONDS(2)
#define RETRY_DELAY_US SECONDS(60)

enum {
	SLICE = 1000, /* leases put into the text in one turn */
	LINE_LEN = 4096,
	ID_LEN_MAX = 1024,
	WRITER_STACK = 64 * 1024,
};

struct text {
	char *p; /* owned */
	size_t n, cap;
};

struct leases {
	const struct env *env;
	struct loop *loop;
	struct pools *pools;
	char *path, *aside, *dir;
	struct loop_timer *timer;
	uint64_t seen;	  /* pools_version of which a save is planned */
	bool planned;	  /* the timer runs */
	bool building;	  /* `text` grows */
	size_t next;	  /* number of the next lease to write */
	struct text text; /* the loop's while building, the writer's while writing */
	/* the writer */
	int done_fd; /* eventfd: the writer has finished */
	struct loop_fd *done;
	pthread_t writer;
	bool writing;
	int writer_errno; /* of the last save; 0: fine */
	bool save_failed; /* logged once */
};

/* ---- to the disk ---- */

static bool write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* 0 or errno. */
static int replace_file(const struct leases *l)
{
	int fd = open(l->aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), dir, error = 0;

	if (fd < 0)
		return errno;
	if (!write_all(fd, l->text.p, l->text.n) || fsync(fd) != 0)
		error = errno ? errno : EIO;
	if (close(fd) != 0 && error == 0)
		error = errno;
	if (error == 0 && rename(l->aside, l->path) != 0)
		error = errno;
	if (error != 0)
		return error;
	/* The new name itself must survive the power, too. */
	dir = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		(void)fsync(dir);
		close(dir);
	}
	return 0;
}

static void *writer_main(void *arg)
{
	struct leases *l = arg;
	uint64_t one = 1;

	l->writer_errno = replace_file(l);
	(void)!write(l->done_fd, &one, sizeof(one));
	return NULL;
}

static void text_free(struct text *t)
{
	free(t->p);
	*t = (struct text){ 0 };
}

static void plan(struct leases *l, int64_t delay_us)
{
	l->planned = true;
	loop_timer_at(l->timer, mtime_add(clock_now(l->env->clock), delay_us));
}

static void writer_finish(struct leases *l)
{
	uint64_t count;

	(void)pthread_join(l->writer, NULL);
	(void)!read(l->done_fd, &count, sizeof(count));
	l->writing = false;
	text_free(&l->text);
	if (l->writer_errno == 0) {
		if (l->save_failed)
			log_notice(l->env->log, "leases are saved again");
		l->save_failed = false;
		return;
	}
	if (!l->save_failed)
		log_error(l->env->log, "cannot save leases to %s: %s; after a restart clients may get other addresses",
			  l->path, strerror(l->writer_errno));
	l->save_failed = true;
	if (!l->planned)
		plan(l, RETRY_DELAY_US);
}

static void writer_done(void *arg, unsigned what)
{
	(void)what;
	writer_finish(arg);
}

static bool writer_start(struct leases *l)
{
	pthread_attr_t attr;
	bool ok;

	if (pthread_attr_init(&attr) != 0)
		return false;
	(void)pthread_attr_setstacksize(&attr, WRITER_STACK);
	ok = pthread_create(&l->writer, &attr, writer_main, l) == 0;
	(void)pthread_attr_destroy(&attr);
	l->writing = ok;
	return ok;
}

/* ---- to text ---- */

static bool text_add(struct text *t, const char *p, size_t n)
{
	if (n > t->cap - t->n) {
		size_t cap = (t->cap + n) * 2;
		char *bigger = realloc(t->p, cap);

		if (!bigger)
			return false;
		t->p = bigger;
		t->cap = cap;
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
	return true;
}

struct slice {
	struct leases *l;
	size_t at, left;
	bool more, failed;
	int64_t wall;
	mtime now;
	const char *pool; /* whose name this is, as JSON: */
	char pool_json[LINE_LEN / 4];
};

/* There are thousands of leases and few pools: the name is escaped once for all that follow each other. */
static bool name_pool(struct slice *s, const char *pool)
{
	json_t *j;
	size_t n;

	if (s->pool && (s->pool == pool || strcmp(s->pool, pool) == 0))
		return true;
	j = json_string(pool);
	if (!j)
		return false;
	n = json_dumpb(j, s->pool_json, sizeof(s->pool_json) - 1, JSON_ENCODE_ANY);
	json_decref(j);
	if (n == 0 || n > sizeof(s->pool_json) - 1)
		n = 0;
	s->pool_json[n] = 0;
	s->pool = pool;
	return true;
}

static bool write_lease(struct slice *s, const struct lease *lease)
{
	static const char digits[] = "0123456789abcdef";
	char line[LINE_LEN], addr[ADDR_TEXT], id[2 * ID_LEN_MAX + 1];
	int64_t until = 0, left_us;
	size_t n;

	if (lease->id.n > ID_LEN_MAX)
		return true;
	if (!name_pool(s, lease->pool))
		return false;
	for (size_t i = 0; i < lease->id.n; i++) {
		id[2 * i] = digits[lease->id.p[i] >> 4];
		id[2 * i + 1] = digits[lease->id.p[i] & 15];
	}
	id[2 * lease->id.n] = 0;
	if (lease->holders == 0) {
		left_us = mtime_since(s->now, lease->until);
		until = s->wall + (left_us > 0 ? left_us / 1000000 : 0);
	}
	/* Addresses and hex need no escaping. */
	n = (size_t)snprintf(line, sizeof(line),
			     ",\n{\"pool\":%s,\"addr\":\"%s\",\"id_kind\":%u,\"id\":\"%s\",\"until\":%lld}",
			     s->pool_json, addr_text(&lease->addr, addr), lease->id_kind, id, (long long)until);
	if (!s->pool_json[0] || n >= sizeof(line))
		return true;
	/* The first one follows the bracket, not a comma. */
	return s->at == 0 ? text_add(&s->l->text, line + 1, n - 1) : text_add(&s->l->text, line, n);
}

static bool each_lease(void *arg, const struct lease *lease)
{
	struct slice *s = arg;

	if (s->at < s->l->next) {
		s->at++;
		return true;
	}
	if (s->left == 0) {
		s->more = true;
		return false;
	}
	if (!write_lease(s, lease)) {
		s->failed = true;
		return false;
	}
	s->at++;
	s->left--;
	return true;
}

static bool build_begin(struct leases *l)
{
	char head[128];
	int n = snprintf(head, sizeof(head), "{\"schema\":\"" SCHEMA "\",\"saved\":%lld,\"leases\":[",
			 (long long)l->env->clock->wall(l->env->clock));

	l->next = 0;
	l->text.n = 0;
	l->building = text_add(&l->text, head, (size_t)n);
	return l->building;
}

/* One slice; *more: there are others. A table that changes in between is saved again later, so slices need not agree.
 */
static bool build_some(struct leases *l, size_t max, bool *more)
{
	struct slice s = {
		.l = l, .left = max, .wall = l->env->clock->wall(l->env->clock), .now = clock_now(l->env->clock)
	};

	pools_each(l->pools, each_lease, &s);
	l->next = s.at;
	*more = s.more;
	if (s.failed || (!s.more && !text_add(&l->text, "\n]}\n", 4))) {
		l->building = false;
		text_free(&l->text);
		return false;
	}
	if (!s.more)
		l->building = false;
	return true;
}

static void timer_due(void *arg)
{
	struct leases *l = arg;
	bool more;

	l->planned = false;
	if (l->writing) {
		plan(l, SAVE_DELAY_US);
		return;
	}
	if (!l->building && !build_begin(l)) {
		plan(l, RETRY_DELAY_US);
		return;
	}
	if (!build_some(l, SLICE, &more))
		plan(l, RETRY_DELAY_US);
	else if (more)
		plan(l, 0);
	else if (!writer_start(l))
		plan(l, RETRY_DELAY_US);
}

void leases_watch(struct leases *l)
{
	uint64_t version = pools_version(l->pools);

	if (version == l->seen || l->planned)
		return;
	l->seen = version;
	plan(l, SAVE_DELAY_US);
}

enum gw_err leases_save(struct leases *l, struct err *e)
{
	bool more = true;
	int error;

	if (l->writing)
		writer_finish(l);
	loop_timer_at(l->timer, MTIME_NEVER);
	l->planned = false;
	l->seen = pools_version(l->pools);
	if (!build_begin(l) || !build_some(l, SIZE_MAX, &more))
		return err_set(e, GW_ENOMEM, "cannot save leases: out of memory");
	error = replace_file(l);
	text_free(&l->text);
	return error == 0 ? GW_OK : err_set(e, GW_EIO, "cannot save leases to %s: %s", l->path, strerror(error));
}

/* ---- from the disk ---- */

static bool hex_decode(const char *text, uint8_t *out, size_t max, size_t *n)
{
	size_t len = strlen(text);

	if (len % 2 != 0 || len / 2 > max)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (v < 0)
			return false;
		out[i / 2] = (uint8_t)(i % 2 == 0 ? v << 4 : out[i / 2] | v);
	}
	*n = len / 2;
	return true;
}

static const struct pool_cfg *pool_named(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->pool_count; i++)
		if (strcmp(s->pools[i].name, name) == 0)
			return &s->pools[i];
	return NULL;
}

/* False: the line is broken. What merely does not fit any more is skipped. */
static bool restore_line(struct leases *l, const struct settings *s, const char *line, size_t n, size_t *restored)
{
	const char *pool_name, *addr_string, *id_string;
	uint8_t id[ID_LEN_MAX];
	const struct pool_cfg *pool;
	json_int_t until;
	int64_t keep_us;
	struct addr addr;
	size_t id_len;
	int kind;
	json_t *j = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	bool ok = j &&
		  json_unpack(j, "{s:s, s:s, s:i, s:s, s:I}", "pool", &pool_name, "addr", &addr_string, "id_kind",
			      &kind, "id", &id_string, "until", &until) == 0 &&
		  addr_parse(addr_string, &addr) && hex_decode(id_string, id, sizeof(id), &id_len) && kind >= 0 &&
		  kind <= UINT8_MAX;

	if (!ok)
		goto out;
	pool = pool_named(s, pool_name);
	if (!pool || !range_contains(&pool->addresses, &addr))
		goto out;
	keep_us = pool->lease_time_us;
	if (until > 0) {
		int64_t left = until - l->env->clock->wall(l->env->clock);

		if (left <= 0)
			goto out;
		/* A clock that was far ahead when saving must not keep an address for years. */
		if (left < keep_us / 1000000)
			keep_us = SECONDS(left);
	}
	if (pool_restore(l->pools, pool_name, (uint8_t)kind, bytes_of(id, id_len), &addr, 0, keep_us) == GW_OK)
		(*restored)++;
out:
	json_decref(j);
	return ok;
}

static bool read_file(struct leases *l, const struct settings *s, FILE *f, size_t *restored)
{
	char line[LINE_LEN];

	if (!fgets(line, sizeof(line), f) || strncmp(line, "{\"schema\":\"" SCHEMA "\"", strlen(SCHEMA) + 12) != 0)
		return false;
	while (fgets(line, sizeof(line), f)) {
		size_t n = strlen(line);

		if (n == 0 || line[n - 1] != '\n')
			return false;
		if (strcmp(line, "]}\n") == 0)
			return true;
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == ','))
			n--;
		if (n > 0 && !restore_line(l, s, line, n, restored))
			return false;
	}
	return false;
}

size_t leases_load(struct leases *l, const struct settings *s)
{
	size_t restored = 0;
	FILE *f = fopen(l->path, "re");
	char bad[4096];
	bool whole;

	if (!f) {
		if (errno != ENOENT)
			log_error(l->env->log, "cannot read leases from %s: %s", l->path, strerror(errno));
		return 0;
	}
	whole = read_file(l, s, f, &restored);
	fclose(f);
	if (!whole) {
		(void)snprintf(bad, sizeof(bad), "%s.bad", l->path);
		log_error(l->env->log, "%s is damaged: %zu leases could be read; it is kept as %s", l->path, restored,
			  bad);
		(void)rename(l->path, bad);
	}
	l->seen = pools_version(l->pools);
	return restored;
}

/* ---- life ---- */

struct leases *leases_create(const struct env *env, struct loop *loop, const char *state_dir, struct pools *pools)
{
	struct leases *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->env = env;
	l->loop = loop;
	l->pools = pools;
	l->seen = pools_version(pools);
	l->dir = strdup(state_dir);
	if (asprintf(&l->path, "%s/leases.json", state_dir) < 0)
		l->path = NULL;
	if (asprintf(&l->aside, "%s/leases.json.new", state_dir) < 0)
		l->aside = NULL;
	l->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->timer = loop_timer_create(loop, timer_due, l);
	if (l->done_fd >= 0)
		l->done = loop_fd_create(loop, l->done_fd, LOOP_READ, writer_done, l);
	if (!l->dir || !l->path || !l->aside || !l->timer || !l->done) {
		leases_destroy(l);
		return NULL;
	}
	return l;
}

void leases_destroy(struct leases *l)
{
	if (!l)
		return;
	if (l->writing)
		writer_finish(l);
	loop_fd_destroy(l->done);
	loop_timer_destroy(l->timer);
	if (l->done_fd >= 0)
		close(l->done_fd);
	text_free(&l->text);
	free(l->dir);
	free(l->path);
	free(l->aside);
	free(l);
}
