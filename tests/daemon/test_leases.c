#include "daemon/leases.h"

#include <jansson.h>

#include "daemon_check.h"

enum { DAY = 86400 };

struct scene {
	struct hand_clock clock;
	struct kept_log log;
	struct rng_seeded rng;
	struct env env;
	struct pool_cfg pool_cfg[2];
	struct settings settings;
	struct loop *loop;
	struct pools *pools;
	struct leases *leases;
	char *dir;
};

static void pools_open(struct scene *s)
{
	s->pools = pools_create(&s->env, &s->settings);
	ck_assert_ptr_nonnull(s->pools);
	s->leases = leases_create(&s->env, s->loop, s->dir, s->pools);
	ck_assert_ptr_nonnull(s->leases);
}

static void pools_shut(struct scene *s)
{
	leases_destroy(s->leases);
	pools_destroy(s->pools);
}

static void scene_open(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->clock = hand_clock_at(1800000000);
	kept_log_init(&s->log);
	rng_seeded_init(&s->rng, 7);
	s->env = (struct env){ .clock = &s->clock.clock, .rng = &s->rng.rng, .log = &s->log.log };
	s->pool_cfg[0] =
		(struct pool_cfg){ .name = (char *)(uintptr_t) "v4", .prefix_len = 16, .lease_time_us = SECONDS(DAY) };
	s->pool_cfg[1] =
		(struct pool_cfg){ .name = (char *)(uintptr_t) "v6", .prefix_len = 64, .lease_time_us = SECONDS(DAY) };
	ck_assert(range_parse("10.9.0.1-10.9.255.254", &s->pool_cfg[0].addresses));
	ck_assert(range_parse("fd00::1-fd00::ffff", &s->pool_cfg[1].addresses));
	s->settings.pools = s->pool_cfg;
	s->settings.pool_count = 2;
	s->loop = loop_create(&s->clock.clock, NULL);
	s->dir = scratch_make();
	pools_open(s);
}

static void scene_close(struct scene *s)
{
	pools_shut(s);
	loop_destroy(s->loop);
	scratch_remove(s->dir);
}

static struct addr lease(struct scene *s, unsigned pool, const char *id)
{
	struct addr a;

	ck_assert_int_eq(pool_lease(s->pools, &s->pool_cfg[pool], ID_RFC822, bytes_str(id), NULL, false, &a), GW_OK);
	return a;
}

/* A new process: nothing is left but the files. */
static size_t restart(struct scene *s, int64_t seconds_down)
{
	pools_shut(s);
	s->clock.wall += seconds_down;
	s->clock.now.us = SECONDS(5000);
	pools_open(s);
	return leases_load(s->leases, &s->settings);
}

START_TEST(leases_survive_a_restart)
{
	struct scene s;
	struct addr alice, alice6, bob, other;

	scene_open(&s);
	ck_assert_uint_eq(leases_load(s.leases, &s.settings), 0); /* no file: nothing, and no complaint */
	alice = lease(&s, 0, "alice@example.org");
	alice6 = lease(&s, 1, "alice@example.org");
	bob = lease(&s, 0, "bob \"the\\ \xff\n builder");
	pool_release(s.pools, "v4", &bob);
	ck_assert_int_eq(leases_save(s.leases, NULL), GW_OK);
	ck_assert_uint_eq(restart(&s, 60), 3);
	ck_assert_str_eq(s.log.text, "");
	ck_assert_uint_eq(pool_usage(s.pools, "v4").kept, 2);
	ck_assert_uint_eq(pool_usage(s.pools, "v4").used, 0);
	other = lease(&s, 0, "carol@example.org");
	ck_assert(!addr_equal(&other, &alice) && !addr_equal(&other, &bob));
	other = lease(&s, 0, "alice@example.org");
	ck_assert(addr_equal(&other, &alice));
	other = lease(&s, 1, "alice@example.org");
	ck_assert(addr_equal(&other, &alice6));
	other = lease(&s, 0, "bob \"the\\ \xff\n builder");
	ck_assert(addr_equal(&other, &bob));
	scene_close(&s);
}
END_TEST

static mtime first_until;

static bool note_until(void *arg, const struct lease *l)
{
	(void)arg;
	first_until = l->until;
	return false;
}

START_TEST(time_away_counts)
{
	struct scene s;
	struct addr a;

	scene_open(&s);
	a = lease(&s, 0, "alice");
	pool_release(s.pools, "v4", &a);
	ck_assert_int_eq(leases_save(s.leases, NULL), GW_OK);
	ck_assert_uint_eq(restart(&s, DAY - 100), 1);
	pools_each(s.pools, note_until, NULL);
	ck_assert_int_le(first_until.us - s.clock.now.us, SECONDS(100));
	ck_assert_int_ge(first_until.us - s.clock.now.us, SECONDS(98));
	ck_assert_int_eq(leases_save(s.leases, NULL), GW_OK);
	ck_assert_uint_eq(restart(&s, 101), 0); /* its time is up */
	scene_close(&s);
}
END_TEST

START_TEST(clock_set_back_keeps_no_longer_than_the_pool_says)
{
	struct scene s;
	struct addr a;

	scene_open(&s);
	a = lease(&s, 0, "alice");
	pool_release(s.pools, "v4", &a);
	ck_assert_int_eq(leases_save(s.leases, NULL), GW_OK);
	ck_assert_uint_eq(restart(&s, -1000 * (int64_t)DAY), 1);
	pools_each(s.pools, note_until, NULL);
	ck_assert_int_le(first_until.us - s.clock.now.us, SECONDS(DAY));
	scene_close(&s);
}
END_TEST

START_TEST(what_no_longer_fits_is_left_out)
{
	struct scene s;

	scene_open(&s);
	(void)lease(&s, 0, "alice");
	(void)lease(&s, 1, "alice");
	ck_assert_int_eq(leases_save(s.leases, NULL), GW_OK);
	s.settings.pool_count = 1;
	ck_assert(range_parse("10.200.0.1-10.200.0.9", &s.pool_cfg[0].addresses));
	ck_assert_uint_eq(restart(&s, 1), 0);
	ck_assert_str_eq(s.log.text, "");
	scene_close(&s);
}
END_TEST

/* The file is valid JSON as a whole, for people and scripts. */
START_TEST(file_is_json)
{
	struct scene s;
	json_t *j;

	scene_open(&s);
	for (int round = 0; round < 3; round++) {
		char id[16];

		ck_assert_int_eq(leases_save(s.leases, NULL), GW_OK);
		j = json_load_file(path_in(s.dir, "leases.json"), JSON_REJECT_DUPLICATES, NULL);
		ck_assert_ptr_nonnull(j);
		ck_assert_str_eq(json_string_value(json_object_get(j, "schema")), "gateway-leases/1");
		ck_assert_int_eq((int)json_array_size(json_object_get(j, "leases")), round);
		json_decref(j);
		(void)snprintf(id, sizeof(id), "id%d", round);
		(void)lease(&s, 0, id);
	}
	scene_close(&s);
}
END_TEST

static const char *const damaged[] = {
	"",
	"{}",
	"{\"schema\":\"gateway-leases/2\",\"saved\":1,\"leases\":[\n]}\n",
	"{\"schema\":\"gateway-leases/1\",\"saved\":1,\"leases\":[\n",
	"{\"schema\":\"gateway-leases/1\",\"saved\":1,\"leases\":[\n{\"pool\":\"v4\"",
	"{\"schema\":\"gateway-leases/1\",\"saved\":1,\"leases\":[\n{\"pool\":\"v4\"}\n]}\n",
	"{\"schema\":\"gateway-leases/1\",\"saved\":1,\"leases\":[\n"
	"{\"pool\":\"v4\",\"addr\":\"10.9.0.5\",\"id_kind\":3,\"id\":\"6\",\"until\":0}\n]}\n",
	"{\"schema\":\"gateway-leases/1\",\"saved\":1,\"leases\":[\n"
	"{\"pool\":\"v4\",\"addr\":\"10.9.0.5\",\"id_kind\":300,\"id\":\"61\",\"until\":0}\n]}\n",
	"{\"schema\":\"gateway-leases/1\",\"saved\":1,\"leases\":[\n"
	"{\"pool\":\"v4\",\"addr\":\"10.9.0.500\",\"id_kind\":3,\"id\":\"61\",\"until\":0}\n]}\n",
};

START_TEST(damaged_file_is_set_aside)
{
	struct scene s;

	scene_open(&s);
	file_put(path_in(s.dir, "leases.json"), damaged[_i]);
	ck_assert_uint_eq(leases_load(s.leases, &s.settings), 0);
	ck_assert_ptr_nonnull(strstr(s.log.text, "is damaged"));
	ck_assert_int_eq(access(path_in(s.dir, "leases.json.bad"), F_OK), 0);
	ck_assert_int_ne(access(path_in(s.dir, "leases.json"), F_OK), 0);
	scene_close(&s);
}
END_TEST

/* Changes reach the disk by themselves, without a turn that takes long. */
START_TEST(changes_are_saved_by_the_loop)
{
	enum { CLIENTS = 3500 };
	struct scene s;
	int turns = 0;

	scene_open(&s);
	for (int i = 0; i < CLIENTS; i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "client%d@example.org", i);
		(void)lease(&s, 0, id);
	}
	leases_watch(s.leases);
	loop_turn(s.loop, false);
	ck_assert_int_ne(access(path_in(s.dir, "leases.json"), F_OK), 0); /* in a moment, not at once */
	/* From here on the loop's clock runs far ahead of its timers, which therefore are due when they fire. */
	s.clock.now.us += SECONDS(10);
	while (access(path_in(s.dir, "leases.json"), F_OK) != 0 && turns++ < 1000) {
		leases_watch(s.leases);
		loop_turn(s.loop, true);
	}
	ck_assert_int_eq(access(path_in(s.dir, "leases.json"), F_OK), 0);
	ck_assert_int_ge(turns, 4); /* a thousand a turn */
	ck_assert_uint_eq(restart(&s, 1), CLIENTS);
	ck_assert_str_eq(s.log.text, "");
	scene_close(&s);
}
END_TEST

START_TEST(disk_that_fails_is_told)
{
	struct scene s;
	struct err e = { 0 };

	scene_open(&s);
	(void)lease(&s, 0, "alice");
	ck_assert_int_eq(mkdir(path_in(s.dir, "leases.json.new"), 0700), 0); /* in the way */
	ck_assert_int_eq(leases_save(s.leases, &e), GW_EIO);
	ck_assert_ptr_nonnull(strstr(e.text, "leases.json"));
	scene_close(&s);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("leases");

	tcase_add_test(tc, leases_survive_a_restart);
	tcase_add_test(tc, time_away_counts);
	tcase_add_test(tc, clock_set_back_keeps_no_longer_than_the_pool_says);
	tcase_add_test(tc, what_no_longer_fits_is_left_out);
	tcase_add_test(tc, file_is_json);
	tcase_add_loop_test(tc, damaged_file_is_set_aside, 0, (int)ARRAY_LEN(damaged));
	tcase_add_test(tc, changes_are_saved_by_the_loop);
	tcase_add_test(tc, disk_that_fails_is_told);
	tcase_set_timeout(tc, 60);
	return check_main("leases", tc);
}
