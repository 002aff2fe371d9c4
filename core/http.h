/*
 * HTTP GET on the loop, for files that prove themselves (lists of revoked certificates): no TLS, no redirects, no
 * cookies, nothing kept between requests. Names are resolved on the loop too, so nothing of it ever blocks. With
 * core/loop.c and core/loop_base.h the only place that knows libevent.
 */
#ifndef CORE_HTTP_H
#define CORE_HTTP_H

#include "core/bytes.h"
#include "core/loop.h"

struct http_get;

enum { HTTP_HEADERS_MAX = 16384 };

/*
 * `done` is called once, never before this returns: with the body of an answer 200 of at most `max` octets, or an error
 * and its text (GW_EIO, GW_ELIMIT, GW_EBUSY: `timeout_us` for all of it is over). Both are borrowed for the call; the
 * request is gone after it. GW_EINVAL: not an http:// URL; GW_ENOMEM.
 */
MUST_USE enum gw_err http_get(struct loop *loop, const char *url, size_t max, int64_t timeout_us,
			      void (*done)(void *arg, enum gw_err result, struct bytes body, const char *text),
			      void *arg, struct http_get **out, struct err *e);
/* `done` is not called any more. From within it, or after it: not allowed. */
void http_cancel(struct http_get *g);

#endif
