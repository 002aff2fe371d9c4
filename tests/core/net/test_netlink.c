/* Batches of requests and their answers, with the kernel's route netlink: no module is needed for that. */
#include "core/net/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/core/net/links.h"

static _Alignas(struct nlmsghdr) uint8_t buf[4096];
static struct nl_socket s;
static struct nl_batch b;

static struct {
	size_t errors, data;
	uint32_t index;
	int number;
	char text[96];
} seen;

static void begin(void)
{
	struct err e = { 0 };

	ck_assert_msg(nl_open(NETLINK_ROUTE, &s, &e) == GW_OK, "%s", e.text);
	memset(&seen, 0, sizeof(seen));
	nl_reset(&b, buf, sizeof(buf), s.seq + 1);
}

static void end(void)
{
	nl_close(&s);
}

static void on_error(void *arg, uint32_t index, int number, const char *text)
{
	(void)arg;
	seen.errors++;
	seen.index = index;
	seen.number = number;
	strncpy(seen.text, text, sizeof(seen.text) - 1);
}

static void on_data(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	(void)arg;
	ck_assert_int_eq(nlh->nlmsg_type, RTM_NEWLINK);
	seen.data++;
	seen.index = index;
}

static const struct nl_handler handler = { .error = on_error, .data = on_data };

static void put_get(const char *name)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };

	nl_begin(&b, RTM_GETLINK, 0, &info, sizeof(info));
	nl_put(&b, IFLA_IFNAME, name, strlen(name) + 1);
	ck_assert(nl_end(&b));
}

static void put_new(const char *name, const char *kind)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	size_t nest;

	nl_begin(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	nl_put(&b, IFLA_IFNAME, name, strlen(name) + 1);
	nest = nl_nest(&b, IFLA_LINKINFO);
	nl_put(&b, IFLA_INFO_KIND, kind, strlen(kind) + 1);
	nl_nest_end(&b, nest);
	ck_assert(nl_end(&b));
}

/* Whose answer it is, and in the kernel's own words (extended acknowledgement). */
START_TEST(an_error_among_others)
{
	put_get("v0");
	put_new("v9", "no-such-kind");
	put_get("v1");
	ck_assert_int_eq(nl_exchange(&s, &b, &handler), GW_OK);
	ck_assert(seen.data == 2 && seen.errors == 1);
	ck_assert_int_eq(seen.number, EOPNOTSUPP);
	ck_assert_msg(strstr(seen.text, "nknown device type") != NULL, "%s", seen.text);
	/* Of the last one, and of the first. */
	nl_reset(&b, buf, sizeof(buf), s.seq);
	put_get("v0");
	put_get("v9");
	ck_assert_int_eq(nl_exchange(&s, &b, &handler), GW_OK);
	ck_assert(seen.data == 3 && seen.errors == 2 && seen.index == 1 && seen.number == ENODEV);
	nl_reset(&b, buf, sizeof(buf), s.seq);
	put_new("v0", "dummy");
	put_get("v1");
	ck_assert_int_eq(nl_exchange(&s, &b, &handler), GW_OK);
	ck_assert(seen.errors == 3 && seen.number == EEXIST);
}
END_TEST

START_TEST(nothing_to_ask)
{
	ck_assert_int_eq(nl_exchange(&s, &b, &handler), GW_OK);
	ck_assert(seen.errors == 0 && seen.data == 0);
}
END_TEST

/* More answers than there is room for: told, and the next exchange is not mixed up with them. */
START_TEST(answers_without_room)
{
	const int tiny = 1, large = 1 << 20;

	ck_assert_int_eq(setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	for (int i = 0; i < 60; i++)
		put_get(i % 2 ? "v9" : "v0");
	ck_assert_int_eq(nl_exchange(&s, &b, &handler), GW_EBUSY);
	ck_assert_uint_ge(s.overruns, 1);
	ck_assert_int_eq(setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large)), 0);
	memset(&seen, 0, sizeof(seen));
	nl_reset(&b, buf, sizeof(buf), s.seq);
	put_get("v1");
	ck_assert_int_eq(nl_exchange(&s, &b, &handler), GW_OK);
	ck_assert(seen.data == 1 && seen.errors == 0);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, an_error_among_others);
	tcase_add_test(t, nothing_to_ask);
	tcase_add_test(t, answers_without_room);
}

int main(void)
{
	return links_make() ? links_run("netlink", add) : EXIT_SUCCESS;
}
