/*
 * A heartbeat on every path, made of what is known now. Two threads send: the one that hears and judges
 * (daemon/heartbeat.c), and its spare (daemon/heartbeat_spare.h). What they share stands here, without locks, so that
 * neither waits for the other, nor for the loop, wherever these are stopped.
 */
#ifndef DAEMON_HEARTBEAT_SEND_H
#define DAEMON_HEARTBEAT_SEND_H

#include <stdatomic.h>

#include "daemon/cell.h"
#include "daemon/heartbeat.h"
#include "daemon/pairkeys.h"

struct beat_keys {
	uint8_t key[2][PAIR_BEAT_KEY];
	int64_t until_us; /* of the second one */
};

struct beat_path {
	int fd; /* -1: none */
	struct endpoint local, remote;
};

/* Until the threads run, everything is the maker's; from then on only what is a cell or atomic changes. */
struct beat_shared {
	struct heartbeat_config cfg; /* path_count at most HEARTBEAT_PATHS */
	char cluster[HEARTBEAT_CLUSTER + 1];
	uint64_t boot;
	struct beat_path paths[HEARTBEAT_PATHS];
	struct cell say, key; /* struct heartbeat_says, struct beat_keys */
	_Atomic uint64_t peer_boot;
	_Atomic uint32_t known; /* the peer's incarnation */
	_Atomic uint64_t sequence;
	_Atomic int64_t alive_us; /* the loop was seen turning */
	_Atomic int64_t sent_us;  /* the last one, by whom ever */
	_Atomic int cpu;	  /* which processor the hearing thread sent on last; -1: not known */
	_Atomic uint64_t spared;  /* sent by the spare */
};

/* Of one thread: its own copies, which stay as they were while the other side writes. */
struct beat_voice {
	struct crypto *crypto;
	struct heartbeat_says says;
	struct beat_keys keys;
	uint64_t out;
	uint32_t send_errors[HEARTBEAT_PATHS];
};

void beat_send_all(struct beat_shared *sh, struct beat_voice *v, mtime now);

#endif
