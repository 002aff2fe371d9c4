/*
 * A gateway in the simulation: engine, pools and fake data plane, driven in the order that ike/ike.h asks for. Its data
 * plane answers after a random while. It can be replaced between any two messages: by an engine made from its encoded
 * state over the same data plane (gate_reincarnate), or by a standby that followed every turn and installs what it
 * knows into an empty data plane (gate_takeover), with or without the turn in hand.
 */
#ifndef TESTS_SIM_GATE_H
#define TESTS_SIM_GATE_H

#include "esp/fake.h"
#include "ike/ike.h"
#include "tests/sim/net.h"
#include "tests/sim/witness.h"

/* One engine with what belongs to it. */
struct gate_node {
	struct env *env; /* owned */
	struct ike *ike;
	struct pools *pools;
	struct dataplane *plane;
};

struct gate {
	const struct env *base; /* borrowed */
	struct net *net;	/* borrowed */
	struct settings *settings;
	struct gate_node active, standby;
	bool paired;		/* the standby follows */
	int64_t plane_delay_us; /* at most; 0: data plane answers within the turn */
	mtime plane_at;
	unsigned reincarnate; /* of 1000 turns */
	uint64_t kill_turn;   /* a takeover in this turn; 0: none */
	bool kill_early;      /* before the standby has it */
	unsigned takeover;    /* of 1000 turns: before its datagrams leave (half of them: before the standby has it) */
	uint64_t turns, lives, takeovers;
	uint64_t up, down, children_up, children_down, rekeyed, child_rekeyed, refused, moved;
	struct witness witness;
	char failure[320]; /* the first thing that went wrong; "": nothing */
};

/* Borrows all but the settings' reference, which it takes. False: out of memory. */
bool gate_init(struct gate *g, const struct env *base, struct net *net, struct settings *settings, bool paired);
void gate_clear(struct gate *g);
/* Any call into the engine is followed by this. */
void gate_turn(struct gate *g);
void gate_receive(struct gate *g, const struct datagram *d, uint8_t *bytes);
mtime gate_due(const struct gate *g);
void gate_tick(struct gate *g);
/* The engine hears what the data plane has carried. */
void gate_report(struct gate *g);
/* The engine's whole state, all SAs; *n octets, the caller's. */
uint8_t *gate_encode(struct gate *g, size_t *n);
/* False: not now, the data plane is at work. */
bool gate_reincarnate(struct gate *g);
void gate_takeover(struct gate *g);
uint64_t gate_stat(const struct gate *g, const char *name);
void gate_fail(struct gate *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
