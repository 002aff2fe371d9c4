#include "core/net/ifwatch.h"

#include "tests/core/net/links.h"

struct seen {
	unsigned changes;
	struct ifwatch_link last;
	bool ticked;
};

static void on_change(void *arg, const struct ifwatch_link *link)
{
	struct seen *s = arg;

	s->changes++;
	s->last = *link;
}

static void on_tick(void *arg)
{
	((struct seen *)arg)->ticked = true;
}

static void turns(struct loop *loop, struct seen *s)
{
	struct loop_timer *t = loop_timer_create(loop, on_tick, s);

	s->ticked = false;
	loop_timer_at(t, mtime_add(clock_now(clock_system()), MILLISECONDS(100)));
	while (!s->ticked)
		loop_turn(loop, true);
	loop_timer_destroy(t);
}

START_TEST(links_come_and_go)
{
	static const char *const names[] = { "v0", "later" };
	const struct ifwatch_link *v0;
	struct seen s = { 0 };
	struct err e = { 0 };
	struct loop *loop = loop_create(clock_system(), &e);
	struct ifwatch *w = ifwatch_create(loop, names, 2, on_change, &s, &e);

	ck_assert_msg(w != NULL, "%s", e.text);
	v0 = ifwatch_find(w, "v0");
	ck_assert_ptr_eq(v0, ifwatch_at(w, 0));
	ck_assert(v0->up && v0->arp && v0->index != 0);
	ck_assert(!ifwatch_at(w, 1)->up);
	ck_assert_uint_eq(ifwatch_at(w, 1)->index, 0);
	ck_assert_ptr_null(ifwatch_find(w, "v1"));
	ck_assert(!ifwatch_all_up(w));
	ck_assert_uint_eq(s.changes, 0);

	/* The other end goes down: no carrier here. */
	links_do("ip link set v1 down");
	turns(loop, &s);
	ck_assert(!v0->up);
	ck_assert_uint_ge(s.changes, 1);
	ck_assert_str_eq(s.last.name, "v0");
	links_do("ip link set v1 up");
	turns(loop, &s);
	ck_assert(v0->up);

	links_do("ip link add later type veth peer name later1 && ip link set later up && ip link set later1 up");
	turns(loop, &s);
	ck_assert(ifwatch_at(w, 1)->up);
	ck_assert(ifwatch_all_up(w));
	links_do("ip link set v0 address 02:00:00:00:00:07");
	turns(loop, &s);
	ck_assert_uint_eq(v0->mac[5], 7);
	links_do("ip link set later down; ip link set later name sooner");
	turns(loop, &s);
	ck_assert_uint_eq(ifwatch_at(w, 1)->index, 0);
	links_do("ip link delete v0");
	turns(loop, &s);
	ck_assert(!v0->up);
	ck_assert_uint_eq(v0->index, 0);
	ck_assert_str_eq(v0->name, "v0");
	ifwatch_destroy(w);
	loop_destroy(loop);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, links_come_and_go);
}

int main(void)
{
	return links_make() ? links_run("ifwatch", add) : EXIT_SUCCESS;
}
