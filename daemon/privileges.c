#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const struct {
	unsigned cap;
	const char *name, *what_for;
} kept[] = {
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "the TUN device and routes" },
	{ CAP_NET_RAW, "CAP_NET_RAW", "ESP without UDP (protocol 50)" },
	{ CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE", "UDP port 500" },
};

/* What a start of the daemon uses besides, and gives up before it is ready. */
static const unsigned for_start[] = {
	CAP_SETPCAP,	  /* to give up the rest for good */
	CAP_IPC_LOCK,	  /* keys stay out of swap */
	CAP_SYS_RESOURCE, /* limits of locked memory, and of real time */
	CAP_SYS_NICE,	  /* heartbeats in real time */
	CAP_CHOWN,	  /* control.group */
	CAP_DAC_OVERRIDE, /* secrets, certificates and a state_dir of another owner */
};

static void lock_memory(struct log *log)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit now;
	int future = MCL_FUTURE;

	/*
	 * Later mappings are locked too, and without CAP_IPC_LOCK they count against the limit: one that stands would
	 * make malloc fail there. So unless it can be lifted, only what is there now is locked.
	 */
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0 &&
	    (getrlimit(RLIMIT_MEMLOCK, &now) != 0 || now.rlim_cur != RLIM_INFINITY)) {
		log_warn(log,
			 "cannot lift RLIMIT_MEMLOCK (%s), so keys made later could reach swap; "
			 "set LimitMEMLOCK=infinity (ulimit -l unlimited)",
			 strerror(errno));
		future = 0;
	}
	/* ONFAULT: pages are locked when they are touched, so that untouched stacks and buffers cost nothing. */
	if (mlockall(MCL_CURRENT | MCL_ONFAULT | future) != 0)
		log_warn(log, "cannot lock memory (%s): keys could reach swap", strerror(errno));
}

void privileges_protect(struct log *log)
{
	const struct rlimit none = { 0, 0 };

	lock_memory(log);
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0)
		log_warn(log, "cannot switch core dumps off: %s", strerror(errno));
}

enum gw_err privileges_check(struct err *e)
{
	if (capng_get_caps_process() != 0)
		return err_set(e, GW_EIO, "cannot read the process's capabilities");
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (!capng_have_capability(CAPNG_EFFECTIVE, kept[i].cap))
			return err_set(e, GW_EPERM, "%s is missing, needed for %s: run as root, or by the systemd unit",
				       kept[i].name, kept[i].what_for);
	return GW_OK;
}

enum gw_err privileges_rest(struct err *e)
{
	bool starts[ARRAY_LEN(for_start)], had[ARRAY_LEN(kept)], may_bound;

	if (capng_get_caps_process() != 0)
		return err_set(e, GW_EIO, "cannot read the process's capabilities");
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i].cap) != 0;
	for (size_t i = 0; i < ARRAY_LEN(for_start); i++)
		starts[i] = capng_have_capability(CAPNG_PERMITTED, for_start[i]) != 0;
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (had[i])
			(void)capng_update(CAPNG_ADD, CAPNG_PERMITTED | CAPNG_BOUNDING_SET, kept[i].cap);
	for (size_t i = 0; i < ARRAY_LEN(for_start); i++)
		if (starts[i])
			(void)capng_update(CAPNG_ADD, CAPNG_PERMITTED | CAPNG_BOUNDING_SET, for_start[i]);
	if (capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN))
		(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_NET_ADMIN);
	if (capng_apply(may_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) != 0)
		return err_set(e, GW_EPERM, "cannot lay capabilities down: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
		return err_set(e, GW_EPERM, "no_new_privs: %s", strerror(errno));
	return GW_OK;
}

enum gw_err privileges_take_up(struct err *e)
{
	if (capng_get_caps_process() != 0)
		return err_set(e, GW_EIO, "cannot read the process's capabilities");
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capng_have_capability(CAPNG_PERMITTED, cap))
			(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, cap);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return err_set(e, GW_EPERM, "cannot take capabilities up: %s", strerror(errno));
	return GW_OK;
}

enum gw_err privileges_drop(struct log *log, struct err *e)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED;
	bool may_bound, had[ARRAY_LEN(kept)];

	if (capng_get_caps_process() != 0)
		return err_set(e, GW_EIO, "cannot read the process's capabilities");
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i].cap) != 0;
	/* uid 0 alone must not give anything back over execve. Needs CAP_SETPCAP, so before it goes. */
	if (may_bound && prctl(PR_SET_SECUREBITS, bits, 0L, 0L, 0L) != 0)
		log_warn(log, "cannot lock the secure bits: %s", strerror(errno));
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (had[i] &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, kept[i].cap) != 0)
			return err_set(e, GW_EINTERNAL, "cannot keep %s", kept[i].name);
	if (capng_apply(may_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) != 0)
		return err_set(e, GW_EPERM, "cannot drop capabilities: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
		return err_set(e, GW_EPERM, "no_new_privs: %s", strerror(errno));
	return GW_OK;
}
