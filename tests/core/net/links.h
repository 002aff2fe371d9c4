/* A network namespace of the test's own with a pair of Ethernet links, v0 and v1. */
#ifndef TESTS_CORE_NET_LINKS_H
#define TESTS_CORE_NET_LINKS_H

#include <sched.h>
#include <stdio.h>

#include "tests/check_main.h"

static inline void links_do(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

/* False: none may be made here. */
static inline bool links_make(void)
{
	if (unshare(CLONE_NEWNET) != 0 ||
	    system("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up") != 0) {
		puts("skipped: no network namespace may be made here");
		return false;
	}
	return true;
}

static inline int links_run(const char *name, void (*add)(TCase *t))
{
	TCase *t = tcase_create(name);

	add(t);
	return check_main(name, t);
}

#endif
