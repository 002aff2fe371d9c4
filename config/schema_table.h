#ifndef CONFIG_SCHEMA_TABLE_H
#define CONFIG_SCHEMA_TABLE_H
/* What the tables of keys (schema*.c) are written with. */
#include "config/schema.h"

#define SECOND SECONDS(1)
#define DAY (SECONDS(1) * 86400)

#define KEYS(table) .keys = (table), .count = ARRAY_LEN(table)
#define AT(type, member) .offset = offsetof(struct type, member)
#define LIST_AT(type, member, counter, more) \
	.flags = SCHEMA_LIST | (more), .offset = offsetof(struct type, member), \
	.count_offset = offsetof(struct type, counter)

#endif
