/*
 * Terms on disk (DESIGN.md §4). A term counts ownership changes; a node makes its next one durable beforehand, so that
 * a promotion writes nothing. Two checksummed slots are overwritten in turn, so that whatever instant the power fails
 * in, one is whole. This is what stands in a slot; files are daemon/'s.
 */
#ifndef HA_TERM_H
#define HA_TERM_H

#include "ha/ha.h"

enum { HA_SLOT_LEN = 36 };

void ha_slot_write(uint8_t out[HA_SLOT_LEN], const struct ha_durable *d, uint32_t serial);
/* False: not whole. */
bool ha_slot_read(struct bytes slot, struct ha_durable *d, uint32_t *serial);
/* Of two slots (empty bytes: missing) the newer whole one; returns its number, -1: none, *d is zero. */
int ha_slots_choose(const struct bytes slots[2], struct ha_durable *d, uint32_t *serial);

#endif
