/* The wire: what is written is read, what is cut off or wrong is refused, and buffers give back what they took. */
#include "ha/record.h"

#include <stdlib.h>

#include "tests/check_main.h"

START_TEST(hello_round_trip)
{
	const struct ha_hello h = { .major = 1,
				    .minor = 7,
				    .cluster = bytes_str("c"),
				    .node = bytes_str("node-a"),
				    .software = bytes_str("0.1"),
				    .index = 15,
				    .incarnation = 0xabcdef,
				    .term = 0x11223344,
				    .owned_term = 5,
				    .role = HA_ACTIVE,
				    .flags = HA_HELLO_TRAFFIC,
				    .config_hash = UINT64_C(0x1122334455667788),
				    .at = { { 3, 4, 5 }, 6 },
				    .seen = 9 };
	struct ha_buffer b = { 0 };
	struct ha_frame f;
	struct ha_hello got;
	size_t taken;

	ck_assert_int_eq(ha_hello_write(&b, &h), GW_OK);
	for (size_t n = 0; n < ha_buffer_len(&b); n++)
		ck_assert_int_eq(ha_frame_next(bytes_of(b.p, n), &f, &taken), GW_PENDING);
	ck_assert_int_eq(ha_frame_next(ha_buffer_bytes(&b), &f, &taken), GW_OK);
	ck_assert_uint_eq(taken, ha_buffer_len(&b));
	ck_assert_int_eq(ha_hello_read(f.fields, &got), GW_OK);
	ck_assert(got.major == 1 && got.minor == 7 && got.index == 15 && got.incarnation == 0xabcdef);
	ck_assert(bytes_equal(got.cluster, h.cluster) && bytes_equal(got.node, h.node));
	ck_assert(got.term == h.term && got.owned_term == 5 && got.role == HA_ACTIVE && got.flags == HA_HELLO_TRAFFIC);
	ck_assert(got.config_hash == h.config_hash && got.at.turn == 6 && got.seen == 9);
	ck_assert(ha_epoch_equal(&got.at.epoch, &h.at.epoch));
	/* Cut anywhere: refused, or short of the last fields only. */
	for (size_t n = 1; n < f.fields.n; n++)
		if (ha_hello_read(bytes_of(f.fields.p, n), &got) == GW_OK)
			ck_assert_uint_eq(got.seen, 0);
	ha_buffer_clear(&b);
}
END_TEST

START_TEST(objects_and_refusals)
{
	const struct ha_refusal r = { .kind = HA_OBJ_IKE, .key = 77, .code = GW_ECONFIG, .text = "no such connection" };
	struct ha_object o = { .kind = HA_OBJ_IKE, .key = UINT64_MAX, .version = 12 }, got;
	struct ha_buffer b = { 0 };
	struct ha_frame_writer f;
	struct ha_frame in;
	struct ha_refusal refusal;
	struct reader rd, v;
	struct writer w;
	size_t taken;
	uint16_t tag;

	ha_frame_begin(&f, &b, HA_TURN);
	ha_object_begin(&f, &o, &w);
	wr_bytes(&w, bytes_str("state"));
	ha_object_end(&f, &w);
	o.deleted = true;
	ha_object_begin(&f, &o, &w);
	ha_object_end(&f, &w);
	ha_refusal_write(&f, &r);
	ck_assert_int_eq(ha_frame_end(&f), GW_OK);
	ck_assert_int_eq(ha_frame_next(ha_buffer_bytes(&b), &in, &taken), GW_OK);
	rd = rd_of(in.fields);
	ck_assert(ha_field_next(&rd, &tag, &v) && tag == HA_TAG_OBJECT);
	ck_assert_int_eq(ha_object_read(v, &got), GW_OK);
	ck_assert(bytes_equal(got.state, bytes_str("state")) && got.key == UINT64_MAX && got.version == 12);
	ck_assert(!got.deleted);
	ck_assert(ha_field_next(&rd, &tag, &v));
	ck_assert_int_eq(ha_object_read(v, &got), GW_OK);
	ck_assert(got.deleted && got.state.n == 0);
	ck_assert(ha_field_next(&rd, &tag, &v) && tag == HA_TAG_REFUSAL);
	ck_assert_int_eq(ha_refusal_read(v, &refusal), GW_OK);
	ck_assert(refusal.key == 77 && refusal.code == GW_ECONFIG && strcmp(refusal.text, r.text) == 0);
	ck_assert(!ha_field_next(&rd, &tag, &v) && !rd.bad);
	/* A live object without state, and a dead one with: neither makes sense. */
	o.deleted = false;
	ha_buffer_clear(&b);
	ha_frame_begin(&f, &b, HA_TURN);
	ha_object_begin(&f, &o, &w);
	ha_object_end(&f, &w);
	ck_assert_int_eq(ha_frame_end(&f), GW_OK);
	rd = rd_of(bytes_of(b.p + HA_FRAME_HEADER, b.n - HA_FRAME_HEADER));
	ck_assert(ha_field_next(&rd, &tag, &v));
	ck_assert_int_eq(ha_object_read(v, &got), GW_EMALFORMED);
	ha_buffer_clear(&b);
}
END_TEST

START_TEST(a_frame_that_is_too_long)
{
	uint8_t *big = calloc(1, HA_FRAME_MAX);
	struct ha_buffer b = { 0 };
	struct ha_frame_writer f;

	ck_assert_ptr_nonnull(big);
	ha_frame_begin(&f, &b, HA_ACK);
	ha_field_u64(&f, HA_TAG_TURN, 1);
	ck_assert_int_eq(ha_frame_end(&f), GW_OK);
	ha_frame_begin(&f, &b, HA_TURN);
	ha_field(&f, HA_TAG_OBJECT, bytes_of(big, HA_FRAME_MAX));
	ck_assert_int_eq(ha_frame_end(&f), GW_ELIMIT);
	ck_assert_uint_eq(ha_buffer_len(&b), HA_FRAME_HEADER + HA_FIELD_HEADER + 8);
	ha_buffer_clear(&b);
	free(big);
}
END_TEST

/* Filled and emptied in odd pieces: nothing is lost, and memory does not grow. */
START_TEST(a_buffer)
{
	struct ha_buffer b = { 0 };
	uint8_t in = 0, out = 0, *room;

	for (size_t i = 0; i < 20000; i++) {
		size_t n = 1 + i * 7919 % 3000, take = 1 + i * 104729 % 3000;

		room = ha_buffer_room(&b, n);
		ck_assert_ptr_nonnull(room);
		for (size_t k = 0; k < n; k++)
			room[k] = in++;
		ha_buffer_add(&b, n);
		take = take < ha_buffer_len(&b) ? take : ha_buffer_len(&b);
		for (size_t k = 0; k < take; k++)
			if (ha_buffer_bytes(&b).p[k] != out++)
				ck_abort_msg("octet %zu of turn %zu", k, i);
		ha_buffer_take(&b, take);
	}
	ck_assert_uint_lt(b.cap, 1024 * 1024);
	ha_buffer_clear(&b);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("record");

	tcase_add_test(t, hello_round_trip);
	tcase_add_test(t, objects_and_refusals);
	tcase_add_test(t, a_frame_that_is_too_long);
	tcase_add_test(t, a_buffer);
	return check_main("record", t);
}
