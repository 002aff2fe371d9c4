/* Records of IKE SAs as engines wrote them (tests/fuzz/seeds/state): half-open, up, with our rekeys and deletes under
 * way. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/load.h"
#include "core/crypto/crypto.h"
#include "ike/ike.h"
#include "ike/state.h"
#include "tests/check_main.h"

static mtime fixed_now(const struct clock *c)
{
	(void)c;
	return (mtime){ SECONDS(1000) };
}

static int64_t fixed_wall(const struct clock *c)
{
	(void)c;
	return 1800000000;
}

static const struct clock fixed_clock = { .now = fixed_now, .wall = fixed_wall };

struct node {
	struct rng_seeded rng;
	struct env env;
	struct settings *settings;
	struct pools *pools;
	struct ike *ike;
};

#define YAML(conn) \
	"pools:\n  c4: {addresses: 10.10.0.0/24}\n  c6: {addresses: 'fd10::/64'}\n" \
	"connections:\n  " conn ":\n    psk: abcdefghijklmnop\n    pools: [c4, c6]\n" \
	"    children: {lan: {local: [10.1.0.0/24, 'fd01::/64']}}\n"

static void node_init(struct node *n, const char *yaml)
{
	struct config_report report = { 0 };

	rng_seeded_init(&n->rng, 1);
	n->env = (struct env){ .clock = &fixed_clock, .rng = &n->rng.rng, .crypto = crypto_create(NULL) };
	n->settings = config_load_text("t.yaml", bytes_str(yaml), NULL, &report);
	config_report_clear(&report);
	ck_assert_ptr_nonnull(n->settings);
	n->pools = pools_create(&n->env, n->settings);
	n->ike = ike_create(&n->env, n->settings, n->pools);
	ck_assert_ptr_nonnull(n->ike);
}

static void node_clear(struct node *n)
{
	ike_destroy(n->ike);
	pools_destroy(n->pools);
	settings_unref(n->settings);
	crypto_destroy(n->env.crypto);
}

static bool is_empty(const struct node *n)
{
	uint32_t after = 0;

	return !ike_next(n->ike, &after) && ike_count(n->ike) == 0 && ike_child_count(n->ike) == 0 &&
	       ike_half_open_count(n->ike) == 0 && pool_usage(n->pools, "c4").used == 0;
}

struct record {
	uint8_t bytes[65536];
	size_t n;
	char name[256];
};

/* Calls `each` for every record; returns how many there were. */
static size_t for_each_record(void (*each)(struct record *r))
{
	static struct record r;
	DIR *dir = opendir(TEST_DATA "/fuzz/seeds/state");
	struct dirent *e;
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	while ((e = readdir(dir))) {
		char path[1024];
		FILE *f;

		if (e->d_name[0] == '.' || strncmp(e->d_name, "crash", 5) == 0)
			continue;
		(void)snprintf(path, sizeof(path), TEST_DATA "/fuzz/seeds/state/%s", e->d_name);
		f = fopen(path, "rb");
		ck_assert_ptr_nonnull(f);
		r.n = fread(r.bytes, 1, sizeof(r.bytes), f);
		(void)fclose(f);
		(void)snprintf(r.name, sizeof(r.name), "%s", e->d_name);
		each(&r);
		count++;
	}
	(void)closedir(dir);
	return count;
}

static uint64_t only_key(const struct node *n)
{
	uint32_t after = 0;
	const struct ike_sa *sa = ike_next(n->ike, &after);

	ck_assert_ptr_nonnull(sa);
	return ike_sa_local_spi(sa);
}

static void same_again(struct record *r)
{
	static uint8_t out[65536];
	struct writer w = wr_of(out, sizeof(out));
	struct err e = { 0 };
	struct node n;

	node_init(&n, YAML("road"));
	ck_assert_msg(ike_decode(n.ike, bytes_of(r->bytes, r->n), false, &e) == GW_OK, "%s: %s", r->name, e.text);
	ck_assert_int_eq(ike_encode(n.ike, only_key(&n), &w), GW_OK);
	ck_assert_msg(bytes_equal(wr_done(&w), bytes_of(r->bytes, r->n)), "%s comes back changed", r->name);
	/* Applying it twice is applying it once. */
	ck_assert_int_eq(ike_decode(n.ike, bytes_of(r->bytes, r->n), false, &e), GW_OK);
	w = wr_of(out, sizeof(out));
	ck_assert_int_eq(ike_encode(n.ike, only_key(&n), &w), GW_OK);
	ck_assert(bytes_equal(wr_done(&w), bytes_of(r->bytes, r->n)));
	ck_assert_uint_le(ike_count(n.ike) + ike_half_open_count(n.ike), 1);
	ike_forget(n.ike, only_key(&n), false);
	ck_assert_msg(is_empty(&n), "%s leaves something behind", r->name);
	node_clear(&n);
}

START_TEST(round_trip)
{
	ck_assert_uint_ge(for_each_record(same_again), 5);
}
END_TEST

static void cut_everywhere(struct record *r)
{
	struct node n;
	size_t refused = 0;

	node_init(&n, YAML("road"));
	for (size_t cut = 0; cut < r->n; cut++) {
		/* Cut between two fields it may be a record that lacks optional ones; anywhere else it is refused. */
		if (ike_decode(n.ike, bytes_of(r->bytes, cut), false, NULL) == GW_OK)
			ike_forget(n.ike, only_key(&n), false);
		else
			refused++;
		ck_assert_msg(is_empty(&n), "%s cut at %zu leaves something behind", r->name, cut);
		ike_end_turn(n.ike);
	}
	ck_assert_uint_gt(refused, r->n - 40);
	node_clear(&n);
}

START_TEST(truncated)
{
	ck_assert_uint_ge(for_each_record(cut_everywhere), 5);
}
END_TEST

static void with_unknown_field(struct record *r)
{
	struct node n;
	uint8_t *p = r->bytes + r->n;
	struct err e = { 0 };

	node_init(&n, YAML("road"));
	put_u16(p, 0x7abc);
	put_u32(p + 2, 3);
	memset(p + 6, 0x55, 3);
	ck_assert_int_eq(ike_decode(n.ike, bytes_of(r->bytes, r->n + 9), false, NULL), GW_OK);
	ike_forget(n.ike, only_key(&n), false);
	put_u16(p, 0x7abc | FIELD_CRITICAL);
	ck_assert_int_eq(ike_decode(n.ike, bytes_of(r->bytes, r->n + 9), false, &e), GW_EUNSUPPORTED);
	ck_assert(is_empty(&n));
	node_clear(&n);
}

START_TEST(unknown_fields)
{
	ck_assert_uint_ge(for_each_record(with_unknown_field), 5);
}
END_TEST

static void elsewhere(struct record *r)
{
	struct node n;
	struct err e = { 0 };

	if (strncmp(r->name, "half", 4) == 0)
		return; /* nobody is authenticated yet: no connection is named */
	node_init(&n, YAML("other"));
	ck_assert_int_eq(ike_decode(n.ike, bytes_of(r->bytes, r->n), false, &e), GW_ECONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "road"));
	ck_assert(is_empty(&n));
	node_clear(&n);
}

START_TEST(unknown_connection_is_refused_by_name)
{
	ck_assert_uint_ge(for_each_record(elsewhere), 5);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("state");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, truncated);
	tcase_add_test(t, unknown_fields);
	tcase_add_test(t, unknown_connection_is_refused_by_name);
	return check_main("state", t);
}
