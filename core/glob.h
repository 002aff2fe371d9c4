/* Texts compared with patterns, ASCII letters with or without case. */
#ifndef CORE_GLOB_H
#define CORE_GLOB_H

#include "core/bytes.h"

/* '*' stands for any run of octets. The work is bounded by pattern times text. */
bool glob_matches(struct bytes pattern, struct bytes text, bool any_case);
bool text_same(struct bytes a, struct bytes b, bool any_case);

#endif
