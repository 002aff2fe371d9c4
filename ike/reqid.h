/*
 * CHILD SAs by their reqid: those that follow each other by rekeys, and those of an identity that authenticates anew,
 * share one, and with it one policy in the data plane.
 */
#ifndef IKE_REQID_H
#define IKE_REQID_H

#include "ike/sa.h"

struct reqid {
	struct child_sa *children; /* linked by next_of_reqid; never empty */
	struct link link;
	uint32_t id;
};

/* Gives a CHILD SA its reqid, once; c->spi_in finds it in no other way. */
MUST_USE enum gw_err reqid_join(struct child_sa *c, uint32_t id);
void reqid_leave(struct child_sa *c); /* of one that never joined: nothing */
/* NULL: nobody has it. */
const struct reqid *reqid_find(const struct ike *ike, uint32_t id);
/* The CHILD SA with that SA in the data plane; NULL: none of ours. */
struct child_sa *reqid_child(const struct ike *ike, uint32_t id, const struct dp_sa_id *sa);

#endif
