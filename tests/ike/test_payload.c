#include "ike/payload.h"

#include "payload_check.h"

static const struct ike_header header = {
	.spi_i = UINT64_C(0x0102030405060708),
	.spi_r = UINT64_C(0x1112131415161718),
	.version = 0x20,
	.exchange = IKE_SA_INIT,
	.flags = IKE_FLAG_INITIATOR,
	.id = 0x21222324,
	.next = 99,    /* neither is taken: */
	.length = 999, /* the writer knows better */
};

START_TEST(header_and_chain_as_on_the_wire)
{
	size_t n;
	uint8_t *want = unhex("0102030405060708 1112131415161718 28 20 22 08 21222324 00000034"
			      "29000010 30313233 34353637 38394142"
			      "00000008 00004000",
			      &n);
	struct msg_writer m;
	struct bytes out;
	uint8_t buf[128];

	msg_begin(&m, buf, sizeof(buf), &header);
	nonce_write(&m, bytes_str("0123456789AB"));
	notify_simple(&m, N_INITIAL_CONTACT);
	ck_assert_int_eq(msg_finish(&m, &out), GW_OK);
	ck_assert_ptr_eq(out.p, buf);
	ck_assert(bytes_equal(out, bytes_of(want, n)));
	ck_assert_uint_eq(m.first, PL_NONCE);
	free(want);
}
END_TEST

START_TEST(message_without_payloads)
{
	struct msg_writer m;
	struct bytes out;
	uint8_t buf[IKE_HEADER_LEN];

	msg_begin(&m, buf, sizeof(buf), &header);
	ck_assert_int_eq(msg_finish(&m, &out), GW_OK);
	ck_assert_uint_eq(out.n, IKE_HEADER_LEN);
	ck_assert_uint_eq(out.p[16], PL_NONE);
	ck_assert_uint_eq(get_u32(out.p + 24), IKE_HEADER_LEN);
}
END_TEST

START_TEST(inside_without_header)
{
	struct msg_writer m;
	struct bytes out;
	uint8_t buf[64];

	chain_begin(&m, buf, sizeof(buf));
	ck_assert_int_eq(chain_finish(&m, &out), GW_OK);
	ck_assert_uint_eq(out.n, 0);
	ck_assert_uint_eq(m.first, PL_NONE);

	chain_begin(&m, buf, sizeof(buf));
	notify_simple(&m, N_COOKIE2);
	delete_write(&m, PROTO_IKE, NULL, 0);
	vendor_write(&m, bytes_str("x"));
	ck_assert_int_eq(chain_finish(&m, &out), GW_OK);
	ck_assert_uint_eq(m.first, PL_NOTIFY);
	ck_assert_uint_eq(out.p[0], PL_DELETE);
	ck_assert_uint_eq(out.p[8], PL_VENDOR);
	ck_assert_uint_eq(out.p[16], PL_NONE);
	ck_assert_uint_eq(out.n, 8 + 8 + 5);
}
END_TEST

START_TEST(buffer_too_small_by_any_amount)
{
	struct msg_writer m;
	struct bytes out;
	uint8_t *buf;

	for (size_t cap = 0; cap <= 44; cap++) {
		buf = malloc(cap > 0 ? cap : 1);
		ck_assert_ptr_nonnull(buf);
		msg_begin(&m, buf, cap, &header);
		notify_simple(&m, N_COOKIE2);
		notify_simple(&m, N_COOKIE2);
		ck_assert_int_eq(msg_finish(&m, &out), cap == 44 ? GW_OK : GW_ELIMIT);
		ck_assert_uint_eq(out.n, cap == 44 ? 44 : 0);
		free(buf);
	}
}
END_TEST

START_TEST(lengths_fit_their_fields)
{
	static uint8_t data[70000], buf[80000];
	struct msg_writer m;
	struct bytes out;

	/* A payload has at most 65535 octets, generic header included, and so has a message. */
	chain_begin(&m, buf, sizeof(buf));
	vendor_write(&m, bytes_of(data, 65531));
	ck_assert_int_eq(chain_finish(&m, &out), GW_OK);
	ck_assert_uint_eq(get_u16(out.p + 2), 65535);
	chain_begin(&m, buf, sizeof(buf));
	vendor_write(&m, bytes_of(data, 65532));
	ck_assert_int_eq(chain_finish(&m, &out), GW_ELIMIT);

	msg_begin(&m, buf, sizeof(buf), &header);
	vendor_write(&m, bytes_of(data, 65535 - IKE_HEADER_LEN - 4));
	ck_assert_int_eq(msg_finish(&m, &out), GW_OK);
	msg_begin(&m, buf, sizeof(buf), &header);
	vendor_write(&m, bytes_of(data, 65536 - IKE_HEADER_LEN - 4));
	ck_assert_int_eq(msg_finish(&m, &out), GW_ELIMIT);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		header_and_chain_as_on_the_wire, message_without_payloads, inside_without_header,
		buffer_too_small_by_any_amount,	 lengths_fit_their_fields,
	};

	return run_tests("payload", tests, ARRAY_LEN(tests));
}
