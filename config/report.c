#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What stands in a file comes back on somebody's terminal. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static bool before(const struct config_problem *a, struct mark b)
{
	/* Line 0 stands for the whole file: last. */
	unsigned line = a->line ? a->line : UINT32_MAX, other = b.line ? b.line : UINT32_MAX;

	return line < other || (line == other && a->column <= b.column);
}

static void insert(struct config_report *r, struct mark at, bool warning, const char *text)
{
	struct config_problem *items = realloc(r->items, (r->count + 1) * sizeof(*items));
	size_t i;

	if (!items)
		return;
	r->items = items;
	for (i = r->count; i > 0 && !before(&items[i - 1], at); i--)
		items[i] = items[i - 1];
	items[i] = (struct config_problem){ at.line, at.column, warning, strdup(text) };
	r->count++;
}

__attribute__((format(printf, 4, 0))) static void add(struct config_report *r, struct mark at, bool warning,
						      const char *fmt, va_list ap)
{
	char text[1024];

	if (!warning)
		r->errors++;
	if (r->count > REPORT_MAX)
		return;
	if (r->count == REPORT_MAX) {
		insert(r, (struct mark){ 0, 0 }, true, "too many problems, the rest is not shown");
		return;
	}
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	make_printable(text);
	insert(r, at, warning, text);
}

void report_error(struct config_report *r, struct mark at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, at, false, fmt, ap);
	va_end(ap);
}

void report_warning(struct config_report *r, struct mark at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, at, true, fmt, ap);
	va_end(ap);
}

const char *config_problem_text(const struct config_report *r, size_t i, char *buf, size_t n)
{
	const struct config_problem *p = &r->items[i];
	const char *file = r->file ? r->file : "gateway.yaml";
	const char *kind = p->warning ? "warning" : "error";
	const char *text = p->text ? p->text : "out of memory";

	if (p->line == 0)
		(void)snprintf(buf, n, "%s: %s: %s", file, kind, text);
	else
		(void)snprintf(buf, n, "%s:%u:%u: %s: %s", file, p->line, p->column, kind, text);
	return buf;
}

void config_report_clear(struct config_report *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->items[i].text);
	free(r->items);
	free(r->file);
	*r = (struct config_report){ 0 };
}
