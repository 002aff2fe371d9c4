#include "ha/term.h"

#define MAGIC "gwterms1"

enum { CRC_AT = HA_SLOT_LEN - 4 };

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

void ha_slot_write(uint8_t out[HA_SLOT_LEN], const struct ha_durable *d, uint32_t serial)
{
	struct writer w = wr_of(out, HA_SLOT_LEN);

	wr_bytes(&w, bytes_str(MAGIC));
	wr_u32(&w, serial);
	wr_u32(&w, d->reserve);
	wr_u32(&w, d->owned);
	wr_u32(&w, d->incarnation);
	wr_zero(&w, 8);
	wr_u32(&w, crc32_of(wr_done(&w)));
}

bool ha_slot_read(struct bytes slot, struct ha_durable *d, uint32_t *serial)
{
	struct reader r = rd_of(slot);
	struct bytes magic = rd_bytes(&r, 8);

	*serial = rd_u32(&r);
	d->reserve = rd_u32(&r);
	d->owned = rd_u32(&r);
	d->incarnation = rd_u32(&r);
	rd_skip(&r, 8);
	return rd_u32(&r) == (slot.n >= HA_SLOT_LEN ? crc32_of(bytes_of(slot.p, CRC_AT)) : 0) && !r.bad &&
	       bytes_equal(magic, bytes_str(MAGIC));
}

int ha_slots_choose(const struct bytes slots[2], struct ha_durable *d, uint32_t *serial)
{
	int best = -1;

	*d = (struct ha_durable){ 0 };
	*serial = 0;
	for (int i = 0; i < 2; i++) {
		struct ha_durable one;
		uint32_t number;

		if (!ha_slot_read(slots[i], &one, &number) || (best >= 0 && number <= *serial))
			continue;
		best = i;
		*d = one;
		*serial = number;
	}
	return best;
}
