/* What is taken away cannot be given back: so each test runs in a child. */
#include "daemon/privileges.h"

#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/sandbox.h"
#include "daemon_check.h"

#define KEPT (1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW | 1u << CAP_NET_BIND_SERVICE)

/* Exit status of the child, or -signal. */
static int in_child(int (*what)(void))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(what());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static bool status_line(const char *name, unsigned long long *value)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			found = sscanf(line + strlen(name) + 1, "%llx", value) == 1;
	if (f)
		fclose(f);
	return found;
}

static int child_protect(void)
{
	struct rlimit core;

	privileges_protect(NULL);
	if (prctl(PR_GET_DUMPABLE, 0L, 0L, 0L, 0L) != 0)
		return 1;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		return 2;
	/* Memory can still be had, much more than the usual limit of 8 MB. */
	for (int i = 0; i < 64; i++) {
		uint8_t *p = malloc(1024 * 1024);

		if (!p)
			return 3;
		memset(p, i, 1024 * 1024);
	}
	return 0;
}

START_TEST(no_dumps_and_memory_can_be_had)
{
	ck_assert_int_eq(in_child(child_protect), 0);
}
END_TEST

static int child_drop(void)
{
	unsigned long long before, effective, permitted, bounding, inheritable, no_new;

	if (!status_line("CapPrm", &before) || privileges_drop(NULL, NULL) != GW_OK)
		return 1;
	if (!status_line("CapEff", &effective) || !status_line("CapPrm", &permitted) ||
	    !status_line("CapBnd", &bounding) || !status_line("CapInh", &inheritable) ||
	    !status_line("NoNewPrivs", &no_new))
		return 2;
	if (permitted != (before & KEPT) || effective != permitted || inheritable != 0 || no_new != 1)
		return 3;
	if (before & 1u << CAP_SETPCAP) {
		if (bounding != (before & KEPT))
			return 4;
		/* uid 0 is nobody special any more: /dev/mem and the like are as far away as for others */
		if (chown("/proc/self/status", 1, 1) == 0)
			return 5;
	}
	return 0;
}

START_TEST(three_capabilities_are_left)
{
	ck_assert_int_eq(in_child(child_drop), 0);
}
END_TEST

static int child_check(void)
{
	struct err e = { 0 };
	unsigned long long effective;

	if (!status_line("CapEff", &effective))
		return 1;
	if ((effective & KEPT) == KEPT) {
		if (privileges_check(&e) != GW_OK)
			return 2;
		/* take one away by hand */
		struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
		struct __user_cap_data_struct data[2] = { { .effective = 1u << CAP_NET_RAW | 1u << CAP_NET_BIND_SERVICE,
							    .permitted =
								    1u << CAP_NET_RAW | 1u << CAP_NET_BIND_SERVICE } };

		if (syscall(SYS_capset, &head, data) != 0)
			return 3;
	}
	if (privileges_check(&e) != GW_EPERM || !strstr(e.text, "CAP_NET_"))
		return 4;
	return 0;
}

static unsigned long long all_of_root(void)
{
	unsigned long long v = 0;

	return status_line("CapPrm", &v) ? v : 0;
}

/* The parent process: one in effect, what a start needs laid down, and a child that can take it up. */
static int parent_and_child(void)
{
	unsigned long long effective = 0, permitted = 0, bounding = 0, before = all_of_root();
	struct err e = { 0 };
	int status;
	pid_t pid;

	if (privileges_rest(&e) != GW_OK || !status_line("CapEff", &effective) || !status_line("CapPrm", &permitted) ||
	    !status_line("CapBnd", &bounding))
		return 1;
	if (effective != 1u << CAP_NET_ADMIN)
		return 2;
	if ((permitted & KEPT) != KEPT ||
	    (permitted & (1u << CAP_SYS_ADMIN | 1u << CAP_SYS_MODULE | 1u << CAP_SYS_PTRACE)))
		return 3;
	if ((permitted & ~before) != 0 || bounding != permitted)
		return 4;
	pid = fork();
	if (pid == 0) {
		if (privileges_check(&e) == GW_OK)
			_exit(5);
		if (privileges_take_up(&e) != GW_OK || privileges_check(&e) != GW_OK)
			_exit(6);
		privileges_protect(NULL);
		if (privileges_drop(NULL, &e) != GW_OK || !status_line("CapPrm", &permitted) || permitted != KEPT)
			_exit(7);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 8;
	return WEXITSTATUS(status);
}

START_TEST(a_parent_lays_down_what_its_child_takes_up)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(in_child(parent_and_child), 0);
}
END_TEST

START_TEST(missing_rights_are_named)
{
	ck_assert_int_eq(in_child(child_check), 0);
}
END_TEST

/* ---- the system call filter ---- */

static bool filtered(void)
{
	unsigned long long mode;

	return status_line("Seccomp", &mode) && mode == 2;
}

static void *thread_main(void *arg)
{
	free(malloc(100000));
	return arg;
}

/* Everything that the daemon goes on doing. */
static int child_allowed(void)
{
	struct kept_log log;
	pthread_t thread;
	void *from_thread = NULL;
	char path[64];
	FILE *f;
	int fd;

	kept_log_init(&log);
	if (sandbox_enter(&log.log, NULL) != GW_OK)
		return 1;
	if (!filtered() && !log.text[0])
		return 2; /* not filtered, and nobody was told */
	if (pthread_create(&thread, NULL, thread_main, &log) != 0 || pthread_join(thread, &from_thread) != 0 ||
	    from_thread != &log)
		return 3;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || close(fd) != 0)
		return 4;
	(void)snprintf(path, sizeof(path), "/tmp/gw-test-sandbox-%d", getpid());
	f = fopen(path, "we");
	if (!f || fputs("x", f) < 0 || fsync(fileno(f)) != 0 || fclose(f) != 0 || rename(path, path) != 0 ||
	    unlink(path) != 0)
		return 5;
	if (clock_system()->wall(clock_system()) == 0)
		return 6;
	free(malloc(10 * 1024 * 1024));
	return 0;
}

START_TEST(what_the_daemon_does_is_allowed)
{
	ck_assert_int_eq(in_child(child_allowed), 0);
}
END_TEST

static int child_exec(void)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };

	if (sandbox_enter(NULL, NULL) != GW_OK)
		return 1;
	if (!filtered())
		return 99;
	(void)execv("/bin/true", argv);
	return 2;
}

static int child_fork(void)
{
	if (sandbox_enter(NULL, NULL) != GW_OK)
		return 1;
	if (!filtered())
		return 99;
	if (fork() == 0)
		_exit(0);
	return 2;
}

static int child_code(void)
{
	if (sandbox_enter(NULL, NULL) != GW_OK)
		return 1;
	if (!filtered())
		return 99;
	(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 2;
}

static int child_ptrace(void)
{
	if (sandbox_enter(NULL, NULL) != GW_OK)
		return 1;
	if (!filtered())
		return 99;
	(void)syscall(SYS_ptrace, 0, 0, 0, 0);
	return 2;
}

static int child_packet_socket(void)
{
	if (sandbox_enter(NULL, NULL) != GW_OK)
		return 1;
	if (!filtered())
		return 99;
	(void)!socket(AF_PACKET, SOCK_RAW, 0);
	return 2;
}

static int (*const forbidden[])(void) = { child_exec, child_fork, child_code, child_ptrace, child_packet_socket };

START_TEST(what_an_intruder_would_do_is_the_end)
{
	int r = in_child(forbidden[_i]);

	/* 99: a build with a sanitizer, or a kernel without seccomp */
	ck_assert_msg(r == -SIGSYS || r == 99, "%d", r);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("privileges");

	tcase_add_test(tc, no_dumps_and_memory_can_be_had);
	tcase_add_test(tc, three_capabilities_are_left);
	tcase_add_test(tc, a_parent_lays_down_what_its_child_takes_up);
	tcase_add_test(tc, missing_rights_are_named);
	tcase_add_test(tc, what_the_daemon_does_is_allowed);
	tcase_add_loop_test(tc, what_an_intruder_would_do_is_the_end, 0, (int)ARRAY_LEN(forbidden));
	return check_main("privileges", tc);
}
