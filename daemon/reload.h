/*
 * Reading gateway.yaml again while the gateway runs. The file is read, checked and compared in a thread of its own, so
 * that a big one does not stall the loop; what is right is put in force in one step, what is wrong changes nothing.
 * Then the standing SAs are gone through in slices, and those that the new settings do not provide for end. A dry run
 * does all of it but putting in force and ending, so it says exactly what a reload would do.
 *
 * One at a time. Belongs to the loop's thread.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include <jansson.h>

#include "core/err.h"

struct gateway;
struct reload;

/* NULL when out of memory or descriptors. */
struct reload *reload_create(struct gateway *g);
/* Waits for the thread. NULL is fine. */
void reload_destroy(struct reload *r);

/* GW_EBUSY: one is under way. GW_ECONFIG: there is no file to read. */
MUST_USE enum gw_err reload_start(struct reload *r, bool dry_run, struct err *e);
/* As SIGHUP asks: one that is under way is followed by another. Failures are logged. */
void reload_hangup(struct reload *r);
/* Standing SAs are gone through again: this node has become active and may speak now. */
void reload_review(struct reload *r);
bool reload_running(const struct reload *r);

/*
 * Of the last one that has ended. `e` is why not. *item (a new reference) says what it changed, or what is wrong with
 * the file; see docs/control-api.md.
 */
enum gw_err reload_result(const struct reload *r, json_t **item, struct err *e);

#endif
