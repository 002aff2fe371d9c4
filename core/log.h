/*
 * Log lines. Every line about an SA begins with its prefix (`alice@example.org #12`), made by one function of ike/sa, so
 * `grep '#12'` tells a whole life. notice: up, down, takeover. info: rekey, refused peer with the reason. debug: messages.
 * Never a key, PSK or EAP secret at any level. What a stranger can trigger goes through a ratelimit.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/clock.h"
#include "core/err.h"

enum log_level {
	LOG_LVL_ERROR = 3, /* syslog's numbers */
	LOG_LVL_WARN = 4,
	LOG_LVL_NOTICE = 5,
	LOG_LVL_INFO = 6,
	LOG_LVL_DEBUG = 7,
};

enum log_format {
	LOG_TEXT,    /* 2026-01-02T03:04:05Z notice  alice #12: text; struct clock has whole seconds */
	LOG_JSON,    /* one object a line: {"time":"...","level":"notice","sa":"alice #12","message":"..."} */
	LOG_JOURNAL, /* "<5>alice #12: text": for journald, which has the time */
};

struct log {
	enum log_level level; /* lines above are not made */
	enum log_format format;
	const struct clock *clock; /* borrowed */
	/* Takes one finished line with its newline. NULL: stderr, one write(2) a line. */
	void (*sink)(void *arg, enum log_level level, const char *line, size_t n);
	void *arg;
};

/* "error".."debug"; -1 when unknown. */
int log_level_parse(const char *name);
const char *log_level_name(enum log_level level);

/*
 * One line. `prefix` NULL or "" for none. Control characters and newlines in the text are shown escaped (foreign
 * identities get in here). `log` NULL: nothing.
 */
void log_line(struct log *log, enum log_level level, const char *prefix, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Likewise whatever the log's level is: for one whose lines are wanted more than others. */
void log_line_always(struct log *log, enum log_level level, const char *prefix, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#define log_error(log, ...) log_line(log, LOG_LVL_ERROR, NULL, __VA_ARGS__)
#define log_warn(log, ...) log_line(log, LOG_LVL_WARN, NULL, __VA_ARGS__)
#define log_notice(log, ...) log_line(log, LOG_LVL_NOTICE, NULL, __VA_ARGS__)
#define log_info(log, ...) log_line(log, LOG_LVL_INFO, NULL, __VA_ARGS__)
#define log_debug(log, ...) log_line(log, LOG_LVL_DEBUG, NULL, __VA_ARGS__)

static inline bool log_wants(const struct log *log, enum log_level level)
{
	return log && level <= log->level;
}

/* At most `burst` lines at once, refilled at `per_second`. Zero-initialised apart from the two numbers. */
struct ratelimit {
	uint32_t per_second, burst;
	int64_t tokens_us; /* tokens in millionths */
	mtime last;
	uint64_t suppressed; /* since the last one let through */
	bool started;
};

/* True: go on; *suppressed (may be NULL) is how many were swallowed since the last true. */
bool ratelimit_allow(struct ratelimit *r, mtime now, uint64_t *suppressed);

#endif
