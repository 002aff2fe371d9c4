/* Texts compared with patterns, ASCII letters with or without case. */
#ifndef CORE_GLOB_H
#define CORE_GLOB_H

#include "core/bytes.h"

/* '*' stands for any run of octets. The work is bounded by pattern times text. */
bool glob_matches(struct bytes pattern, struct bytes text, bool any_case);
/* A letter A to Z without case. */
static inline uint8_t text_fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}
bool text_same(struct bytes a, struct bytes b, bool any_case);

#endif
