/* Between daemon/programs and its process: messages of one program to itself, in host order, without versions. */
#ifndef DAEMON_PROGRAMS_WIRE_H
#define DAEMON_PROGRAMS_WIRE_H

#include "daemon/programs.h"

struct program_request {
	uint64_t id;
	uint8_t kind;
	uint32_t n;
	char input[PROGRAM_INPUT_MAX];
};

struct program_reply {
	uint64_t id;
	int32_t status; /* exit status, or errno when it was not started */
	int32_t signal; /* that ended it; 0: none */
	uint8_t started, timed_out;
};

const char *program_name(enum program kind);

#endif
