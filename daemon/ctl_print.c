#include "daemon/ctl_print.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *unit_bytes(uint64_t n, char buf[UNIT_TEXT])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	uint64_t scale = 1;
	unsigned u = 0;

	while (n / scale >= 1000) {
		scale *= 1000;
		u++;
	}
	/* Rounded down: nobody has been sent more than it says. */
	if (u > 0 && n / scale < 100)
		(void)snprintf(buf, UNIT_TEXT, "%llu.%llu %s", (unsigned long long)(n / scale),
			       (unsigned long long)(n % scale / (scale / 10)), units[u]);
	else
		(void)snprintf(buf, UNIT_TEXT, "%llu %s", (unsigned long long)(n / scale), units[u]);
	return buf;
}

const char *unit_age(int64_t s, char buf[UNIT_TEXT])
{
	if (s < 0)
		(void)snprintf(buf, UNIT_TEXT, "-");
	else if (s < 60)
		(void)snprintf(buf, UNIT_TEXT, "%llds", (long long)s);
	else if (s < 3600)
		(void)snprintf(buf, UNIT_TEXT, "%lldm %llds", (long long)(s / 60), (long long)(s % 60));
	else if (s < 86400)
		(void)snprintf(buf, UNIT_TEXT, "%lldh %lldm", (long long)(s / 3600), (long long)(s / 60 % 60));
	else
		(void)snprintf(buf, UNIT_TEXT, "%lldd %lldh", (long long)(s / 86400), (long long)(s / 3600 % 24));
	return buf;
}

struct row {
	unsigned kind, cells;
	char *text[TABLE_COLUMNS]; /* owned */
};

struct table {
	struct table_kind kinds[TABLE_KINDS];
	struct row *rows; /* owned */
	size_t n, cap;
	bool failed;
};

struct table *table_create(const struct table_kind *kinds, unsigned count)
{
	struct table *t = calloc(1, sizeof(*t));

	for (unsigned i = 0; t && i < count && i < TABLE_KINDS; i++)
		t->kinds[i] = kinds[i];
	return t;
}

void table_destroy(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		for (unsigned k = 0; k < t->rows[i].cells; k++)
			free(t->rows[i].text[k]);
	free(t->rows);
	free(t);
}

void table_row(struct table *t, unsigned kind)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct row *bigger = realloc(t->rows, cap * sizeof(*bigger));

		if (!bigger) {
			t->failed = true;
			return;
		}
		t->rows = bigger;
		t->cap = cap;
	}
	memset(&t->rows[t->n], 0, sizeof(t->rows[0]));
	t->rows[t->n++].kind = kind;
}

void table_cell(struct table *t, const char *text)
{
	struct row *r;
	char *copy;

	if (t->failed || t->n == 0 || t->rows[t->n - 1].cells == TABLE_COLUMNS)
		return;
	r = &t->rows[t->n - 1];
	copy = strdup(text && *text ? text : "-");
	if (!copy) {
		t->failed = true;
		return;
	}
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	r->text[r->cells++] = copy;
}

void table_cellf(struct table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_cell(t, text);
}

bool table_empty(const struct table *t)
{
	return t->n == 0;
}

/* Characters rather than octets: names may be UTF-8. */
static unsigned width_of(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		if (((unsigned char)*text & 0xc0) != 0x80)
			n++;
	return n;
}

static bool right(const struct table_kind *k, unsigned column)
{
	return k->heads && column < k->columns && k->heads[column][0] == '>';
}

static const char *head(const struct table_kind *k, unsigned column)
{
	return right(k, column) ? k->heads[column] + 1 : k->heads[column];
}

static void print_cells(FILE *out, const struct table_kind *k, const unsigned *widths, const char *const *cells,
			unsigned n)
{
	fprintf(out, "%*s", (int)k->indent, "");
	for (unsigned i = 0; i < n; i++) {
		unsigned fill = widths[i] - width_of(cells[i]);

		if (right(k, i))
			fprintf(out, "%*s%s", (int)fill, "", cells[i]);
		else
			fprintf(out, "%s%*s", cells[i], i + 1 < n ? (int)fill : 0, "");
		if (i + 1 < n)
			fputs("  ", out);
	}
	fputc('\n', out);
}

bool table_print(const struct table *t, FILE *out, bool headers)
{
	unsigned widths[TABLE_KINDS][TABLE_COLUMNS] = { 0 };
	const char *heads[TABLE_COLUMNS];
	const struct table_kind *first = &t->kinds[0];

	if (t->failed)
		return false;
	headers = headers && first->heads;
	for (unsigned i = 0; headers && i < first->columns; i++) {
		heads[i] = head(first, i);
		widths[0][i] = width_of(heads[i]);
	}
	for (size_t i = 0; i < t->n; i++)
		for (unsigned k = 0; k < t->rows[i].cells; k++) {
			unsigned w = width_of(t->rows[i].text[k]), *most = &widths[t->rows[i].kind][k];

			*most = w > *most ? w : *most;
		}
	if (headers)
		print_cells(out, first, widths[0], heads, first->columns);
	for (size_t i = 0; i < t->n; i++) {
		const struct row *r = &t->rows[i];

		print_cells(out, &t->kinds[r->kind], widths[r->kind], (const char *const *)r->text, r->cells);
	}
	return fflush(out) == 0 && !ferror(out);
}
