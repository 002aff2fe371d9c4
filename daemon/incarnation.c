#include "daemon/incarnation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* 2026-01-01T00:00:00Z */
#define EPOCH_2026 INT64_C(1767225600)
#define MAGIC "gwincarn"

enum {
	SLOTS = 2,
	SLOT_DISTANCE = 4096, /* a torn write spoils one block, hence one slot */
	SLOT_LEN = 24,	      /* magic 8 | format 4 | number 4 | reserved 4 | CRC-32 4 */
	SLOT_CRC_AT = SLOT_LEN - 4,
	FORMAT = 1,
};

static uint32_t crc32_of(struct bytes b)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < b.n; i++) {
		crc ^= b.p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (UINT32_C(0xedb88320) & (0 - (crc & 1)));
	}
	return ~crc;
}

static bool slot_parse(struct bytes slot, uint32_t *number)
{
	struct reader r = rd_of(slot);
	struct bytes magic = rd_bytes(&r, 8);
	uint32_t format = rd_u32(&r);

	*number = rd_u32(&r);
	(void)rd_u32(&r);
	return rd_u32(&r) == crc32_of(bytes_of(slot.p, SLOT_CRC_AT)) && !r.bad && format == FORMAT &&
	       bytes_equal(magic, bytes_str(MAGIC));
}

static void slot_write(uint8_t out[SLOT_LEN], uint32_t number)
{
	struct writer w = wr_of(out, SLOT_LEN);

	wr_bytes(&w, bytes_str(MAGIC));
	wr_u32(&w, FORMAT);
	wr_u32(&w, number);
	wr_u32(&w, 0);
	wr_u32(&w, crc32_of(wr_done(&w)));
}

/* The greatest whole slot; -1: none. */
static int slots_read(int fd, uint32_t *number, bool *any_bytes)
{
	int best = -1;

	*any_bytes = false;
	for (int i = 0; i < SLOTS; i++) {
		uint8_t slot[SLOT_LEN];
		ssize_t n = pread(fd, slot, sizeof(slot), (off_t)i * SLOT_DISTANCE);
		uint32_t found;

		if (n > 0)
			*any_bytes = true;
		if (n != SLOT_LEN || !slot_parse(bytes_of(slot, SLOT_LEN), &found))
			continue;
		if (best < 0 || found > *number) {
			best = i;
			*number = found;
		}
	}
	return best;
}

static enum gw_err store(int fd, int slot, uint32_t number, struct err *e)
{
	uint8_t data[SLOT_LEN];

	slot_write(data, number);
	if (pwrite(fd, data, sizeof(data), (off_t)slot * SLOT_DISTANCE) != SLOT_LEN || fdatasync(fd) != 0)
		return err_set(e, GW_EIO, "cannot write the incarnation file: %s", strerror(errno));
	return GW_OK;
}

static enum gw_err take_next(struct incarnation *out, const struct clock *clock, struct err *e)
{
	int64_t wall = clock->wall(clock);
	uint32_t last = 0, minutes = wall > EPOCH_2026 ? (uint32_t)((wall - EPOCH_2026) / 60) : 0;
	bool any;
	int slot = slots_read(out->fd, &last, &any);

	out->damaged = slot < 0 && any;
	if (minutes > last)
		last = minutes;
	if (last + 1 >= UINT32_C(1) << INCARNATION_BITS)
		return err_set(e, GW_ELIMIT, "incarnation numbers are used up (is the clock right?)");
	/* Both blocks exist from the first start on, so a full disk cannot fail a later one. */
	if (!any)
		TRY(store(out->fd, 1, 0, e));
	TRY(store(out->fd, slot == 0 ? 1 : 0, last + 1, e));
	out->number = last + 1;
	return GW_OK;
}

enum gw_err incarnation_take(const char *state_dir, const struct clock *clock, struct incarnation *out, struct err *e)
{
	char path[4096];
	enum gw_err r;

	*out = (struct incarnation){ .fd = -1 };
	if (snprintf(path, sizeof(path), "%s/incarnation", state_dir) >= (int)sizeof(path))
		return err_set(e, GW_EINVAL, "state_dir is too long");
	out->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out->fd < 0)
		return err_set(e, GW_EIO, "cannot open %s: %s", path, strerror(errno));
	if (flock(out->fd, LOCK_EX | LOCK_NB) != 0) {
		incarnation_release(out);
		return err_set(e, GW_EBUSY, "%s is in use: another gatewayd runs with this state_dir", state_dir);
	}
	r = take_next(out, clock, e);
	if (r != GW_OK)
		incarnation_release(out);
	return r;
}

enum gw_err incarnation_raise(struct incarnation *i, uint32_t number, struct err *e)
{
	uint32_t last = 0;
	bool any;
	int slot = slots_read(i->fd, &last, &any);

	if (number >= UINT32_C(1) << INCARNATION_BITS)
		return err_set(e, GW_EINVAL, "%u is no incarnation", number);
	return slot >= 0 && last >= number ? GW_OK : store(i->fd, slot == 0 ? 1 : 0, number, e);
}

void incarnation_release(struct incarnation *i)
{
	if (i->fd >= 0)
		close(i->fd);
	i->fd = -1;
}
