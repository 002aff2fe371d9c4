#include "daemon/vips.h"

#include "tests/core/net/links.h"

#include <unistd.h>

struct scene {
	struct env env;
	struct log log;
	struct loop *loop;
	struct loop_timer *timer;
	struct vips *vips;
	bool ticked;
	unsigned changes;
};

static void silent(void *arg, enum log_level level, const char *line, size_t n)
{
	(void)arg;
	(void)level;
	(void)line;
	(void)n;
}

static void on_tick(void *arg)
{
	((struct scene *)arg)->ticked = true;
}

static void on_changed(void *arg)
{
	((struct scene *)arg)->changes++;
}

static void turns(struct scene *s, int64_t ms)
{
	s->ticked = false;
	loop_timer_at(s->timer, mtime_add(clock_now(s->env.clock), MILLISECONDS(ms)));
	while (!s->ticked)
		loop_turn(s->loop, true);
}

static struct vips *make(struct scene *s)
{
	static char v0[] = "v0", later[] = "later", outside[] = "outside", outside6[] = "outside6", name3[] = "later1";
	struct ha_address_cfg a[3] = { { .name = outside, .prefix_len = 24, .interface = v0 },
				       { .name = outside6, .prefix_len = 64, .interface = v0 },
				       { .name = name3, .prefix_len = 32, .interface = later } };
	struct ha_cfg cfg = { .addresses = a, .address_count = 3, .announce_us = SECONDS(60) };
	struct vips *v;
	struct err e = { 0 };

	ck_assert(addr_parse("192.0.2.1", &a[0].address));
	ck_assert(addr_parse("2001:db8::1", &a[1].address));
	ck_assert(addr_parse("198.51.100.1", &a[2].address));
	v = vips_create(&s->env, s->loop, &cfg, on_changed, s, &e);
	ck_assert_msg(v != NULL, "%s", e.text);
	return v;
}

static void scene_open(struct scene *s)
{
	struct err e = { 0 };

	*s = (struct scene){ 0 };
	s->log = (struct log){ .level = LOG_LVL_DEBUG, .clock = clock_system(), .sink = silent };
	s->env = (struct env){ .clock = clock_system(), .log = &s->log };
	s->loop = loop_create(s->env.clock, &e);
	s->timer = loop_timer_create(s->loop, on_tick, s);
	s->vips = make(s);
}

static void scene_close(struct scene *s)
{
	vips_destroy(s->vips);
	loop_timer_destroy(s->timer);
	loop_destroy(s->loop);
}

static struct vips_stats stats(const struct scene *s)
{
	struct vips_stats out;

	vips_look(s->vips, &out);
	return out;
}

#define THERE "ip address show | grep -q "
#define GONE "! ip address show | grep -q "

START_TEST(claimed_renewed_released)
{
	struct ifaddr_entry entries[8];
	struct scene s;

	scene_open(&s);
	ck_assert_uint_eq(stats(&s).present, 0);
	links_do(GONE "192.0.2.1/24");
	vips_claim(s.vips);
	links_do(THERE "192.0.2.1/24");
	links_do(THERE "2001:db8::1/64");
	/* The third one's interface is not there yet. */
	ck_assert_uint_eq(stats(&s).present, 2);
	ck_assert_uint_gt(stats(&s).failed, 0);
	ck_assert_str_eq(stats(&s).last_error, "there is no interface later");
	ck_assert(!stats(&s).service_up);
	ck_assert_uint_eq(vips_entries(s.vips, entries, 8), 2);
	turns(&s, 400);
	ck_assert_uint_ge(stats(&s).announced, 6);
	turns(&s, 4500);
	links_do(THERE "192.0.2.1/24");
	links_do(THERE "2001:db8::1/64");
	vips_release(s.vips);
	links_do(GONE "192.0.2.1/24");
	links_do(GONE "2001:db8::1/64");
	ck_assert_uint_eq(stats(&s).present, 0);
	scene_close(&s);
}
END_TEST

START_TEST(interfaces_come_and_go)
{
	struct scene s;
	uint64_t announced;

	scene_open(&s);
	vips_claim(s.vips);
	links_do("ip link add later type veth peer name later1 && ip link set later up && ip link set later1 up");
	turns(&s, 200);
	links_do(THERE "198.51.100.1/32");
	ck_assert_uint_eq(stats(&s).present, 3);
	ck_assert(vips_service_up(s.vips));
	ck_assert_uint_eq(s.changes, 1);
	announced = stats(&s).announced;
	links_do("ip link set v1 down");
	turns(&s, 100);
	ck_assert(!vips_service_up(s.vips));
	ck_assert_uint_eq(s.changes, 2);
	links_do("ip link set v1 up");
	turns(&s, 300);
	ck_assert(vips_service_up(s.vips));
	ck_assert_uint_gt(stats(&s).announced, announced);
	/* Somebody took it away: it is there again within a second. */
	links_do("ip address delete 192.0.2.1/24 dev v0");
	turns(&s, 1300);
	links_do(THERE "192.0.2.1/24");
	scene_close(&s);
	links_do(GONE "192.0.2.1/24");
	links_do("ip link delete later");
}
END_TEST

/* Other service interfaces and another pace while it runs; the addresses stay. */
START_TEST(configured_while_claimed)
{
	static char v1[] = "v1", nowhere[] = "nowhere";
	char *two[] = { v1, nowhere }, *one[] = { v1 };
	struct ha_cfg cfg = { .interfaces = two, .interface_count = 2, .announce_us = SECONDS(60) };
	struct scene s;
	uint64_t announced;
	struct err e;

	links_do("ip link add later type veth peer name later1 && ip link set later up && ip link set later1 up");
	scene_open(&s);
	vips_claim(s.vips);
	turns(&s, 4500);
	ck_assert(vips_service_up(s.vips));
	ck_assert_uint_eq(s.changes, 0);
	ck_assert_int_eq(vips_configure(s.vips, &cfg, &e), GW_OK);
	ck_assert(!vips_service_up(s.vips));
	ck_assert_uint_eq(s.changes, 1);
	cfg.interfaces = one;
	cfg.interface_count = 1;
	ck_assert_int_eq(vips_configure(s.vips, &cfg, &e), GW_OK);
	ck_assert(vips_service_up(s.vips));
	ck_assert_uint_eq(s.changes, 2);
	ck_assert_uint_eq(stats(&s).present, 3);
	/* Those of the addresses are watched as before. */
	links_do("ip link set later1 down");
	turns(&s, 100);
	ck_assert(!vips_service_up(s.vips));
	links_do("ip link set later1 up");
	turns(&s, 4500);
	ck_assert(vips_service_up(s.vips));
	announced = stats(&s).announced;
	turns(&s, 300);
	ck_assert_uint_eq(stats(&s).announced, announced);
	cfg.announce_us = SECONDS(1);
	ck_assert_int_eq(vips_configure(s.vips, &cfg, &e), GW_OK);
	turns(&s, 300);
	ck_assert_uint_gt(stats(&s).announced, announced);
	turns(&s, 4500);
	announced = stats(&s).announced;
	turns(&s, 1200);
	ck_assert_uint_gt(stats(&s).announced, announced);
	/* Not where another one has them as well. */
	vips_hush(s.vips);
	announced = stats(&s).announced;
	cfg.announce_us = SECONDS(2);
	ck_assert_int_eq(vips_configure(s.vips, &cfg, &e), GW_OK);
	turns(&s, 300);
	ck_assert_uint_eq(stats(&s).announced, announced);
	ck_assert_uint_eq(stats(&s).present, 3);
	scene_close(&s);
	links_do("ip link delete later");
}
END_TEST

/* A process that died left them behind; nobody renews them, and whoever starts takes them away. */
START_TEST(leftovers_go)
{
	struct scene s;
	struct vips *old;

	scene_open(&s);
	old = s.vips;
	vips_claim(old);
	links_do(THERE "192.0.2.1/24");
	s.vips = make(&s);
	links_do(GONE "192.0.2.1/24");
	vips_destroy(old);
	vips_claim(s.vips);
	/* The loop stands still: the lease ends. */
	links_do("sleep 4.5");
	links_do(GONE "192.0.2.1/24");
	scene_close(&s);
}
END_TEST

/* Whoever wakes up late may have been replaced meanwhile: the loop is told first, and what it decides counts. */
START_TEST(who_was_stopped_does_not_announce)
{
	struct scene s;
	uint64_t announced;

	scene_open(&s);
	vips_claim(s.vips);
	announced = stats(&s).announced;
	ck_assert_uint_gt(announced, 0);
	links_do("sleep 0.2");
	turns(&s, 1);
	ck_assert_uint_eq(stats(&s).announced, announced);
	vips_hush(s.vips);
	turns(&s, 300);
	ck_assert_uint_eq(stats(&s).announced, announced);
	/* It was nothing. */
	vips_claim(s.vips);
	announced = stats(&s).announced;
	links_do("sleep 0.2");
	turns(&s, 300);
	ck_assert_uint_gt(stats(&s).announced, announced);
	scene_close(&s);
}
END_TEST

/* A loop of which each turn is late: longer than a lease, and the addresses are there. */
START_TEST(late_turns_renew)
{
	struct scene s;

	scene_open(&s);
	vips_claim(s.vips);
	for (int i = 0; i < 50; i++) {
		(void)usleep(100000);
		loop_turn(s.loop, false);
	}
	links_do(THERE "192.0.2.1/24");
	scene_close(&s);
}
END_TEST

static void add(TCase *t)
{
	tcase_set_timeout(t, 60);
	tcase_add_test(t, claimed_renewed_released);
	tcase_add_test(t, interfaces_come_and_go);
	tcase_add_test(t, configured_while_claimed);
	tcase_add_test(t, who_was_stopped_does_not_announce);
	tcase_add_test(t, late_turns_renew);
	tcase_add_test(t, leftovers_go);
}

int main(void)
{
	return links_make() ? links_run("vips", add) : EXIT_SUCCESS;
}
