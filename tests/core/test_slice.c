/* Short slices: asked for by one thread, had by those that it makes. */
#include "core/slice.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/check_main.h"

struct attr { /* sched_getattr(2) */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

static struct attr attr_of_this(void)
{
	struct attr attr = { .size = sizeof(attr) };

	ck_assert_int_eq(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
	return attr;
}

static void *look(void *arg)
{
	*(struct attr *)arg = attr_of_this();
	return NULL;
}

START_TEST(threads_inherit_it_and_nothing_else_changes)
{
	struct attr before, after, child;
	pthread_t thread;
	bool had;

	ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 3), 0);
	before = attr_of_this();
	had = slice_short();
	after = attr_of_this();
	ck_assert_int_eq(pthread_create(&thread, NULL, look, &child), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(after.policy, before.policy);
	ck_assert_int_eq(after.nice, 3);
	/* Where the kernel has none it says so. */
	ck_assert_int_eq(had, after.runtime_ns == 100000);
	ck_assert_uint_eq(child.runtime_ns, after.runtime_ns);
	ck_assert_int_eq(child.nice, 3);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("slice");

	tcase_add_test(t, threads_inherit_it_and_nothing_else_changes);
	return check_main("slice", t);
}
