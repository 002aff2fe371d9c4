/* Text for people: aligned tables, human units. Columns are as wide as their widest cell; nothing is cut. */
#ifndef DAEMON_CTL_PRINT_H
#define DAEMON_CTL_PRINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { UNIT_TEXT = 48 };
/* "999 B", "1.2 kB", "12.3 MB", "123 MB": three digits, powers of 1000. */
const char *unit_bytes(uint64_t n, char buf[UNIT_TEXT]);
/* "3s", "4m 12s", "1h 2m", "3d 4h"; negative: "-". */
const char *unit_age(int64_t seconds, char buf[UNIT_TEXT]);

enum { TABLE_COLUMNS = 20, TABLE_KINDS = 2 };

/* Rows of one or two kinds (an SA and, indented beneath, its children), each kind with columns of its own. */
struct table;

struct table_kind {
	const char *const *heads; /* NULL: no header line. A head that begins with '>' is of a right-aligned column */
	unsigned columns;
	unsigned indent;
};

struct table *table_create(const struct table_kind *kinds, unsigned count);
void table_destroy(struct table *t);
/* Begins a row; cells follow, missing ones are empty. */
void table_row(struct table *t, unsigned kind);
/* Copied; control characters become '?'. NULL or "": "-". */
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool table_empty(const struct table *t);
/* False: out of memory on the way here, or the output could not be written. */
bool table_print(const struct table *t, FILE *out, bool headers);

#endif
