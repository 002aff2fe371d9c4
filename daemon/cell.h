#ifndef DAEMON_CELL_H
#define DAEMON_CELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CELL_WORDS = 64 };

/*
 * A value that one thread writes and another reads, without locks: the loop may be stopped in the middle of writing,
 * and the heartbeat must not wait for it (it then goes on with what it had).
 */
struct cell {
	_Atomic uint32_t seq; /* odd: being written */
	_Atomic uint64_t w[CELL_WORDS];
};

/* `n` octets, at most 8 * CELL_WORDS. Of one thread only. */
void cell_put(struct cell *c, const void *from, size_t n);
/* False: it is being written, and `to` is as it was. What is read is one put, never parts of two. */
bool cell_get(const struct cell *c, void *to, size_t n);

#endif
