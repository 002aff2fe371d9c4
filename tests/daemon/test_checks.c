#include "daemon/checks.h"

#include "daemon/privileges.h"
#include "daemon_check.h"

struct scene {
	char *dir;
	struct checks_root root;
	struct kept_log log;
	struct pool_cfg pools[2];
	struct settings settings;
};

static void sysctl_put(struct scene *s, const char *name, const char *value)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	for (char *slash = strchr(path + strlen(s->dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	file_put(path, value);
}

/* A machine on which all is well. */
static void scene_open(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->dir = scratch_make();
	s->root = (struct checks_root){ s->dir, s->dir, s->dir };
	kept_log_init(&s->log);
	ck_assert(range_parse("10.9.0.0/24", &s->pools[0].addresses));
	ck_assert(range_parse("fd09::/64", &s->pools[1].addresses));
	s->settings = (struct settings){ .pools = s->pools, .pool_count = 2, .tun_name = (char *)(uintptr_t) "gw0" };
	sysctl_put(s, "net/ipv4/ip_forward", "1\n");
	sysctl_put(s, "net/ipv6/conf/all/forwarding", "1\n");
	sysctl_put(s, "net/ipv4/conf/all/rp_filter", "0\n");
	sysctl_put(s, "net/ipv4/conf/default/rp_filter", "0\n");
}

static void scene_close(struct scene *s)
{
	scratch_remove(s->dir);
}

START_TEST(silent_when_all_is_well)
{
	struct scene s;

	scene_open(&s);
	ck_assert_uint_eq(checks_warn(&s.settings, &s.root, &s.log.log), 0);
	ck_assert_str_eq(s.log.text, "");
	scene_close(&s);
}
END_TEST

START_TEST(forwarding_of_the_families_in_use)
{
	struct scene s;

	scene_open(&s);
	sysctl_put(&s, "net/ipv4/ip_forward", "0\n");
	sysctl_put(&s, "net/ipv6/conf/all/forwarding", "0\n");
	ck_assert_uint_eq(checks_warn(&s.settings, &s.root, &s.log.log), 2);
	ck_assert_ptr_nonnull(strstr(s.log.text, "sysctl -w net.ipv4.ip_forward=1"));
	ck_assert_ptr_nonnull(strstr(s.log.text, "sysctl -w net.ipv6.conf.all.forwarding=1"));
	s.settings.pool_count = 1;
	ck_assert_uint_eq(checks_warn(&s.settings, &s.root, &s.log.log), 1);
	scene_close(&s);
}
END_TEST

static const struct {
	const char *all, *fallback, *own; /* own NULL: the device does not exist yet */
	bool strict;
	const char *remedy;
} filters[] = {
	{ "0", "0", NULL, false, NULL },
	{ "1", "0", NULL, true, "conf.default.rp_filter=2" },
	{ "0", "1", NULL, true, "conf.default.rp_filter=2" },
	{ "2", "1", NULL, false, NULL },
	{ "1", "2", NULL, false, NULL },
	{ "0", "1", "0", false, NULL },
	{ "1", "0", "0", true, "conf.gw0.rp_filter=2" },
	{ "0", "0", "1", true, "conf.gw0.rp_filter=2" },
	{ "1", "1", "2", false, NULL },
};

START_TEST(strict_reverse_path_filter)
{
	struct scene s;

	scene_open(&s);
	sysctl_put(&s, "net/ipv4/conf/all/rp_filter", filters[_i].all);
	sysctl_put(&s, "net/ipv4/conf/default/rp_filter", filters[_i].fallback);
	if (filters[_i].own)
		sysctl_put(&s, "net/ipv4/conf/gw0/rp_filter", filters[_i].own);
	ck_assert_uint_eq(checks_warn(&s.settings, &s.root, &s.log.log), filters[_i].strict ? 1 : 0);
	if (filters[_i].remedy)
		ck_assert_msg(strstr(s.log.text, filters[_i].remedy) != NULL, "%s", s.log.text);
	scene_close(&s);
}
END_TEST

START_TEST(a_device_that_is_no_tun_is_not_taken)
{
	struct scene s;
	struct err e = { 0 };

	scene_open(&s);
	if (privileges_check(NULL) == GW_OK) {
		s.settings.dataplane = DATAPLANE_USERSPACE;
		sysctl_put(&s, "net/tun", "");
		ck_assert_int_eq(checks_require(&s.settings, &s.root, &e), GW_OK);
		sysctl_put(&s, "gw0/mtu", "1500");
		ck_assert_int_eq(checks_require(&s.settings, &s.root, &e), GW_EEXIST);
		ck_assert_ptr_nonnull(strstr(e.text, "userspace.device"));
		sysctl_put(&s, "gw0/tun_flags", "0x1001");
		ck_assert_int_eq(checks_require(&s.settings, &s.root, &e), GW_OK);
	}
	scene_close(&s);
}
END_TEST

START_TEST(planes_that_cannot_be_had)
{
	struct scene s;
	struct err e = { 0 };

	scene_open(&s);
	s.settings.dataplane = DATAPLANE_FAKE;
	ck_assert_int_eq(checks_require(&s.settings, &s.root, &e), GW_ECONFIG);
	s.settings.allow_fake_plane = true;
	ck_assert_int_eq(checks_require(&s.settings, &s.root, &e), GW_OK);
	/* Both need a TUN, if only for routes to lead into. As root it is the driver that is missing, else the rights
	 * are. */
	for (unsigned i = 0; i < 2; i++) {
		s.settings.dataplane = i == 0 ? DATAPLANE_USERSPACE : DATAPLANE_KERNEL;
		ck_assert_int_ne(checks_require(&s.settings, &s.root, &e), GW_OK);
		ck_assert(strstr(e.text, "modprobe tun") || strstr(e.text, "run as root"));
	}
	scene_close(&s);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("checks");

	tcase_add_test(tc, silent_when_all_is_well);
	tcase_add_test(tc, forwarding_of_the_families_in_use);
	tcase_add_loop_test(tc, strict_reverse_path_filter, 0, (int)ARRAY_LEN(filters));
	tcase_add_test(tc, a_device_that_is_no_tun_is_not_taken);
	tcase_add_test(tc, planes_that_cannot_be_had);
	return check_main("checks", tc);
}
