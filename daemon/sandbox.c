#include "daemon/sandbox.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#if defined(__SANITIZE_ADDRESS__) || defined(GW_SANITIZE_ADDRESS)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* Names rather than numbers: one that this libseccomp or architecture does not know is skipped. */
static const char *const allowed[] = {
	/* bytes: sockets, TUN, files, the control socket, log lines */
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"pwrite64",
	"recvfrom",
	"sendto",
	"recvmsg",
	"sendmsg",
	"recvmmsg",
	"sendmmsg",
	"close",
	"shutdown",
	"accept4",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"bind",
	"connect",
	"ioctl",
	"fcntl",
	/* waiting */
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_ctl",
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"eventfd2",
	"timerfd_create",
	"timerfd_settime",
	"nanosleep",
	"clock_nanosleep",
	"restart_syscall",
	/* files: reload reads the configuration, leases are written aside and renamed, the control socket is removed */
	"openat",
	"open",
	"stat",
	"fstat",
	"lstat",
	"newfstatat",
	"statx",
	"access",
	"faccessat",
	"faccessat2",
	"lseek",
	"readlink",
	"readlinkat",
	"getdents64",
	"getcwd",
	"fsync",
	"fdatasync",
	"ftruncate",
	"fallocate",
	"rename",
	"renameat",
	"renameat2",
	"unlink",
	"unlinkat",
	"fchmod",
	"flock",
	/* memory */
	"brk",
	"munmap",
	"mremap",
	"madvise",
	"mlock",
	"munlock",
	/* time and randomness */
	"clock_gettime",
	"clock_getres",
	"gettimeofday",
	"time",
	"getrandom",
	/* threads and signals */
	"futex",
	"futex_waitv",
	"set_robust_list",
	"get_robust_list",
	"rseq",
	"sched_yield",
	"sched_getaffinity",
	"sched_setaffinity",
	"getcpu",
	"gettid",
	"getpid",
	"getppid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"tgkill",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"sigaltstack",
	"set_tid_address",
	"exit",
	"exit_group",
	"uname",
	"sysinfo",
	"getrusage",
	"prlimit64",
	"getrlimit",
	"membarrier",
};

static enum gw_err failed(struct err *e, const char *what, int error)
{
	return err_set(e, GW_EIO, "system call filter: %s: %s", what, strerror(-error));
}

static enum gw_err allow_names(scmp_filter_ctx ctx, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]), r;

		if (number == __NR_SCMP_ERROR || number < 0)
			continue;
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
		if (r != 0)
			return failed(e, allowed[i], r);
	}
	return GW_OK;
}

/* Calls that are fine with some arguments only. */
static enum gw_err allow_some(scmp_filter_ctx ctx, struct err *e)
{
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp thread =
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM);
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	static const int prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_VMA };
	int r;

	r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_exec);
	if (r == 0)
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_exec);
	if (r != 0)
		return failed(e, "mmap", r);
	/* Threads, not processes. clone3's flags are behind a pointer: ENOSYS makes the C library use clone instead. */
	r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread);
	if (r == 0)
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
	if (r != 0)
		return failed(e, "clone", r);
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct scmp_arg_cmp family = { .arg = 0,
						     .op = SCMP_CMP_EQ,
						     .datum_a = (scmp_datum_t)families[i] };

		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &family);
		if (r != 0)
			return failed(e, "socket", r);
	}
	for (size_t i = 0; i < ARRAY_LEN(prctls); i++) {
		const struct scmp_arg_cmp option = { .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)prctls[i] };

		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, &option);
		if (r != 0)
			return failed(e, "prctl", r);
	}
	return GW_OK;
}

static enum gw_err load(scmp_filter_ctx ctx, struct log *log, struct err *e)
{
	int r;

	TRY(allow_names(ctx, e));
	TRY(allow_some(ctx, e));
	/* All threads: the data plane's is there already. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r != 0)
		return failed(e, "all threads", r);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree: the data path calls often */
	r = seccomp_load(ctx);
	if (r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP) {
		log_warn(log, "this kernel has no seccomp: system calls are not filtered");
		return GW_OK;
	}
	return r == 0 ? GW_OK : failed(e, "load", r);
}

enum gw_err sandbox_enter(struct log *log, struct err *e)
{
	scmp_filter_ctx ctx;
	enum gw_err r;

	if (SANITIZED) {
		log_info(log, "build with sanitizers: system calls are not filtered");
		return GW_OK;
	}
	ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return err_set(e, GW_ENOMEM, "system call filter: out of memory");
	r = load(ctx, log, e);
	seccomp_release(ctx);
	return r;
}
