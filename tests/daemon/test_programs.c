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
static char role[64], fence[64], config[64];
static int fd;
static struct programs *programs;

static void script(const char *path, const char *text)
{
	file_put(path, text);
	ck_assert_int_eq(chmod(path, 0700), 0);
}

static struct program_settings settings(const char *role_path, const char *fence_path, int64_t timeout_us)
{
	struct ha_cfg cfg = { .hook = (char *)(uintptr_t)role_path,
			      .fence = (char *)(uintptr_t)fence_path,
			      .hook_timeout_us = timeout_us };
	struct program_settings out;

	programs_settings(&cfg, &out);
	return out;
}

static void begin(const char *role_text, const char *fence_text)
{
	const struct program_settings first = settings(role, fence, TIMEOUT_US);
	struct err e = { 0 };

	if (role_text)
		script(role, role_text);
	if (fence_text)
		script(fence, fence_text);
	ck_assert_int_eq(programs_fork(&first, config, &fd, &e), GW_OK);
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
	(void)snprintf(config, sizeof(config), "%s/gateway.yaml", dir);
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

static void config_put(const char *hooks)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
		       "node: a\nha:\n  secret: 0123456789abcdef\n  nodes: {a: {sync: 10.0.0.1}, b: {sync: 10.0.0.2}}\n"
		       "  hooks: {%s}\n",
		       hooks);
	file_put(config, text);
}

static void tell(const char *role_path, const char *fence_path, int64_t timeout_us)
{
	const struct program_settings now = settings(role_path, fence_path, timeout_us);

	programs_configure(programs, &now);
}

/* What is asked for at once waits for the new programs. */
START_TEST(other_programs_while_it_runs)
{
	char other[80], text[256];
	struct outcome o;

	begin("#!/bin/sh\nexit 1\n", "#!/bin/sh\nsleep 1\n");
	ck_assert_str_eq(ask(PROGRAM_ROLE, "{}").text, "exit status 1");
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	script(other, "#!/bin/sh\nexit 2\n");
	(void)snprintf(text, sizeof(text), "role: %s, timeout: 300s", other);
	config_put(text);
	tell(other, NULL, SECONDS(300));
	ck_assert_str_eq(ask(PROGRAM_ROLE, "{}").text, "exit status 2");
	ck_assert_str_eq(ask(PROGRAM_FENCE, "{}").text, "cannot be started: No such file or directory");
	/* One comes, with more time than before. */
	(void)snprintf(text, sizeof(text), "fence: %s, timeout: 5s", fence);
	config_put(text);
	tell(NULL, fence, SECONDS(5));
	o = ask(PROGRAM_FENCE, "{}");
	ck_assert_msg(o.ok, "%s", o.text);
	ck_assert(!ask(PROGRAM_ROLE, "{}").ok);
	ck_assert_ptr_null(strstr(kept.text, "hooks: "));
}
END_TEST

/* The file is what counts, whatever the daemon says. */
START_TEST(nothing_but_what_the_file_says)
{
	char other[80], text[256], path[80];
	struct stat st;

	begin("#!/bin/sh\nexit 1\n", NULL);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	(void)snprintf(path, sizeof(path), "%s/was-run", dir);
	(void)snprintf(text, sizeof(text), "#!/bin/sh\n: >%s\n", path);
	script(other, text);
	(void)snprintf(text, sizeof(text), "role: %s, timeout: 400ms", role);
	config_put(text);
	tell(other, other, TIMEOUT_US);
	ck_assert_str_eq(ask(PROGRAM_ROLE, "{}").text, "exit status 1");
	ck_assert_str_eq(ask(PROGRAM_FENCE, "{}").text, "cannot be started: No such file or directory");
	ck_assert_int_ne(stat(path, &st), 0);
	ck_assert_ptr_nonnull(strstr(kept.text, "hooks: the configuration file says something else already"));
	/* A file that is wrong changes nothing. */
	file_put(config, "ha: nonsense\n");
	tell(other, other, TIMEOUT_US);
	ck_assert_str_eq(ask(PROGRAM_ROLE, "{}").text, "exit status 1");
	ck_assert_ptr_nonnull(strstr(kept.text, "hooks: the configuration file could not be read again"));
}
END_TEST

/* Several in a row: the last one counts, and each is answered. */
START_TEST(told_again_while_it_reads)
{
	char other[80], text[256];

	begin("#!/bin/sh\nexit 1\n", NULL);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	script(other, "#!/bin/sh\n");
	(void)snprintf(text, sizeof(text), "role: %s, timeout: 2s", other);
	config_put(text);
	for (int i = 0; i < 20; i++)
		tell(other, NULL, SECONDS(2) + i % 2);
	tell(other, NULL, SECONDS(2));
	ck_assert(ask(PROGRAM_ROLE, "{}").ok);
	for (int i = 0; i < 100; i++) /* none is waited for any more: there is room */
		ck_assert(ask(PROGRAM_ROLE, "{}").ok);
	for (int i = 0; i < 40; i++) {
		tell(other, NULL, SECONDS(2));
		(void)ask(PROGRAM_ROLE, "{}");
	}
	ck_assert_ptr_null(strstr(kept.text, "too many wait"));
}
END_TEST

START_TEST(without_programs_there_is_the_process)
{
	const struct program_settings none = settings(NULL, NULL, TIMEOUT_US);
	struct err e = { 0 };
	char text[256];

	ck_assert_int_eq(programs_fork(&none, config, &fd, &e), GW_OK);
	programs = programs_create(&env, loop, fd, 7);
	script(role, "#!/bin/sh\nexit 4\n");
	ck_assert_str_eq(ask(PROGRAM_ROLE, "{}").text, "cannot be started: No such file or directory");
	(void)snprintf(text, sizeof(text), "role: %s, timeout: 400ms", role);
	config_put(text);
	tell(role, NULL, TIMEOUT_US);
	ck_assert_str_eq(ask(PROGRAM_ROLE, "{}").text, "exit status 4");
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
	tcase_add_test(tc, other_programs_while_it_runs);
	tcase_add_test(tc, nothing_but_what_the_file_says);
	tcase_add_test(tc, told_again_while_it_reads);
	tcase_add_test(tc, without_programs_there_is_the_process);
	return check_main("programs", tc);
}
