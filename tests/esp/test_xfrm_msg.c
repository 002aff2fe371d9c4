/* XFRM messages and rows without a kernel; what the kernel makes of them is in test_xfrm.c. */
#include "esp/xfrm_msg.h"

#include <errno.h>

#include "esp/xfrm_state.h"
#include "tests/esp/esp_check.h"

static _Alignas(struct nlmsghdr) uint8_t buf[65536];

static const struct nlmsghdr *message(void)
{
	return (const struct nlmsghdr *)(const void *)buf;
}

START_TEST(batches)
{
	struct nl_batch b;
	struct cipher_suite suite = suite_of(&suite_rows[0]);
	struct xfrm_state s = { .suite = suite,
				.encr_key = bytes_of(test_keys, 20),
				.reqid = 1,
				.spi = 7,
				.local = endpoint_of("192.0.2.1", 1),
				.remote = endpoint_of("192.0.2.2", 2) };
	struct xfrm_numbers n = { .window = 4096 };
	size_t one, count = 0;

	s.dir = DP_IN;
	nl_reset(&b, buf, sizeof(buf), 100);
	ck_assert(xfrm_put_new_sa(&b, &s, &n));
	one = b.n;
	ck_assert_uint_eq(message()->nlmsg_len, one);
	ck_assert_uint_eq(message()->nlmsg_seq, 100);
	/* Too small by any number of octets: nothing is appended, and what is there stays. */
	for (size_t cap = one; cap < 2 * one; cap += 4) {
		nl_reset(&b, buf, cap, 1);
		ck_assert(xfrm_put_new_sa(&b, &s, &n));
		ck_assert(!xfrm_put_new_sa(&b, &s, &n));
		ck_assert(b.n == one && b.count == 1 && !b.full && b.last == 0);
	}
	nl_reset(&b, buf, sizeof(buf), 1);
	while (xfrm_put_new_sa(&b, &s, &n))
		count++;
	ck_assert_uint_eq(count, sizeof(buf) / one);
}
END_TEST

START_TEST(states_read_back)
{
	for (size_t k = 0; k < ARRAY_LEN(suite_rows); k++)
		for (unsigned i = 0; i < 8; i++) {
			struct cipher_suite suite = suite_of(&suite_rows[k]);
			struct xfrm_state s = {
				.dir = i & 1 ? DP_IN : DP_OUT,
				.spi = 0x12345678,
				.reqid = 99,
				.sign = xfrm_sign(5, i & 1 ? XFRM_KIND_IN : XFRM_KIND_OUT),
				.local = i & 2 ? endpoint_of("2001:db8::1", 4500) : endpoint_of("192.0.2.1", 4500),
				.remote = i & 2 ? endpoint_of("2001:db8::2", 77) : endpoint_of("192.0.2.2", 77),
				.udp_encap = (i & 4) != 0,
				.esn = true,
				.suite = suite,
				.encr_key = bytes_of(test_keys, suite_encr_key_len(&suite)),
				.integ_key = bytes_of(test_keys, suite_integ_key_len(&suite)),
				.soft = 10,
				.hard = 20,
			};
			struct xfrm_numbers n = { .position = (UINT64_C(3) << 32) + 5, .window = 64, .packets = 6 };
			enum xfrm_kind kind;
			struct xfrm_view v;
			struct nl_batch b;

			nl_reset(&b, buf, sizeof(buf), 1);
			ck_assert(xfrm_put_new_sa(&b, &s, &n));
			ck_assert(xfrm_get_state(message(), &v));
			ck_assert(v.id.dir == s.dir && v.id.spi == s.spi && v.reqid == 99 && v.esn && v.tunnel);
			ck_assert(addr_equal(&v.id.local, &s.local.addr) && addr_equal(&v.id.remote, &s.remote.addr));
			ck_assert(v.udp_encap == s.udp_encap && v.soft == 10 && v.hard == 20);
			if (s.udp_encap)
				ck_assert(v.local_port == 4500 && v.remote_port == 77);
			ck_assert_uint_eq(v.numbers.position, n.position);
			ck_assert(bytes_equal(v.key, s.encr_key));
			ck_assert(xfrm_sign_ours(v.user, 5, &kind) && !xfrm_sign_ours(v.user, 4, &kind));
			/* Cut anywhere: refused or read as far as it goes, never beyond. */
			for (uint32_t cut = 16; cut < b.n; cut++) {
				uint8_t *copy = malloc(cut);

				memcpy(copy, buf, cut);
				((struct nlmsghdr *)(void *)copy)->nlmsg_len = cut;
				(void)!xfrm_get_state((const struct nlmsghdr *)(const void *)copy, &v);
				free(copy);
			}
		}
}
END_TEST

START_TEST(windows)
{
	ck_assert_uint_eq(xfrm_window(0, false), 0);
	ck_assert_uint_eq(xfrm_window(0, true), 64);
	ck_assert_uint_eq(xfrm_window(1, false), 32);
	ck_assert_uint_eq(xfrm_window(33, true), 64);
	ck_assert_uint_eq(xfrm_window(4095, false), 4096);
	ck_assert_uint_eq(xfrm_window(4096, false), 4096);
}
END_TEST

START_TEST(errors)
{
	ck_assert_int_eq(xfrm_error(0), GW_OK);
	ck_assert_int_eq(xfrm_error(ESRCH), GW_ENOTFOUND);
	ck_assert_int_eq(xfrm_error(EEXIST), GW_EEXIST);
	ck_assert_int_eq(xfrm_error(EINVAL), GW_EINVAL);
	ck_assert_int_eq(xfrm_error(ENOBUFS), GW_ENOMEM);
	ck_assert_int_eq(xfrm_error(EPROTONOSUPPORT), GW_EUNSUPPORTED);
	ck_assert_int_eq(xfrm_error(ENOSYS), GW_EUNSUPPORTED);
	ck_assert_int_eq(xfrm_error(EPERM), GW_EPERM);
	ck_assert_int_eq(xfrm_error(EBUSY), GW_EBUSY);
	ck_assert_int_eq(xfrm_error(EDOM), GW_EIO);
}
END_TEST

/* ---- rows ---- */

static struct xfrm_row *rows;
static size_t row_count;

static enum gw_err make(struct selector mine, struct selector other)
{
	struct dp_policy p = { .reqid = 1, .ours = &mine, .ours_count = 1, .theirs = &other, .theirs_count = 1 };
	const char *why = NULL;
	enum gw_err r;

	free(rows);
	rows = NULL;
	row_count = 0;
	r = xfrm_rows_make(&p, &rows, &row_count, &why);
	ck_assert((r == GW_OK) == (why == NULL));
	return r;
}

/* How many of the rows take this pair of addresses and ports. */
static size_t takes(const char *mine, uint16_t my_port, const char *other, uint16_t other_port)
{
	struct addr a = addr_of(mine), b = addr_of(other);
	size_t n = 0;

	for (size_t i = 0; i < row_count; i++)
		n += prefix_contains(&rows[i].ours, &a) && prefix_contains(&rows[i].theirs, &b) &&
		     (my_port & rows[i].our_mask) == rows[i].our_port &&
		     (other_port & rows[i].their_mask) == rows[i].their_port;
	return n;
}

START_TEST(rows_cover_exactly)
{
	ck_assert_int_eq(
		make(selector_for("10.0.0.1-10.0.0.9", 17, 1000, 1999), selector_for("10.9.0.0/16", 0, 0, 65535)),
		GW_OK);
	ck_assert_uint_eq(takes("10.0.0.0", 1500, "10.9.1.1", 1), 0);
	for (uint16_t port = 990; port < 2010; port++)
		ck_assert_uint_eq(takes("10.0.0.9", port, "10.9.1.1", 5), port >= 1000 && port <= 1999);
	ck_assert_uint_eq(takes("10.0.0.1", 1500, "10.9.1.1", 1), 1);
	ck_assert_uint_eq(takes("10.0.0.10", 1500, "10.9.1.1", 1), 0);
	ck_assert_uint_eq(rows[0].proto, 17);
	ck_assert_int_eq(
		make(selector_for("0.0.0.0-255.255.255.255", 0, 0, 65535), selector_for("10.9.0.1", 0, 1, 65534)),
		GW_OK);
	ck_assert_uint_eq(row_count, 30);
	ck_assert_uint_eq(takes("1.2.3.4", 9, "10.9.0.1", 0) + takes("1.2.3.4", 9, "10.9.0.1", 65535), 0);
	ck_assert_uint_eq(takes("1.2.3.4", 9, "10.9.0.1", 65534), 1);
	ck_assert_int_eq(make(selector_for("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 0, 0, 65535),
			      selector_for("2001:db8::1", 0, 0, 65535)),
			 GW_OK);
	ck_assert_uint_eq(row_count, 128);
}
END_TEST

START_TEST(rows_refused)
{
	/* Nothing in common; too many; ICMP types that the kernel cannot select by. */
	ck_assert_int_eq(make(selector_for("10.0.0.0/8", 0, 0, 65535), selector_for("2001:db8::1", 0, 0, 65535)),
			 GW_EUNSUPPORTED);
	ck_assert_int_eq(make(selector_for("10.0.0.0/8", 6, 0, 65535), selector_for("10.0.0.1", 17, 0, 65535)),
			 GW_EUNSUPPORTED);
	ck_assert_int_eq(make(selector_for("10.0.0.1-10.255.255.254", 6, 1, 65534),
			      selector_for("10.0.0.1-10.255.255.254", 6, 1, 65534)),
			 GW_ELIMIT);
	ck_assert_int_eq(make(selector_for("10.0.0.1", 1, 0x0300, 0x08ff), selector_for("10.0.0.1", 1, 0, 65535)),
			 GW_EUNSUPPORTED);
	ck_assert_int_eq(make(selector_for("10.0.0.1", 1, 0x0304, 0x0304), selector_for("10.0.0.1", 1, 0, 65535)),
			 GW_OK);
	ck_assert(rows[0].our_port == 3 && rows[0].our_mask == 0xffff && rows[0].their_port == 4);
	ck_assert_int_eq(make(selector_for("10.0.0.1", 1, 0, 65535), selector_for("10.0.0.1", 1, 0x0300, 0x03ff)),
			 GW_OK);
	ck_assert(rows[0].our_port == 3 && rows[0].their_mask == 0);
}
END_TEST

static uint32_t priority(const char *mine, const char *other, uint8_t proto, uint16_t lo, uint16_t hi)
{
	ck_assert_int_eq(make(selector_for(mine, proto, 0, 65535), selector_for(other, proto, lo, hi)), GW_OK);
	return xfrm_row_priority(&rows[0]);
}

START_TEST(narrower_first)
{
	const uint32_t order[] = {
		priority("10.0.0.1", "10.1.1.1", 17, 5, 5),	 priority("10.0.0.0/8", "10.1.1.1", 17, 5, 5),
		priority("10.0.0.1", "10.1.1.1", 17, 4, 5),	 priority("10.0.0.1", "10.1.1.1", 17, 0, 65535),
		priority("10.0.0.1", "10.1.1.1", 0, 0, 65535),	 priority("0.0.0.0/0", "10.1.1.1", 0, 0, 65535),
		priority("10.0.0.1", "10.1.1.0/24", 17, 5, 5),	 priority("10.0.0.1", "10.0.0.0/8", 0, 0, 65535),
		priority("0.0.0.0/0", "0.0.0.0/0", 0, 0, 65535),
	};

	for (size_t i = 1; i < ARRAY_LEN(order); i++)
		ck_assert_msg(order[i - 1] < order[i], "%zu", i);
	ck_assert_uint_eq(priority("2001:db8::1", "2001:db8::2", 0, 0, 65535),
			  priority("10.0.0.1", "10.1.1.1", 0, 0, 65535));
	ck_assert_uint_lt(XFRM_PRIO_SHUT, order[0]);
	ck_assert_uint_lt(priority("::/0", "::/0", 0, 0, 65535), XFRM_PRIO_GUARD);
	free(rows);
	rows = NULL;
}
END_TEST

START_TEST(policies_read_back)
{
	static const uint8_t dirs[] = { XFRM_POLICY_IN, XFRM_POLICY_OUT, XFRM_POLICY_FWD };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		struct xfrm_policy p = { .dir = dirs[i],
					 .priority = 5,
					 .sign = xfrm_sign(1, XFRM_KIND_POLICY),
					 .has_template = true,
					 .reqid = 6,
					 .spi = 7,
					 .local = addr_of("192.0.2.1"),
					 .remote = addr_of("192.0.2.2"),
					 .mark = 8,
					 .mark_mask = 9,
					 .if_id = 10 };
		struct xfrm_policy q;
		struct nl_batch b;

		p.row = (struct xfrm_row){
			{ addr_of("10.0.0.0"), 8 }, { addr_of("10.9.0.0"), 16 }, 1, 0xffff, 2, 0xfffe, 17
		};
		nl_reset(&b, buf, sizeof(buf), 1);
		ck_assert(xfrm_put_policy(&b, &p));
		((struct nlmsghdr *)(void *)buf)->nlmsg_type = XFRM_MSG_NEWPOLICY; /* as the kernel shows it */
		ck_assert(xfrm_get_policy(message(), &q));
		ck_assert(q.dir == p.dir && q.priority == 5 && q.sign == p.sign && q.reqid == 6 && q.spi == 7);
		ck_assert(q.mark == 8 && q.mark_mask == 9 && q.if_id == 10 && !q.block);
		ck_assert(addr_equal(&q.local, &p.local) && addr_equal(&q.remote, &p.remote));
		ck_assert(q.row.our_port == 1 && q.row.our_mask == 0xffff && q.row.their_port == 2);
		ck_assert(addr_equal(&q.row.ours.addr, &p.row.ours.addr) && q.row.theirs.len == 16);
	}
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, batches);
	tcase_add_test(t, states_read_back);
	tcase_add_test(t, windows);
	tcase_add_test(t, errors);
	tcase_add_test(t, rows_cover_exactly);
	tcase_add_test(t, rows_refused);
	tcase_add_test(t, narrower_first);
	tcase_add_test(t, policies_read_back);
}

int main(void)
{
	return run_cases("xfrm_msg", add);
}
