/* The main program of a suite: test cases in one table. */
#ifndef TESTS_SIM_SUITE_H
#define TESTS_SIM_SUITE_H

#include "tests/check_main.h"

struct suite_test {
	const TTest *test;
	int loops; /* 0: once */
};

static inline int suite_run(const char *name, const struct suite_test *tests, size_t count)
{
	TCase *tcase = tcase_create(name);

	for (size_t i = 0; i < count; i++) {
		if (tests[i].loops)
			tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].loops);
		else
			tcase_add_test(tcase, tests[i].test);
	}
	return check_main(name, tcase);
}

#endif
