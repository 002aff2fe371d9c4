/*
 * What the kernel plane says of a kernel before it is used: what is missing, and how to get it. Also where there is no
 * ESP: then that is what has to be said.
 */
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "esp/xfrm_msg.h"
#include "tests/esp/plane_check.h"

static struct rng_seeded rng;
static struct log quiet;
static struct env env;

static void begin(void)
{
	rng_seeded_init(&rng, 1);
	quiet = (struct log){ .level = LOG_LVL_ERROR, .clock = clock_system() };
	env = (struct env){ .clock = clock_system(), .rng = &rng.rng, .log = &quiet, .node = { 3, 7 } };
}

static void end(void)
{
}

static bool is_there(void)
{
	struct err e = { 0 };

	return kernel_available(&e);
}

START_TEST(what_is_missing_is_named)
{
	struct dp_caps caps;
	struct err e = { 0 };
	enum gw_err r = xfrm_probe(&env, &caps, &e);

	if (r == GW_OK) {
		ck_assert_str_eq(caps.name, "kernel");
		ck_assert(caps.transport && caps.raw_esp && caps.replay_window_max == 4096);
		return;
	}
	ck_assert_msg(!kernel_required(), "%s", e.text);
	ck_assert_msg(strstr(e.text, r == GW_EPERM ? "CAP_NET_ADMIN" : "modprobe") != NULL, "%s", e.text);
}
END_TEST

/* Without the right: whatever else there is, that is what is said. */
START_TEST(the_right_is_missing)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	pid_t child = fork();
	int status = 0;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct dp_caps caps;
		struct err e = { 0 };
		enum gw_err r;

		if (syscall(SYS_capset, &header, none) != 0)
			_exit(2);
		r = xfrm_probe(&env, &caps, &e);
		_exit(r == GW_EPERM && strstr(e.text, "CAP_NET_ADMIN") && strstr(e.text, "root") ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}
END_TEST

/* Somebody's state stands where we try: it stays, and it is said. */
START_TEST(somebody_is_in_the_way)
{
	static const uint8_t key[64] = { 1 };
	_Alignas(struct nlmsghdr) uint8_t buf[1024];
	struct cipher_suite suite = suite_of(&suite_rows[0]);
	struct xfrm_state s = { .dir = DP_OUT,
				.spi = 0x100,
				.reqid = 1,
				.local = endpoint_of("192.0.2.1", 4500),
				.remote = endpoint_of("192.0.2.2", 4500),
				.suite = suite,
				.encr_key = bytes_of(key, suite_encr_key_len(&suite)),
				.soft = XFRM_NO_LIMIT,
				.hard = XFRM_NO_LIMIT };
	struct xfrm_numbers n = { .window = 32 };
	struct xfrm_state_id id = xfrm_state_id_of(&s);
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct nl_answer a;
	struct nl_batch b;
	struct dp_caps caps;
	struct err e = { 0 };

	if (!is_there())
		return;
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	nl_reset(&b, buf, sizeof(buf), 1);
	ck_assert(xfrm_put_new_sa(&b, &s, &n));
	ck_assert(nl_ask_once(NETLINK_XFRM, &b, &a, &e) == GW_OK && a.number == 0);
	ck_assert_int_eq(xfrm_probe(&env, &caps, &e), GW_EEXIST);
	ck_assert_msg(strstr(e.text, "192.0.2.2") != NULL, "%s", e.text);
	nl_reset(&b, buf, sizeof(buf), 1);
	ck_assert(xfrm_put_del_sa(&b, &id));
	ck_assert(nl_ask_once(NETLINK_XFRM, &b, &a, &e) == GW_OK && a.number == 0); /* it was there */
	ck_assert_msg(xfrm_probe(&env, &caps, &e) == GW_OK, "%s", e.text);
	ck_assert_int_eq(setns(home, CLONE_NEWNET), 0);
	(void)close(home);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, what_is_missing_is_named);
	tcase_add_test(t, the_right_is_missing);
	tcase_add_test(t, somebody_is_in_the_way);
}

int main(void)
{
	return run_cases("xfrm_probe", add);
}
