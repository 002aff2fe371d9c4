/* Many clients: who is who by SPI, how many are busy, when they want to be called. */
#ifndef TESTS_LOAD_LOAD_CROWD_H
#define TESTS_LOAD_LOAD_CROWD_H

#include "load_net.h"
#include "tests/initiator/initiator.h"

enum load_job { JOB_UP, JOB_PROBE, JOB_CHILD, JOB_IKE, JOB_DOWN, JOB_WAIT };

struct load_client {
	struct ini *ini;    /* owned */
	struct ini_cfg cfg; /* a copy of the crowd's; with EAP the user is the client's own */
	struct load_source *source;
	char id[64];
	bool busy;
	mtime begun;
	uint32_t done_before, failed_before;
};

struct spi_slot {
	uint64_t spi; /* ours; 0: free */
	uint32_t client;
};

struct crowd {
	const struct env *env;	     /* borrowed */
	const struct ini_cfg *cfg;   /* borrowed */
	struct load_net *net;	     /* borrowed */
	struct load_client *clients; /* owned */
	size_t count, up;
	struct spi_slot *slots; /* owned; open addressing, entries are never taken out */
	size_t slot_count, slots_used;
	size_t busy, finished, failed, next;
	size_t send_failures, strangers, retries;
	mtime looked;
	uint32_t per_second; /* jobs that are begun; 0: as many as `in_flight` allows */
	uint32_t *took;	     /* owned: us, of those that are finished */
	size_t took_cap;
	char why[96]; /* of the last failure */
};

MUST_USE enum gw_err crowd_init(struct crowd *c, const struct env *env, const struct ini_cfg *cfg, struct load_net *net,
				size_t count, const struct endpoint *responder, const char *id_format);
void crowd_clear(struct crowd *c);
/*
 * `count` jobs, `in_flight` at a time, by the clients in turn (JOB_UP: by those that are not up); JOB_WAIT
 * only answers the responder, for `count` milliseconds. False: `patience_us`
 * passed without any of them being finished.
 */
bool crowd_run(struct crowd *c, enum load_job job, size_t count, size_t in_flight, int64_t patience_us);
/* How long the jobs of the last run took, in us: so many percent of them at most that (nearest rank). 0: none. */
uint32_t crowd_took(struct crowd *c, unsigned percent);

#endif
