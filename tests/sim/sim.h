/*
 * The world of the simulated tests: one gateway, some clients, a network between them, one virtual clock and one seed.
 * Nothing in it waits: sim_run() plays an hour of two idle parties in a millisecond.
 *
 * The seed of a run is printed when it fails. From the environment: SIM_SEED=n plays that one only, SIM_MORE=n plays n
 * times as many, SIM_FROM=n adds n to all seeds (tools/soak.sh), SIM_ALL=1 goes on after a failure, SIM_LOG=1 shows the
 * gateway's log, the wire and, on failure, all SAs.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "tests/initiator/initiator.h"
#include "tests/sim/gate.h"
#include "tests/sim/net.h"

enum { SIM_CLIENTS = 24 };

struct sim_client {
	struct ini *ini; /* owned */
	struct ini_cfg cfg;
	struct addr addr;
	struct net_nat *nat; /* borrowed; NULL: none */
	char id[48];
	bool gone; /* expected to be down */
	unsigned roamed;
};

struct sim_clock {
	struct clock clock;
	mtime now;
};

struct sim {
	uint64_t seed;
	struct rng_seeded rng;
	struct sim_clock clock;
	struct log log;
	struct crypto *crypto; /* owned */
	struct env env;
	struct net net;
	struct gate gate;
	struct proposal_cfg ike_offer, esp_offer;
	struct selector all_v4, all_v6[2];
	struct sim_client clients[SIM_CLIENTS];
	size_t client_count;
	/* May replace or drop what arrives (false); NULL: nobody listens. */
	bool (*on_arrival)(struct sim *s, const struct datagram *d, uint8_t *bytes);
	void *arg;
	char failure[400]; /* "": nothing */
};

/* Lines of YAML for connections.main, pools and ike: what a test changes of the defaults in sim.c; NULL: nothing. */
struct sim_settings {
	const char *ike;   /* keys of `ike` */
	const char *local; /* value of `local`; NULL: {id: gw.example.org} */
	const char *conn;  /* keys of the connection */
	const char *child; /* keys of its child */
	const char *users; /* names under `users` */
	const char *more;  /* further connections */
	const char *pool;  /* ", key: value" for the pool `four` */
	const char *root;  /* further sections */
	bool no_pools;
};

/* Fails the test on errors. `paired`: with a standby. */
void sim_init(struct sim *s, uint64_t seed, const struct sim_settings *settings, bool paired);
void sim_clear(struct sim *s);
struct sim_client *sim_client_add(struct sim *s, bool behind_nat);
/* What clients offer from now on. */
void sim_offer(struct sim *s, const char *ike, const char *esp);
/* Only with another algorithm, key, selectors ... than the defaults: change c->cfg before. */
void sim_connect(struct sim *s, struct sim_client *c);

/* The client leaves for another address, behind a NAT of its own or not, and tells of it if it is up (MOBIKE). */
void sim_roam(struct sim *s, struct sim_client *c, bool behind_nat);

/* To the next event, but not beyond `until`; false: there is none. */
bool sim_step(struct sim *s, mtime until);
void sim_run(struct sim *s, int64_t us);
/* Until every client is idle (or down), the data plane and the network at rest and the gateway waits for nothing. */
bool sim_settle(struct sim *s, int64_t at_most_us);
/* After anything was done to a client or to the gateway by hand. */
void sim_flush(struct sim *s);
mtime sim_now(const struct sim *s);

/*
 * Both sides hold the same SAs, with the same keys and selectors; the data plane holds exactly the engine's; leases are
 * those of the clients. False: s->failure.
 */
bool sim_agree(struct sim *s);
/* Everything that both sides hold, to stderr. */
void sim_dump(struct sim *s);
/* All clients leave; then nothing is left anywhere. */
bool sim_leaves_nothing(struct sim *s);
void sim_fail(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The gateway's SA of a client; NULL: none that is up. */
const struct ike_sa *sim_sa(const struct sim *s, const struct sim_client *c);

/* Runs `play` with `count` seeds from `first` (or with SIM_SEED alone) and fails with the seed. */
void sim_seeds(const char *name, uint64_t first, unsigned count, void (*play)(struct sim *s, uint64_t seed));
/* Fails the test when something went wrong so far, naming the seed. */
void sim_check(struct sim *s);
#define sim_want(s, condition) \
	do { \
		if (!(condition)) \
			sim_fail(s, "line %d: %s", __LINE__, #condition); \
	} while (0)

#endif
