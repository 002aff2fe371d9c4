/*
 * Two gateways in the simulation, as the daemon will wire them: engine, pools, fake data plane and ha each; a sync link
 * that takes its time and can be cut, heartbeats on two paths, one virtual address that the clients of the world talk
 * to. Nodes are killed, stopped and woken, at any boundary of what they do, and come back empty.
 *
 * A checker sees every outbound (SA, sequence number) of both nodes, and every IKE message (witness.h).
 */
#ifndef TESTS_SIM_DUO_H
#define TESTS_SIM_DUO_H

#include "ha/ha.h"
#include "tests/sim/sim.h"

enum { DUO_NODES = 2 };

/* Where a node dies, when it has come there often enough. */
enum duo_point {
	POINT_NONE,
	POINT_BEFORE_REPLICATE, /* changed, and told nobody */
	POINT_REPLICATED,	/* told the standby; nothing acknowledged, nothing sent */
	POINT_ACKNOWLEDGED,	/* the standby has it; nothing sent */
	POINT_SENT,
	POINT_KINDS,
};

struct duo_segment {
	struct duo_segment *next;
	mtime at;
	size_t n;
	uint8_t data[];
};

struct duo_node {
	struct env env;
	struct gate_node g; /* of a living one */
	struct ha *ha;
	bool alive, stopped; /* SIGKILL, SIGSTOP */
	bool hung;	     /* only its loop: heartbeats go on */
	bool address;	     /* answers for the virtual one */
	bool service_down, beats_cut;
	bool mute; /* its heartbeats do not arrive */
	bool former;
	bool exposes; /* as its heartbeats said */
	struct ha_durable durable;
	struct watch_view view;
	struct duo_segment *in, **in_tail; /* of the sync link, on their way here */
	mtime arrived;			   /* the last of them */
	mtime plane_at, hung_since, reborn;
	uint32_t promotions, demotions, behind;
};

struct duo_used;

struct duo {
	struct sim *sim;
	struct duo_node nodes[DUO_NODES];
	bool linked, link_cut;
	mtime link_at, beat_at;
	int64_t link_delay_us, link_jitter_us, plane_delay_us;
	int64_t pace_us;    /* between heartbeats */
	int64_t rebirth_us; /* a killed node comes back after that; 0: never */
	uint64_t block;	    /* sequence numbers granted at a time; 0: default */
	bool power;	    /* killed nodes do not close their connection */
	enum duo_point point;
	unsigned countdown; /* 0: nobody dies */
	unsigned passed[POINT_KINDS];
	unsigned deaths;
	struct addr quiet; /* of a client to whom nothing is sent; family 0: none */
	uint64_t highest;  /* number that was used */
	uint64_t jump;	   /* the most numbers that were left out on an SA in one place */
	uint64_t lives, refused, rekeys_asked, doubted, sent_packets, closed_links;
	struct witness witness;
	struct duo_used *used;	      /* owned */
	bool forgetful;		      /* what an active node wants on disk never gets there */
	size_t verified, differences; /* comparisons that came to an end; what they found */
	bool strict;		      /* replay: strict */
	bool former[DUO_NODES];	      /* nodes of the former format, which add fields that nobody knows */
	bool deaf;		      /* no heartbeats on any path */
	bool split;		      /* two owners are expected */
};

/* Takes over the world's clients and network; s->gate stays idle. Nodes start, and one becomes active. */
void duo_init(struct duo *d, struct sim *s);
/* With a heartbeat every `pace_us` only, and all that goes with it: for long runs. */
void duo_init_paced(struct duo *d, struct sim *s, int64_t pace_us);
void duo_clear(struct duo *d);
bool duo_step(struct duo *d, mtime until);
void duo_run(struct duo *d, int64_t us);
/* Until clients, network, nodes and link are at rest and one node is active. */
bool duo_settle(struct duo *d, int64_t at_most_us);
void duo_kill(struct duo *d, struct duo_node *n);
void duo_start(struct duo *d, struct duo_node *n);
/* SIGSTOP and SIGCONT. */
void duo_stop(struct duo *d, struct duo_node *n);
void duo_continue(struct duo *d, struct duo_node *n);
void duo_cut_link(struct duo *d, bool cut);
/* After anything was done to a client or a node by hand. */
void duo_flush(struct duo *d);
/* The one that has the address and is active; NULL: none. */
struct duo_node *duo_owner(struct duo *d);
struct duo_node *duo_other(struct duo *d, const struct duo_node *n);
bool duo_synced(struct duo *d);
/* Until the standby holds all. */
bool duo_wait_synced(struct duo *d, int64_t at_most_us);
/* Some packets out of every outbound SA of every node whose plane lets them: checked. */
void duo_traffic(struct duo *d, uint64_t packets);
/* sim_agree() with the owner in the place of the gateway; and the standby has the same. */
bool duo_agree(struct duo *d);

#endif
