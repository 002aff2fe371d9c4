/* In a network namespace of its own, by way of a user namespace if need be; where neither is allowed it says so. */
#include "esp/tun.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/esp/esp_check.h"

static int fd;
static char name[TUN_NAME];

static void begin(void)
{
	struct err e = { 0 };

	ck_assert_msg(tun_open("gwt%d", &fd, name, &e) == GW_OK, "%s", e.text);
	ck_assert_str_eq(name, "gwt0");
}

static void end(void)
{
	(void)close(fd);
}

START_TEST(size_and_state)
{
	struct err e = { 0 };
	struct ifreq ifr = { 0 };
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	memcpy(ifr.ifr_name, name, sizeof(name));
	ck_assert_int_eq(tun_set_mtu(name, 1380, &e), GW_OK);
	ck_assert_int_eq(ioctl(sock, SIOCGIFMTU, &ifr), 0);
	ck_assert_int_eq(ifr.ifr_mtu, 1380);
	ck_assert_int_eq(tun_set_queue(name, &e), GW_OK);
	ck_assert_int_eq(ioctl(sock, SIOCGIFTXQLEN, &ifr), 0);
	ck_assert_int_gt(ifr.ifr_qlen, 500);
	ck_assert_int_eq(tun_set_up(name, true, &e), GW_OK);
	ck_assert_int_eq(ioctl(sock, SIOCGIFFLAGS, &ifr), 0);
	ck_assert(ifr.ifr_flags & IFF_UP);
	ck_assert_int_eq(tun_set_up(name, false, &e), GW_OK);
	ck_assert_int_eq(ioctl(sock, SIOCGIFFLAGS, &ifr), 0);
	ck_assert(!(ifr.ifr_flags & IFF_UP));
	(void)close(sock);
	ck_assert_int_eq(tun_set_mtu("nosuch", 1400, &e), GW_EIO);
	ck_assert_ptr_nonnull(strstr(e.text, "nosuch"));
	ck_assert_int_eq(tun_set_mtu(name, 1 << 24, &e), GW_EIO);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, size_and_state);
}

int main(void)
{
	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		puts("skipped: no network namespace may be made here");
		return 77;
	}
	return run_cases("tun", add);
}
