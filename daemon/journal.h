/*
 * What happened: one record at the end of each session, and events for whoever watches (`gatewayctl monitor`). Both are
 * JSON lines; docs/control-api.md has their keys.
 *
 * Session records are appended to `sessions.file` (opened for each, so it may be rotated at any time), or else logged.
 * Events wait in one ring for all watchers: its memory is bounded, and who reads too slowly is told how many it missed.
 */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H

#include <jansson.h>

#include "daemon/control.h"
#include "ike/ike.h"

struct gateway;
struct journal;

enum { JOURNAL_EVENTS = 1024 };

/* NULL when out of memory. */
struct journal *journal_create(struct gateway *g);
void journal_destroy(struct journal *j); /* NULL is fine */

/* Before operations of the IKE engine go to the data plane: what SAs have carried that are about to go. */
void journal_removing(struct journal *j, const struct dp_op *ops, size_t n);
/* What the IKE engine reports. */
void journal_heed(struct journal *j, const struct ike_event *ev);
/* Anything else, as {"event":"kind", ...}: takes the reference; NULL is fine. */
void journal_event(struct journal *j, const char *kind, json_t *members);

/* The command `monitor`. */
enum gw_err journal_monitor(void *ctx, struct control_call *call);

#endif
