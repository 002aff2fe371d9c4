/*
 * The data plane for tests, simulations and load: the databases and the rules of the userspace plane without packets.
 * It completes later, as all planes do: batches wait until fake_plane_run(), or until more than fake_plane_hold() wait.
 * Failures are made on request, everything is recorded, and traffic is played by calls. Single-threaded, and cheap
 * enough for 100,000 SAs. All functions below take the dataplane that fake_plane_create() made.
 */
#ifndef ESP_FAKE_H
#define ESP_FAKE_H

#include "core/env.h"
#include "esp/dataplane.h"

/* Borrows env (clock, rng). NULL when out of memory. Destroyed by ops->destroy. */
struct dataplane *fake_plane_create(const struct env *env, struct err *e);

/* ---- when batches are applied ---- */

/* Applies up to `max` waiting batches, oldest first; their completions can then be taken. Returns how many. */
size_t fake_plane_run(struct dataplane *dp, size_t max);
/* At most so many batches wait; a submit beyond applies the oldest. 0: each is applied at once. Default: no bound. */
void fake_plane_hold(struct dataplane *dp, size_t most);
size_t fake_plane_waiting(const struct dataplane *dp);
/* Called when there is something to take after there was nothing; perhaps from inside submit(): only make a note. */
void fake_plane_on_wake(struct dataplane *dp, void (*wake)(void *arg), void *arg);

/* ---- failures ---- */

/*
 * The next `times` ops of that kind fail with `result`, and their batch with them, undone as a whole. `spi`: only this
 * SPI (of policies: this reqid); 0: any. Several may be set; at most 16 at a time. times 0: takes such a wish back.
 */
void fake_plane_fail(struct dataplane *dp, enum dp_op_kind kind, uint32_t spi, enum gw_err result, unsigned times);
/* The next `times` submits are refused with `result` (GW_ENOMEM, GW_ELIMIT): no completion follows. */
void fake_plane_refuse(struct dataplane *dp, enum gw_err result, unsigned times);
/* What it says it can do; default: everything, windows up to 4096. */
void fake_plane_set_caps(struct dataplane *dp, const struct dp_caps *caps);

/* ---- inspection ---- */

size_t fake_plane_sa_count(const struct dataplane *dp);
size_t fake_plane_policy_count(const struct dataplane *dp);
bool fake_plane_is_open(const struct dataplane *dp);
/* As it is now: start is the position or the window's top, base the counters. Keys are borrowed while the SA lives. */
bool fake_plane_sa(const struct dataplane *dp, const struct dp_sa_id *id, struct dp_sa *out);
/* Its reqid and selectors, borrowed while the policy lives. */
bool fake_plane_policy(const struct dataplane *dp, uint32_t reqid, struct dp_policy *out);
/* The outbound SA that packets of this reqid leave by. */
bool fake_plane_newest_out(const struct dataplane *dp, uint32_t reqid, struct dp_sa_id *out);

/* One op of a batch that was applied, or that failed, in the order of things. */
struct fake_record {
	enum dp_op_kind kind;
	uint64_t token;
	enum gw_err result; /* of its batch */
	enum dp_dir dir;    /* SA ops */
	uint32_t spi;	    /* SA ops */
	uint32_t reqid;	    /* DP_SA_ADD and policies */
	uint64_t position;  /* start, fence or position */
};

enum { FAKE_RECORDS_KEPT = 4096 };
/* How many ops there have been; the last FAKE_RECORDS_KEPT of them can be read by number (0: the first ever). */
uint64_t fake_plane_recorded(const struct dataplane *dp);
bool fake_plane_record(const struct dataplane *dp, uint64_t number, struct fake_record *out);
/* Ops of one kind whose batch was applied. */
uint64_t fake_plane_applied(const struct dataplane *dp, enum dp_op_kind kind);

/* ---- traffic ---- */

/* n packets from inside for the policy `reqid`, through its newest SA. Returns how many left (shut, fence, no SA, no
 * policy). */
uint64_t fake_plane_send(struct dataplane *dp, uint32_t reqid, uint64_t n, uint64_t bytes_each);
/* An authentic packet from the peer; `from` NULL: from where the SA expects it. False: dropped. */
bool fake_plane_receive(struct dataplane *dp, uint32_t spi, uint64_t seq, const struct endpoint *from, uint64_t bytes);
/* Any event. False: the queue (1,024) is full. */
bool fake_plane_raise(struct dataplane *dp, const struct dp_event *event);

#endif
