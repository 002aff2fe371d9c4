/* Collecting what is wrong with a file. Problems come out sorted by position, whatever order they were found in. */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include "config/load.h"

/* Problems that are kept; the errors beyond are counted all the same, and one line says so. */
enum { REPORT_MAX = 200 };

struct mark {
	unsigned line, column; /* from 1; 0: the file as a whole */
};

void report_error(struct config_report *r, struct mark at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void report_warning(struct config_report *r, struct mark at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
