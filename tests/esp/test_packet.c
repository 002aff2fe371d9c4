#include "esp/packet.h"

#include "esp/inner.h"
#include "tests/esp/esp_check.h"

static uint8_t buf[4096], copy[4096];
static struct crypto *crypto;

static void begin(void)
{
	struct err e = { 0 };

	crypto = crypto_create(&e);
	ck_assert_msg(crypto != NULL, "%s", e.text);
}

static void end(void)
{
	crypto_destroy(crypto);
}

/* Both directions of one suite. */
struct pair {
	struct cipher_suite suite;
	struct packet_sa seal, open;
};

static void pair_make(struct pair *p, const struct suite_row *row, bool esn)
{
	struct bytes encr, integ;

	p->suite = suite_of(row);
	encr = bytes_of(test_keys, suite_encr_key_len(&p->suite));
	integ = bytes_of(test_keys + 64, suite_integ_key_len(&p->suite));
	p->seal = p->open = (struct packet_sa){ &p->suite, NULL, 0xc0ffee01, esn };
	ck_assert_int_eq(cipher_create(crypto, &p->suite, CIPHER_SEAL, encr, integ, &p->seal.cipher), GW_OK);
	ck_assert_int_eq(cipher_create(crypto, &p->suite, CIPHER_OPEN, encr, integ, &p->open.cipher), GW_OK);
}

static void pair_clear(struct pair *p)
{
	cipher_destroy(p->seal.cipher);
	cipher_destroy(p->open.cipher);
}

static const uint8_t iv[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static struct packet filled(size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf[PACKET_HEADROOM + i] = (uint8_t)(i * 7);
	return (struct packet){ buf, PACKET_HEADROOM + n + PACKET_TAILROOM, PACKET_HEADROOM, n };
}

/* Every suite, every length of a block or two and large ones, with and without ESN. */
START_TEST(round_trips)
{
	static const uint64_t seqs[] = { 1, 0xffffffff, UINT64_C(0x100000000), UINT64_C(0x7fffffffff) };

	for (size_t i = 0; i < ARRAY_LEN(suite_rows); i++)
		for (int esn = 0; esn < 2; esn++) {
			struct pair pair;

			pair_make(&pair, &suite_rows[i], esn);
			for (size_t n = 0; n < 1500; n += n < 40 ? 1 : 365) {
				uint64_t seq = seqs[n % (esn ? 4 : 2)];
				struct packet p = filled(n);
				uint32_t spi, wire;
				uint8_t next;

				ck_assert_int_eq(packet_seal(&pair.seal, seq, iv, ESP_NEXT_IPV6, &p), GW_OK);
				ck_assert_uint_eq(p.n, packet_size(&pair.suite, n));
				ck_assert(packet_peek(packet_bytes(&p), &spi, &wire));
				ck_assert_uint_eq(spi, 0xc0ffee01);
				ck_assert_uint_eq(wire, (uint32_t)seq);
				ck_assert_uint_eq(packet_inner_max(&pair.suite, p.n) >= n, 1);
				ck_assert(packet_inner_max(&pair.suite, p.n - 1) < n ||
					  packet_inner_max(&pair.suite, p.n - 1) == 0);
				ck_assert_int_eq(packet_open(&pair.open, seq, &p, &next), GW_OK);
				ck_assert_uint_eq(next, ESP_NEXT_IPV6);
				ck_assert_uint_eq(p.n, n);
				for (size_t k = 0; k < n; k++)
					ck_assert_uint_eq(packet_data(&p)[k], (uint8_t)(k * 7));
			}
			pair_clear(&pair);
		}
}
END_TEST

/* No octet may be changed, none may lack, and the upper half of an ESN counts. */
START_TEST(authenticates_all)
{
	for (size_t i = 0; i < ARRAY_LEN(suite_rows); i++)
		for (int esn = 0; esn < 2; esn++) {
			const uint64_t seq = esn ? UINT64_C(0x300000005) : 5;
			struct pair pair;
			struct packet p = filled(50), sealed;
			uint8_t next;

			pair_make(&pair, &suite_rows[i], esn);
			ck_assert_int_eq(packet_seal(&pair.seal, seq, iv, ESP_NEXT_IPV4, &p), GW_OK);
			sealed = p;
			memcpy(copy, packet_data(&p), p.n);
			/* The SPI and the number that count are those of the SA and of the guess: octets 0 to 7. */
			for (size_t at = 8; at < sealed.n; at++) {
				p = sealed;
				memcpy(packet_data(&p), copy, sealed.n);
				packet_data(&p)[at] ^= 0x40;
				ck_assert_msg(packet_open(&pair.open, seq, &p, &next) == GW_EAUTH,
					      "suite %zu octet %zu", i, at);
			}
			for (size_t n = 0; n < sealed.n; n++) {
				p = sealed;
				memcpy(packet_data(&p), copy, sealed.n);
				p.n = n;
				ck_assert_int_ne(packet_open(&pair.open, seq, &p, &next), GW_OK);
			}
			p = sealed;
			memcpy(packet_data(&p), copy, sealed.n);
			ck_assert_int_eq(packet_open(&pair.open, seq + 1, &p, &next), GW_EAUTH);
			p = sealed;
			memcpy(packet_data(&p), copy, sealed.n);
			ck_assert_int_eq(packet_open(&pair.open, seq + UINT64_C(0x100000000), &p, &next),
					 esn ? GW_EAUTH : GW_OK);
			pair_clear(&pair);
		}
}
END_TEST

/* RFC 7634 appendix A. */
START_TEST(published_vector)
{
	static const uint8_t inner[84] = {
		0x45, 0x00, 0x00, 0x54, 0xa6, 0xf2, 0x00, 0x00, 0x40, 0x01, 0xe7, 0x78, 0xc6, 0x33, 0x64, 0x05, 0xc0,
		0x00, 0x02, 0x05, 0x08, 0x00, 0x5b, 0x7a, 0x3a, 0x08, 0x00, 0x00, 0x55, 0x3b, 0xec, 0x10, 0x00, 0x07,
		0x36, 0x27, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
		0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27,
		0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37,
	};
	static const uint8_t esp[120] = {
		0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x00, 0x05, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
		0x17, 0x24, 0x03, 0x94, 0x28, 0xb9, 0x7f, 0x41, 0x7e, 0x3c, 0x13, 0x75, 0x3a, 0x4f, 0x05,
		0x08, 0x7b, 0x67, 0xc3, 0x52, 0xe6, 0xa7, 0xfa, 0xb1, 0xb9, 0x82, 0xd4, 0x66, 0xef, 0x40,
		0x7a, 0xe5, 0xc6, 0x14, 0xee, 0x80, 0x99, 0xd5, 0x28, 0x44, 0xeb, 0x61, 0xaa, 0x95, 0xdf,
		0xab, 0x4c, 0x02, 0xf7, 0x2a, 0xa7, 0x1e, 0x7c, 0x4c, 0x4f, 0x64, 0xc9, 0xbe, 0xfe, 0x2f,
		0xac, 0xc6, 0x38, 0xe8, 0xf3, 0xcb, 0xec, 0x16, 0x3f, 0xac, 0x46, 0x9b, 0x50, 0x27, 0x73,
		0xf6, 0xfb, 0x94, 0xe6, 0x64, 0xda, 0x91, 0x65, 0xb8, 0x28, 0x29, 0xf6, 0x41, 0xe0, 0x76,
		0xaa, 0xa8, 0x26, 0x6b, 0x7f, 0xb0, 0xf7, 0xb1, 0x1b, 0x36, 0x99, 0x07, 0xe1, 0xad, 0x43,
	};
	static const uint8_t vector_iv[8] = { 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17 };
	static const struct suite_row row = { ENCR_CHACHA20_POLY1305, 256, 0 };
	struct cipher_suite suite = suite_of(&row);
	struct packet_sa sa = { &suite, NULL, 0x01020304, false };
	struct packet p = { buf, sizeof(buf), PACKET_HEADROOM, sizeof(inner) };
	uint8_t keymat[36], next;

	for (size_t i = 0; i < sizeof(keymat); i++)
		keymat[i] = (uint8_t)(0x80 + i);
	memcpy(packet_data(&p), inner, sizeof(inner));
	ck_assert_int_eq(
		cipher_create(crypto, &suite, CIPHER_SEAL, bytes_of(keymat, 36), bytes_of(NULL, 0), &sa.cipher), GW_OK);
	ck_assert_int_eq(packet_seal(&sa, 5, vector_iv, ESP_NEXT_IPV4, &p), GW_OK);
	ck_assert(bytes_equal(packet_bytes(&p), bytes_of(esp, sizeof(esp))));
	cipher_destroy(sa.cipher);
	ck_assert_int_eq(
		cipher_create(crypto, &suite, CIPHER_OPEN, bytes_of(keymat, 36), bytes_of(NULL, 0), &sa.cipher), GW_OK);
	ck_assert_int_eq(packet_open(&sa, 5, &p, &next), GW_OK);
	ck_assert_uint_eq(next, ESP_NEXT_IPV4);
	ck_assert(bytes_equal(packet_bytes(&p), bytes_of(inner, sizeof(inner))));
	cipher_destroy(sa.cipher);
}
END_TEST

/* A trailer that lies is found after the ICV, also by a peer who has the key. */
START_TEST(lying_trailer)
{
	struct pair pair;

	pair_make(&pair, &suite_rows[0], false);
	for (unsigned pad = 0; pad < 256; pad++) {
		struct packet p = { buf, sizeof(buf), PACKET_HEADROOM, 32 };
		uint8_t *text = packet_data(&p), aad[8], next;
		enum gw_err code;

		memset(text, 0, 32);
		text[30] = (uint8_t)pad;
		text[31] = ESP_NEXT_IPV4;
		put_u32(aad, pair.seal.spi);
		put_u32(aad + 4, 9);
		ck_assert_int_eq(cipher_seal(pair.seal.cipher, bytes_of(iv, 8), bytes_of(aad, 8), bytes_of(NULL, 0),
					     text, 32, text + 32),
				 GW_OK);
		p.at -= 16;
		p.n = 16 + 32 + 16;
		memcpy(packet_data(&p), aad, 8);
		memcpy(packet_data(&p) + 8, iv, 8);
		code = packet_open(&pair.open, 9, &p, &next);
		ck_assert_int_eq(code, pad <= 30 ? GW_OK : GW_EMALFORMED);
		if (code == GW_OK)
			ck_assert_uint_eq(p.n, 30 - pad);
	}
	pair_clear(&pair);
}
END_TEST

START_TEST(needs_room)
{
	struct pair pair;
	struct packet p = filled(100);

	pair_make(&pair, &suite_rows[0], false);
	p.at = 15;
	ck_assert_int_eq(packet_seal(&pair.seal, 1, iv, ESP_NEXT_IPV4, &p), GW_EINVAL);
	p = filled(100);
	p.cap = p.at + 104 + 15;
	ck_assert_int_eq(packet_seal(&pair.seal, 1, iv, ESP_NEXT_IPV4, &p), GW_EINVAL);
	p.cap++;
	ck_assert_int_eq(packet_seal(&pair.seal, 1, iv, ESP_NEXT_IPV4, &p), GW_OK);
	pair_clear(&pair);
}
END_TEST

/* RFC 6040: 4.1 normal mode, 4.2 figure 4. Codes: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE; 9: drop. */
START_TEST(congestion)
{
	static const struct {
		uint8_t inner, outer, result;
	} rows[] = {
		{ 0, 0, 0 }, { 0, 2, 0 }, { 0, 1, 0 }, { 0, 3, 9 }, { 2, 0, 2 }, { 2, 2, 2 }, { 2, 1, 1 }, { 2, 3, 3 },
		{ 1, 0, 1 }, { 1, 2, 1 }, { 1, 1, 1 }, { 1, 3, 3 }, { 3, 0, 3 }, { 3, 2, 3 }, { 3, 1, 3 }, { 3, 3, 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t inner = (uint8_t)(0xb8 | rows[i].inner), out = 0;
		bool kept = packet_inner_tos((uint8_t)(0x28 | rows[i].outer), inner, &out);

		ck_assert_msg(kept == (rows[i].result != 9), "row %zu", i);
		/* The inner DSCP is never changed (RFC 4301 5.1.2.1). */
		ck_assert_msg(!kept || out == (0xb8 | rows[i].result), "row %zu: %x", i, out);
	}
	for (unsigned tos = 0; tos < 256; tos++) {
		ck_assert_uint_eq(packet_outer_tos((uint8_t)tos, true), tos);
		ck_assert_uint_eq(packet_outer_tos((uint8_t)tos, false), tos & 3);
	}
}
END_TEST

START_TEST(too_short_to_peek)
{
	uint32_t spi, wire;

	ck_assert(!packet_peek(bytes_of(buf, 7), &spi, &wire));
	ck_assert(packet_peek(bytes_of(buf, 8), &spi, &wire));
}
END_TEST

static void add(TCase *t)
{
	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, round_trips);
	tcase_add_test(t, authenticates_all);
	tcase_add_test(t, published_vector);
	tcase_add_test(t, lying_trailer);
	tcase_add_test(t, needs_room);
	tcase_add_test(t, congestion);
	tcase_add_test(t, too_short_to_peek);
}

int main(void)
{
	return run_cases("packet", add);
}
