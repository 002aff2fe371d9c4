#include "daemon/terms.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_US SECONDS(1)

enum {
	SLOTS = 2,
	SLOT_DISTANCE = 4096, /* a torn write spoils one block, hence one slot */
	WRITER_STACK = 64 * 1024,
};

struct terms {
	struct env env;
	struct loop *loop;
	void (*done)(void *arg, const struct ha_durable *d);
	void *arg;
	int fd;
	/* the loop's */
	struct ha_durable wanted; /* newest */
	bool dirty;		  /* `wanted` is not being written yet */
	struct loop_timer *retry;
	int done_fd;
	struct loop_fd *told;
	char trouble[120];
	/* the writer's while it runs */
	pthread_t writer;
	bool writing;
	struct ha_durable value;
	uint32_t serial; /* of the newest whole slot */
	int slot;	 /* to be written */
	int error;	 /* errno of the last write; 0: fine */
};

static int store(int fd, int slot, const struct ha_durable *d, uint32_t serial)
{
	uint8_t data[HA_SLOT_LEN];
	ssize_t n;

	ha_slot_write(data, d, serial);
	n = pwrite(fd, data, sizeof(data), (off_t)slot * SLOT_DISTANCE);
	if (n != (ssize_t)sizeof(data))
		return n < 0 ? errno : ENOSPC;
	return fdatasync(fd) == 0 ? 0 : errno;
}

static void *writer_main(void *arg)
{
	struct terms *t = arg;
	const uint64_t one = 1;

	t->error = store(t->fd, t->slot, &t->value, t->serial + 1);
	(void)!write(t->done_fd, &one, sizeof(one));
	return NULL;
}

static void start(struct terms *t)
{
	pthread_attr_t attr;

	if (t->writing || !t->dirty)
		return;
	t->value = t->wanted;
	t->dirty = false;
	if (pthread_attr_init(&attr) == 0) {
		(void)pthread_attr_setstacksize(&attr, WRITER_STACK);
		t->writing = pthread_create(&t->writer, &attr, writer_main, t) == 0;
		(void)pthread_attr_destroy(&attr);
	}
	if (t->writing)
		return;
	t->dirty = true;
	loop_timer_at(t->retry, mtime_add(clock_now(t->env.clock), RETRY_US));
}

static void on_retry(void *arg)
{
	start(arg);
}

static void on_written(void *arg, unsigned what)
{
	struct terms *t = arg;
	uint64_t count;

	(void)what;
	(void)pthread_join(t->writer, NULL);
	(void)!read(t->done_fd, &count, sizeof(count));
	t->writing = false;
	if (t->error == 0) {
		t->serial++;
		t->slot = 1 - t->slot;
		if (t->trouble[0])
			log_notice(t->env.log, "terms are written again");
		t->trouble[0] = 0;
		t->done(t->arg, &t->value);
		start(t);
		return;
	}
	if (!t->trouble[0])
		log_error(t->env.log, "cannot write the terms file: %s; without it this node cannot take over twice",
			  strerror(t->error));
	(void)snprintf(t->trouble, sizeof(t->trouble), "the terms file cannot be written: %s", strerror(t->error));
	t->dirty = true;
	loop_timer_at(t->retry, mtime_add(clock_now(t->env.clock), RETRY_US));
}

static enum gw_err open_file(struct terms *t, const char *state_dir, struct ha_durable *found, struct err *e)
{
	uint8_t data[SLOTS][HA_SLOT_LEN];
	struct bytes slots[SLOTS];
	bool any = false;
	char path[4096];
	int best;

	if (snprintf(path, sizeof(path), "%s/terms", state_dir) >= (int)sizeof(path))
		return err_set(e, GW_EINVAL, "state_dir is too long");
	t->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t->fd < 0)
		return err_set(e, GW_EIO, "cannot open %s: %s", path, strerror(errno));
	for (int i = 0; i < SLOTS; i++) {
		ssize_t n = pread(t->fd, data[i], HA_SLOT_LEN, (off_t)i * SLOT_DISTANCE);

		any = any || n > 0;
		slots[i] = bytes_of(data[i], n > 0 ? (size_t)n : 0);
	}
	best = ha_slots_choose(slots, found, &t->serial);
	if (best < 0 && any)
		log_error(t->env.log, "%s is damaged: no term that this node had is known", path);
	t->slot = best == 0 ? 1 : 0;
	if (any)
		return GW_OK;
	/* Both blocks exist from the first start on, so a full disk cannot fail a later write. */
	for (int i = SLOTS - 1; i >= 0; i--) {
		int error = store(t->fd, i, found, t->serial + 1);

		if (error != 0)
			return err_set(e, GW_EIO, "cannot write %s: %s", path, strerror(error));
		t->serial++;
	}
	t->slot = 1;
	return GW_OK;
}

struct terms *terms_open(const struct env *env, struct loop *loop, const char *state_dir,
			 void (*done)(void *arg, const struct ha_durable *d), void *arg, struct ha_durable *found,
			 struct err *e)
{
	struct terms *t = calloc(1, sizeof(*t));

	*found = (struct ha_durable){ 0 };
	if (!t) {
		err_set(e, GW_ENOMEM, "out of memory");
		return NULL;
	}
	*t = (struct terms){ .env = *env, .loop = loop, .done = done, .arg = arg, .fd = -1 };
	t->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->retry = loop_timer_create(loop, on_retry, t);
	if (t->done_fd >= 0)
		t->told = loop_fd_create(loop, t->done_fd, LOOP_READ, on_written, t);
	if (!t->retry || !t->told)
		err_set(e, GW_ENOMEM, "terms: out of memory or descriptors");
	else if (open_file(t, state_dir, found, e) == GW_OK)
		return t;
	terms_close(t);
	return NULL;
}

void terms_close(struct terms *t)
{
	if (!t)
		return;
	if (t->writing)
		(void)pthread_join(t->writer, NULL);
	loop_fd_destroy(t->told);
	loop_timer_destroy(t->retry);
	if (t->done_fd >= 0)
		(void)close(t->done_fd);
	if (t->fd >= 0)
		(void)close(t->fd);
	free(t);
}

void terms_write(struct terms *t, const struct ha_durable *d)
{
	t->wanted = *d;
	t->dirty = true;
	start(t);
}

const char *terms_trouble(const struct terms *t)
{
	return t->trouble[0] ? t->trouble : NULL;
}
