#include "core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 2048, /* of one message before escaping; the rest is cut */
	LINE_MAX_LEN = 8192,
	STAMP_LEN = 25, /* 2026-01-02T03:04:05.678Z and the NUL */
};

static const char *const level_names[] = {
	[LOG_LVL_ERROR] = "error", [LOG_LVL_WARN] = "warn",   [LOG_LVL_NOTICE] = "notice",
	[LOG_LVL_INFO] = "info",   [LOG_LVL_DEBUG] = "debug",
};

int log_level_parse(const char *name)
{
	for (int i = LOG_LVL_ERROR; i <= LOG_LVL_DEBUG; i++)
		if (strcmp(name, level_names[i]) == 0)
			return i;
	return -1;
}

const char *log_level_name(enum log_level level)
{
	if (level < LOG_LVL_ERROR || level > LOG_LVL_DEBUG)
		return "unknown";
	return level_names[level];
}

/*
 * Octets of the well-formed UTF-8 character at s (Unicode 15 table 3-7) that may be shown as it is; 0 when it has to be
 * escaped: stray octets, C1 controls, line separators, and what turns the direction of text around.
 */
static size_t shown_len(const unsigned char *s, size_t left)
{
	uint32_t c;
	size_t n;

	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (left < n)
		return 0;
	c = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (c < 0xa0 || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;
	return n;
}

static void put_escaped(struct writer *w, const char *text, bool json)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)text;
	size_t left = strlen(text), n;

	for (; left > 0; s += n, left -= n) {
		n = shown_len(s, left);
		if (n == 1 && json && (*s == '"' || *s == '\\'))
			wr_u8(w, '\\');
		if (n > 0) {
			wr_bytes(w, bytes_of(s, n));
			continue;
		}
		n = 1;
		if (*s == '\n' || *s == '\t' || *s == '\r') {
			wr_u8(w, '\\');
			wr_u8(w, *s == '\n' ? 'n' : *s == '\t' ? 't' : 'r');
			continue;
		}
		wr_bytes(w, bytes_str(json ? "\\u00" : "\\x"));
		wr_u8(w, (uint8_t)hex[*s >> 4]);
		wr_u8(w, (uint8_t)hex[*s & 15]);
	}
}

/* Without gmtime(3), which wants to read the zone files. Civil date of a day number: Hinnant, "chrono-compatible
 * low-level date algorithms". */
static void stamp(char out[STAMP_LEN], int64_t wall, const char *fraction)
{
	int64_t day = wall / 86400, sec = wall % 86400, z, era, doe, yoe, doy, mp, year;
	int month;

	if (sec < 0) {
		sec += 86400;
		day--;
	}
	z = day + 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	month = (int)(mp < 10 ? mp + 3 : mp - 9);
	year = yoe + era * 400 + (month <= 2);
	if (year < 0 || year > 9999)
		year = 0;
	(void)snprintf(out, STAMP_LEN, "%04u-%02u-%02uT%02u:%02u:%02u%sZ", (unsigned)year % 10000,
		       (unsigned)month % 100, (unsigned)(doy - (153 * mp + 2) / 5 + 1) % 100,
		       (unsigned)(sec / 3600) % 100, (unsigned)(sec / 60 % 60), (unsigned)(sec % 60), fraction);
}

/* To the millisecond, where the clock can tell. */
static void stamp_now(char out[STAMP_LEN], const struct clock *c)
{
	int64_t us = c->wall_us ? c->wall_us(c) : 0;
	char fraction[sizeof(".678")] = "";

	if (us <= 0) {
		stamp(out, c->wall(c), "");
		return;
	}
	(void)snprintf(fraction, sizeof(fraction), ".%03u", (unsigned)(us / 1000 % 1000));
	stamp(out, us / 1000000, fraction);
}

static void put_line(struct writer *w, const struct log *log, enum log_level level, const char *prefix,
		     const char *message)
{
	char when[STAMP_LEN] = "-", head[16];

	if (log->clock && log->format != LOG_JOURNAL)
		stamp_now(when, log->clock);
	switch (log->format) {
	case LOG_JSON:
		wr_bytes(w, bytes_str("{\"time\":\""));
		wr_bytes(w, bytes_str(when));
		wr_bytes(w, bytes_str("\",\"level\":\""));
		wr_bytes(w, bytes_str(log_level_name(level)));
		if (prefix && *prefix) {
			wr_bytes(w, bytes_str("\",\"sa\":\""));
			put_escaped(w, prefix, true);
		}
		wr_bytes(w, bytes_str("\",\"message\":\""));
		put_escaped(w, message, true);
		wr_bytes(w, bytes_str("\"}\n"));
		return;
	case LOG_JOURNAL:
		(void)snprintf(head, sizeof(head), "<%u>", (unsigned)level);
		break;
	case LOG_TEXT:
	default:
		wr_bytes(w, bytes_str(when));
		(void)snprintf(head, sizeof(head), " %-7s ", log_level_name(level));
		break;
	}
	wr_bytes(w, bytes_str(head));
	if (prefix && *prefix) {
		put_escaped(w, prefix, false);
		wr_bytes(w, bytes_str(": "));
	}
	put_escaped(w, message, false);
	wr_u8(w, '\n');
}

__attribute__((format(printf, 4, 0))) static void write_line(struct log *log, enum log_level level, const char *prefix,
							     const char *fmt, va_list ap)
{
	char message[MESSAGE_MAX], line[LINE_MAX_LEN], start[512];
	struct writer w = wr_of(line, sizeof(line));
	int saved = errno;
	size_t cut = sizeof(message);

	(void)vsnprintf(message, sizeof(message), fmt, ap);
	(void)snprintf(start, sizeof(start), "%s", prefix ? prefix : "");
	put_line(&w, log, level, start, message);
	/* Escapes may swell a text six times over: shorten it until the line is whole again, never break a line. */
	while (w.bad && cut > 64) {
		cut /= 2;
		message[cut - 1] = 0;
		w = wr_of(line, sizeof(line));
		put_line(&w, log, level, start, message);
	}
	if (log->sink) {
		log->sink(log->arg, level, line, w.n);
	} else {
		/* Nobody is left to be told when stderr is gone. */
		ssize_t ignored = write(STDERR_FILENO, line, w.n);

		(void)ignored;
	}
	errno = saved;
}

void log_line(struct log *log, enum log_level level, const char *prefix, const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(log, level))
		return;
	va_start(ap, fmt);
	write_line(log, level, prefix, fmt, ap);
	va_end(ap);
}

void log_line_always(struct log *log, enum log_level level, const char *prefix, const char *fmt, ...)
{
	va_list ap;

	if (!log)
		return;
	va_start(ap, fmt);
	write_line(log, level, prefix, fmt, ap);
	va_end(ap);
}

bool ratelimit_allow(struct ratelimit *r, mtime now, uint64_t *suppressed)
{
	const int64_t one = 1000000, full = (int64_t)r->burst * one;
	int64_t elapsed;

	if (!r->started) {
		r->started = true;
		r->tokens_us = full;
		r->last = now;
	}
	elapsed = mtime_since(r->last, now);
	if (elapsed > 0) {
		/* Tokens per second is millionths of a token per microsecond. */
		if (r->per_second > 0 && elapsed >= (full - r->tokens_us) / r->per_second + 1)
			r->tokens_us = full;
		else
			r->tokens_us += elapsed * r->per_second;
		r->last = now;
	}
	if (r->tokens_us < one) {
		r->suppressed++;
		return false;
	}
	r->tokens_us -= one;
	if (suppressed)
		*suppressed = r->suppressed;
	r->suppressed = 0;
	return true;
}
