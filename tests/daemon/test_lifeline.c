/* A thread's end is seen while its process lives on. */
#include "daemon/lifeline.h"

#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/check_main.h"

static struct lifeline *life;
static int ready[2], go[2];

static void setup(void)
{
	life = mmap(NULL, sizeof(*life), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(life, MAP_FAILED);
	ck_assert_int_eq(lifeline_init(life), GW_OK);
	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(go), 0);
}

static void teardown(void)
{
	(void)munmap(life, sizeof(*life));
	(void)close(ready[0]);
	(void)close(ready[1]);
	(void)close(go[0]);
	(void)close(go[1]);
}

static void *linger(void *arg)
{
	const struct timespec t = { 20, 0 };

	(void)nanosleep(&t, NULL);
	return arg;
}

/* A process whose main thread holds it; `leaves`: and ends soon, while another one goes on. */
static pid_t holder(bool leaves)
{
	pid_t pid = fork();
	pthread_t other;
	char c;

	if (pid == 0) {
		lifeline_hold(life);
		if (pthread_create(&other, NULL, linger, NULL) != 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		if (leaves && read(go[0], &c, 1) == 1)
			pthread_exit(NULL);
		(void)linger(NULL);
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	return pid;
}

static bool seen(const struct lifeline_watch *w, int ms)
{
	struct pollfd f = { .fd = lifeline_fd(w), .events = POLLIN };

	return poll(&f, 1, ms) == 1;
}

START_TEST(a_killed_one_is_seen)
{
	pid_t pid = holder(false);
	struct lifeline_watch *w = lifeline_watch(life);
	int status;

	ck_assert_ptr_nonnull(w);
	ck_assert(!seen(w, 50));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert(seen(w, 5000));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	lifeline_unwatch(w);
}
END_TEST

START_TEST(before_its_process_has_ended)
{
	pid_t pid = holder(true);
	struct lifeline_watch *w = lifeline_watch(life);
	int status;

	ck_assert_ptr_nonnull(w);
	ck_assert_int_eq(write(go[1], "x", 1), 1);
	ck_assert(seen(w, 5000));
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	(void)kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	lifeline_unwatch(w);
}
END_TEST

/* The word says that somebody lives, and nobody will ever say otherwise: the watch ends all the same. */
START_TEST(the_memory_is_scribbled_on)
{
	pid_t pid = holder(false);
	struct lifeline_watch *w = lifeline_watch(life);
	int status;

	ck_assert_ptr_nonnull(w);
	life->held.__data.__lock = 1 | (int)FUTEX_WAITERS;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(!seen(w, 50));
	lifeline_unwatch(w);
}
END_TEST

START_TEST(nobody_holds_it)
{
	pid_t pid;
	int status;

	ck_assert_ptr_null(lifeline_watch(life));
	ck_assert_int_eq(lifeline_fd(NULL), -1);
	lifeline_unwatch(NULL);
	/* Dead before anybody watched; and made anew for the next one. */
	pid = holder(false);
	(void)kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_ptr_null(lifeline_watch(life));
	ck_assert_int_eq(lifeline_init(life), GW_OK);
	pid = holder(false);
	(void)kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("lifeline");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_killed_one_is_seen);
	tcase_add_test(t, before_its_process_has_ended);
	tcase_add_test(t, the_memory_is_scribbled_on);
	tcase_add_test(t, nobody_holds_it);
	return check_main("lifeline", t);
}
