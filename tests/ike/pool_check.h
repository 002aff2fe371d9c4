/* Three pools with a clock of their own, and what is asked of them in a word. */
#ifndef TESTS_IKE_POOL_CHECK_H
#define TESTS_IKE_POOL_CHECK_H

#include "ike/pool.h"

#include "fake_env.h"
#include "ike/leases.h"
#include "payload_check.h"

static struct fake_env env;
static struct pool_cfg cfgs[3];
static struct settings settings;
static struct pools *pools;

static inline struct range range_of(const char *text)
{
	struct range r;

	ck_assert(range_parse(text, &r));
	return r;
}

static inline struct addr addr_of(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(text, &a));
	return a;
}

static inline void setup(void)
{
	fake_env_init(&env);
	cfgs[0] = (struct pool_cfg){ .name = (char *)(uintptr_t) "small",
				     .addresses = range_of("10.0.0.1-10.0.0.4"),
				     .prefix_len = 24,
				     .lease_time_us = SECONDS(100) };
	cfgs[1] = (struct pool_cfg){ .name = (char *)(uintptr_t) "six",
				     .addresses = range_of("fd00::/64"),
				     .prefix_len = 64,
				     .lease_time_us = SECONDS(100) };
	cfgs[2] = (struct pool_cfg){ .name = (char *)(uintptr_t) "big",
				     .addresses = range_of("10.128.0.0/9"),
				     .prefix_len = 9,
				     .lease_time_us = SECONDS(100) };
	settings = (struct settings){ .pools = cfgs, .pool_count = 3 };
	pools = pools_create(&env.env, &settings);
	ck_assert_ptr_nonnull(pools);
}

static inline void teardown(void)
{
	pools_destroy(pools);
}

#define SMALL (&cfgs[0])
#define SIX (&cfgs[1])
#define BIG (&cfgs[2])

/* The address as text, or "none". */
static inline const char *lease_as(const struct pool_cfg *pool, const char *who, const char *wanted, bool share)
{
	static char text[ADDR_TEXT];
	struct addr want = { 0 }, got;
	enum gw_err rc;

	if (wanted)
		want = addr_of(wanted);
	rc = pool_lease(pools, pool, ID_RFC822, bytes_str(who), wanted ? &want : NULL, share, &got);
	ck_assert(rc == GW_OK || rc == GW_EADDRESS);
	if (rc != GW_OK)
		return "none";
	ck_assert(range_contains(&pool->addresses, &got));
	return addr_text(&got, text);
}

static inline const char *lease(const char *who)
{
	return lease_as(SMALL, who, NULL, false);
}

static inline void release(const char *addr)
{
	struct addr a = addr_of(addr);

	pool_release(pools, "small", &a);
}

static inline void check_usage(const char *pool, uint64_t used, uint64_t kept)
{
	struct pool_usage u = pool_usage(pools, pool);

	ck_assert_uint_eq(u.used, used);
	ck_assert_uint_eq(u.kept, kept);
}

static inline enum gw_err restore(const char *who, const char *addr, uint32_t holders, int64_t keep_us)
{
	struct addr a = addr_of(addr);

	return pool_restore(pools, "small", ID_RFC822, bytes_str(who), &a, holders, keep_us);
}

struct saved {
	struct {
		char pool[16];
		struct addr addr;
		uint8_t id_kind;
		uint8_t id[64];
		size_t id_len;
		uint32_t holders;
		mtime until;
	} l[64];
	size_t n, stop_after;
};

static inline bool save(void *arg, const struct lease *l)
{
	struct saved *s = arg;

	strcpy(s->l[s->n].pool, l->pool);
	s->l[s->n].addr = l->addr;
	s->l[s->n].id_kind = l->id_kind;
	memcpy(s->l[s->n].id, l->id.p, l->id.n);
	s->l[s->n].id_len = l->id.n;
	s->l[s->n].holders = l->holders;
	s->l[s->n].until = l->until;
	s->n++;
	return s->n != s->stop_after;
}

#endif
