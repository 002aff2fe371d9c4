/* Programs run by a process of its own, as the daemon asks for them. */
#include "daemon/programs.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon_check.h"

#define TIMEOUT_US MILLISECONDS(400)

static struct env env;
static struct kept_log kept;
static struct loop *loop;
static char *dir;
static char role[64], fence[64];
static int fd;
static struct programs *programs;

static void script(const char *path, const char *text)
{
	file_put(path, text);
	ck_assert_int_eq(chmod(path, 0700), 0);
}

static void begin(const char *role_text, const char *fence_text)
{
	const char *const paths[PROGRAM_KINDS] = { role, fence };
	struct err e = { 0 };

	if (role_text)
		script(role, role_text);
	if (fence_text)
		script(fence, fence_text);
	ck_assert_int_eq(programs_fork(paths, TIMEOUT_US, &fd, &e), GW_OK);
	programs = programs_create(&env, loop, fd, 7);
	ck_assert_ptr_nonnull(programs);
}

static void setup(void)
{
	struct err e = { 0 };

	kept_log_init(&kept);
	env = (struct env){ .clock = clock_system(), .log = &kept.log };
	loop = loop_create(env.clock, &e);
	dir = scratch_make();
	(void)snprintf(role, sizeof(role), "%s/role", dir);
	(void)snprintf(fence, sizeof(fence), "%s/fence", dir);
}

static void teardown(void)
{
	programs_destroy(programs);
	programs = NULL;
	ck_assert_int_eq(close(fd), 0);
	loop_destroy(loop);
	scratch_remove(dir);
}

struct outcome {
	unsigned calls;
	bool ok;
	char text[100];
};

static void on_done(void *arg, bool ok, const char *text)
{
	struct outcome *o = arg;

	o->calls++;
	o->ok = ok;
	(void)snprintf(o->text, sizeof(o->text), "%s", text);
}

static struct outcome ask(enum program kind, const char *input)
{
	struct outcome o = { 0 };
	struct err e = { 0 };

	ck_assert_msg(programs_run(programs, kind, input, on_done, &o, &e) == GW_OK, "%s", e.text);
	while (o.calls == 0)
		loop_turn(loop, true);
	return o;
}

START_TEST(gets_its_input_and_says_how_it_ended)
{
	char text[512], got[256];
	struct outcome o;

	(void)snprintf(text, sizeof(text), "#!/bin/sh\ncat >%s/got\n", dir);
	begin(text, "#!/bin/sh\nexit 3\n");
	o = ask(PROGRAM_ROLE, "{\"role\":\"active\"}");
	ck_assert_msg(o.ok, "%s", o.text);
	(void)file_read(path_in(dir, "got"), got, sizeof(got));
	ck_assert_str_eq(got, "{\"role\":\"active\"}");
	o = ask(PROGRAM_FENCE, "{}");
	ck_assert(!o.ok);
	ck_assert_str_eq(o.text, "exit status 3");
}
END_TEST

/* Secrets may come by the environment: those are not for programs. */
START_TEST(gets_no_secrets_by_its_environment)
{
	char text[512], got[2048];
	struct outcome o;

	ck_assert_int_eq(setenv("TEST_PSK", "a secret of the configuration", 1), 0);
	(void)snprintf(text, sizeof(text), "#!/bin/sh\nenv >%s/got\n", dir);
	begin(text, NULL);
	ck_assert_int_eq(unsetenv("TEST_PSK"), 0);
	o = ask(PROGRAM_ROLE, "{}");
	ck_assert_msg(o.ok, "%s", o.text);
	(void)file_read(path_in(dir, "got"), got, sizeof(got));
	ck_assert_ptr_null(strstr(got, "secret"));
	ck_assert_ptr_nonnull(strstr(got, "PATH=/"));
}
END_TEST

/* With what it has started, which would otherwise go on. */
START_TEST(is_killed_when_its_time_is_over)
{
	char text[512];
	struct outcome o;
	mtime before;

	(void)snprintf(text, sizeof(text), "#!/bin/sh\n(sleep 1; echo late >%s/late) &\nsleep 60\n", dir);
	begin(text, NULL);
	before = clock_now(clock_system());
	o = ask(PROGRAM_ROLE, "{}");
	ck_assert(!o.ok);
	ck_assert_str_eq(o.text, "took too long and was killed");
	ck_assert_int_ge(mtime_since(before, clock_now(clock_system())), TIMEOUT_US);
	(void)poll(NULL, 0, 1200);
	ck_assert_int_ne(access(path_in(dir, "late"), F_OK), 0);
}
END_TEST

START_TEST(what_cannot_be_started_is_said)
{
	struct outcome o;

	begin(NULL, NULL);
	o = ask(PROGRAM_ROLE, "{}");
	ck_assert(!o.ok);
	ck_assert_str_eq(o.text, "cannot be started: No such file or directory");
	ck_assert_ptr_nonnull(strstr(kept.text, "hooks.role: cannot be started"));
}
END_TEST

/* A demotion that overtakes its promotion would leave the outside in the wrong state. */
START_TEST(one_kind_runs_in_order)
{
	char text[512], got[256];
	struct outcome o[5] = { 0 };
	struct err e = { 0 };

	(void)snprintf(text, sizeof(text), "#!/bin/sh\nread n\n[ $n = 0 ] && sleep 0.1\necho $n >>%s/got\n", dir);
	begin(text, NULL);
	for (unsigned i = 0; i < 5; i++) {
		char number[4];

		(void)snprintf(number, sizeof(number), "%u\n", i);
		ck_assert_int_eq(programs_run(programs, PROGRAM_ROLE, number, on_done, &o[i], &e), GW_OK);
	}
	while (o[4].calls == 0)
		loop_turn(loop, true);
	(void)file_read(path_in(dir, "got"), got, sizeof(got));
	ck_assert_str_eq(got, "0\n1\n2\n3\n4\n");
	for (unsigned i = 0; i < 5; i++)
		ck_assert(o[i].calls == 1 && o[i].ok);
}
END_TEST

/* Fencing does not wait for a slow hook of roles. */
START_TEST(kinds_do_not_wait_for_each_other)
{
	struct outcome slow = { 0 }, quick;
	struct err e = { 0 };

	begin("#!/bin/sh\nsleep 0.3\n", "#!/bin/sh\nexit 0\n");
	ck_assert_int_eq(programs_run(programs, PROGRAM_ROLE, "{}", on_done, &slow, &e), GW_OK);
	quick = ask(PROGRAM_FENCE, "{}");
	ck_assert(quick.ok);
	ck_assert_uint_eq(slow.calls, 0);
}
END_TEST

START_TEST(too_many_and_too_much)
{
	static char much[PROGRAM_INPUT_MAX + 2];
	struct err e = { 0 };
	enum gw_err r = GW_OK;

	begin("#!/bin/sh\nsleep 0.2\n", NULL);
	memset(much, 'x', sizeof(much) - 1);
	ck_assert_int_eq(programs_run(programs, PROGRAM_ROLE, much, NULL, NULL, &e), GW_ELIMIT);
	for (int i = 0; i < 100 && r == GW_OK; i++)
		r = programs_run(programs, PROGRAM_ROLE, "{}", NULL, NULL, &e);
	ck_assert_int_eq(r, GW_EBUSY);
}
END_TEST

START_TEST(no_program_no_process)
{
	const char *const none[PROGRAM_KINDS] = { NULL, NULL };
	struct err e = { 0 };
	int no = 0;

	ck_assert_int_eq(programs_fork(none, TIMEOUT_US, &no, &e), GW_OK);
	ck_assert_int_eq(no, -1);
	begin("#!/bin/sh\n", NULL); /* for the teardown */
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("programs");

	(void)signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, gets_its_input_and_says_how_it_ended);
	tcase_add_test(tc, gets_no_secrets_by_its_environment);
	tcase_add_test(tc, is_killed_when_its_time_is_over);
	tcase_add_test(tc, what_cannot_be_started_is_said);
	tcase_add_test(tc, one_kind_runs_in_order);
	tcase_add_test(tc, kinds_do_not_wait_for_each_other);
	tcase_add_test(tc, too_many_and_too_much);
	tcase_add_test(tc, no_program_no_process);
	return check_main("programs", tc);
}
