/* What the tests of esp/ share: an environment, suites, inner packets, SAs and policies. */
#ifndef TESTS_ESP_CHECK_H
#define TESTS_ESP_CHECK_H

#include "core/env.h"
#include "esp/dataplane.h"
#include "tests/check_main.h"

/* Every suite that ESP may be negotiated with, once each way of building a packet. */
static const struct suite_row {
	uint16_t encr, key_bits, integ;
} suite_rows[] = {
	{ ENCR_AES_GCM_16, 128, 0 },
	{ ENCR_AES_GCM_16, 256, 0 },
	{ ENCR_AES_GCM_12, 192, 0 },
	{ ENCR_AES_GCM_8, 128, 0 },
	{ ENCR_AES_CCM_16, 128, 0 },
	{ ENCR_CHACHA20_POLY1305, 256, 0 },
	{ ENCR_AES_CBC, 128, INTEG_HMAC_SHA1_96 },
	{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128 },
	{ ENCR_AES_CTR, 128, INTEG_HMAC_SHA2_384_192 },
	{ ENCR_AES_CTR, 256, INTEG_HMAC_SHA2_512_256 },
};

static inline struct cipher_suite suite_of(const struct suite_row *row)
{
	struct cipher_suite s = { .encr = encr_find(row->encr), .key_bits = row->key_bits };

	if (row->integ != 0)
		s.integ = integ_find(row->integ);
	ck_assert_ptr_nonnull(s.encr);
	ck_assert(row->integ == 0 || s.integ != NULL);
	return s;
}

static inline struct addr addr_of(const char *text)
{
	struct addr a = { 0 };

	ck_assert_msg(addr_parse(text, &a), "%s", text);
	return a;
}

static inline struct endpoint endpoint_of(const char *text, uint16_t port)
{
	return (struct endpoint){ addr_of(text), port };
}

static inline struct selector selector_for(const char *range, uint8_t proto, uint16_t lo, uint16_t hi)
{
	struct selector s = { .proto = proto, .port_lo = lo, .port_hi = hi };

	ck_assert_msg(range_parse(range, &s.range), "%s", range);
	return s;
}

/* An inner packet to be written. */
struct flow {
	const char *src, *dst;
	uint8_t proto;
	uint16_t sport, dport; /* ICMP: type and code in the upper and lower octet of sport */
	uint8_t tos;
	bool df;
	uint16_t fragment; /* IPv4: flags and offset as on the wire, added to DF; IPv6: a fragment header with this */
	size_t payload;	   /* octets after the ports */
};

static inline uint16_t sum_of(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get_u16(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Writes the packet; returns its length. */
static inline size_t flow_write(const struct flow *f, uint8_t *out, size_t cap)
{
	struct addr src = addr_of(f->src), dst = addr_of(f->dst);
	struct writer w = wr_of(out, cap);
	bool v6_fragment = src.family == 6 && f->fragment != 0;

	if (src.family == 4) {
		wr_u8(&w, 0x45);
		wr_u8(&w, f->tos);
		wr_u16(&w, (uint16_t)(24 + f->payload));
		wr_u16(&w, 0x1234);
		wr_u16(&w, (uint16_t)(f->fragment | (f->df ? 0x4000 : 0)));
		wr_u8(&w, 64);
		wr_u8(&w, f->proto);
		wr_u16(&w, 0);
		wr_bytes(&w, bytes_of(src.b, 4));
		wr_bytes(&w, bytes_of(dst.b, 4));
		wr_patch_u16(&w, 10, sum_of(out, 20));
	} else {
		wr_u32(&w, UINT32_C(6) << 28 | (uint32_t)f->tos << 20);
		wr_u16(&w, (uint16_t)(4 + f->payload + (v6_fragment ? 8 : 0)));
		wr_u8(&w, v6_fragment ? 44 : f->proto);
		wr_u8(&w, 64);
		wr_bytes(&w, bytes_of(src.b, 16));
		wr_bytes(&w, bytes_of(dst.b, 16));
		if (v6_fragment) {
			wr_u8(&w, f->proto);
			wr_u8(&w, 0);
			wr_u16(&w, f->fragment);
			wr_u32(&w, 99);
		}
	}
	wr_u16(&w, f->sport);
	wr_u16(&w, f->dport);
	for (size_t i = 0; i < f->payload; i++)
		wr_u8(&w, (uint8_t)i);
	ck_assert(!w.bad);
	return w.n;
}

static const uint8_t test_keys[128] = {
	1,  2,	3,  4,	5,  6,	7,  8,	9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
	29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56,
};

/* An SA with the first row's suite, UDP encapsulation and a window of 64 packets; change what matters. */
static inline struct dp_sa sa_of(enum dp_dir dir, uint32_t spi, uint32_t reqid)
{
	struct cipher_suite suite = suite_of(&suite_rows[0]);

	return (struct dp_sa){
		.dir = dir,
		.mode = DP_TUNNEL,
		.spi = spi,
		.reqid = reqid,
		.local = endpoint_of("192.0.2.1", 4500),
		.remote = endpoint_of("192.0.2.2", 4500),
		.udp_encap = true,
		.suite = suite,
		.encr_key = bytes_of(test_keys, suite_encr_key_len(&suite)),
		.integ_key = bytes_of(test_keys + 64, suite_integ_key_len(&suite)),
		.replay_window = 64,
		.fence = DP_NO_FENCE,
	};
}

static inline struct dp_op op_add(const struct dp_sa *sa)
{
	return (struct dp_op){ .kind = DP_SA_ADD, .sa = *sa };
}

static inline struct dp_sa_id id_of(const struct dp_sa *sa)
{
	return (struct dp_sa_id){ sa->dir, sa->spi, sa->remote.addr };
}

/* DP_SA_REMOVE, DP_SA_FENCE, DP_SA_POSITION, DP_SA_WINDOW. */
static inline struct dp_op op_on(enum dp_op_kind kind, const struct dp_sa *sa, uint64_t position)
{
	struct dp_op op = { .kind = kind };

	op.id = id_of(sa);
	op.position = position;
	return op;
}

static inline struct dp_op op_move(const struct dp_sa *sa, struct endpoint local, struct endpoint remote)
{
	struct dp_op op = op_on(DP_SA_MOVE, sa, 0);

	op.new_local = local;
	op.new_remote = remote;
	op.new_udp_encap = true;
	return op;
}

/* One selector a side; borrowed. */
static inline struct dp_op op_policy(uint32_t reqid, const struct selector *ours, const struct selector *theirs)
{
	struct dp_op op = { .kind = DP_POLICY_SET };

	op.policy = (struct dp_policy){
		.reqid = reqid, .ours = ours, .ours_count = 1, .theirs = theirs, .theirs_count = 1
	};
	return op;
}

/* Runs all of a suite; the status for main(). */
static inline int run_cases(const char *name, void (*add)(TCase *t))
{
	TCase *t = tcase_create(name);

	add(t);
	return check_main(name, t);
}

#endif
