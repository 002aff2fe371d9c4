/* Between daemon/programs and its process: messages of one program to itself, in host order, without versions. */
#ifndef DAEMON_PROGRAMS_WIRE_H
#define DAEMON_PROGRAMS_WIRE_H

#include "daemon/programs.h"

enum { PROGRAM_SETTINGS = PROGRAM_KINDS }; /* its input: struct program_settings */

_Static_assert(sizeof(struct program_settings) <= PROGRAM_INPUT_MAX, "settings do not fit into a request");

struct program_request {
	uint64_t id;
	uint8_t kind; /* enum program, or PROGRAM_SETTINGS */
	uint32_t n;
	char input[PROGRAM_INPUT_MAX];
};

/* Whether `n` octets that were received into `q` are a request: its own length, and a kind that there is. */
bool program_request_check(const struct program_request *q, size_t n);

struct program_reply {
	uint64_t id;
	int32_t status; /* exit status, or errno when it was not started */
	int32_t signal; /* that ended it; 0: none */
	uint8_t started, timed_out;
};

#endif
