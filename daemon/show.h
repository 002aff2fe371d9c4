/* Engine objects as JSON, in the schema of docs/control-api.md: fields are added, never renamed. */
#ifndef DAEMON_SHOW_H
#define DAEMON_SHOW_H

#include <jansson.h>

#include "core/env.h"
#include "esp/dataplane.h"
#include "ike/ike.h"

/* All borrowed. */
struct show {
	const struct env *env;
	struct dataplane *dp; /* counters; NULL: none */
};

/* Each returns a new reference, or NULL when out of memory. */
json_t *show_sa(const struct show *s, const struct ike_sa *sa);
json_t *show_conn(const struct conn_cfg *c, size_t sas, size_t children);
json_t *show_pool(const struct pools *pools, const struct pool_cfg *p);
json_t *show_lease(const struct show *s, const struct lease *l);

/* A JSON string of any octets: what is not UTF-8 comes as \xNN. */
json_t *show_text(const char *text);
/* 2026-01-02T03:04:05Z */
json_t *show_time(int64_t wall);

/* What users mean by the identity of a peer: who it is, or, before it is authenticated, none. */
const char *show_identity(const struct ike_sa *sa, char buf[160]);
/* The SA stands for something that users know: it is being made, or up, or on its way out with the peer's knowledge. */
json_t *show_inner(const struct ike_sa *sa); /* a list of addresses */
bool show_visible(const struct ike_sa *sa);

#endif
