/* The main program of a suite: test cases in one table. */
#ifndef TESTS_SIM_SUITE_H
#define TESTS_SIM_SUITE_H

#include <check.h>
#include <stdlib.h>

struct suite_test {
	const TTest *test;
	int loops; /* 0: once */
};

static inline int suite_run(const char *name, const struct suite_test *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *r;
	int failed;

	for (size_t i = 0; i < count; i++) {
		if (tests[i].loops)
			tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].loops);
		else
			tcase_add_test(tcase, tests[i].test);
	}
	suite_add_tcase(suite, tcase);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
