#include "tests/check_main.h"
#include "tests/rig/pcap.h"
#include "tests/rig/wire.h"

#include <stdlib.h>

enum { CAPTURE_MAX = 8192 };

/* A capture under construction, as tcpdump would write it on this or on another kind of machine. */
struct capture {
	uint8_t bytes[CAPTURE_MAX];
	struct writer w;
	bool little;
};

static void put_number(struct capture *c, uint32_t v)
{
	uint8_t b[4];

	put_u32(b, v);
	for (unsigned i = 0; i < 4; i++)
		wr_u8(&c->w, b[c->little ? 3 - i : i]);
}

static void capture_begin(struct capture *c, bool little, uint32_t link)
{
	c->w = wr_of(c->bytes, sizeof(c->bytes));
	c->little = little;
	put_number(c, 0xa1b2c3d4);
	put_number(c, little ? 0x00040002 : 0x00020004);
	put_number(c, 0);
	put_number(c, 0);
	put_number(c, 262144);
	put_number(c, link);
}

/* One ESP packet of 24 octets: SPI, sequence number, IV, and a byte of ciphertext eight times. */
static size_t esp_packet(uint8_t out[24], uint32_t spi, uint32_t seq, uint64_t iv, uint8_t text)
{
	put_u32(out, spi);
	put_u32(out + 4, seq);
	put_u64(out + 8, iv);
	memset(out + 16, text, 8);
	return 24;
}

static void put_ethernet(struct capture *c, uint16_t type, size_t n)
{
	put_number(c, 1700000000);
	put_number(c, 250000);
	put_number(c, (uint32_t)(14 + n));
	put_number(c, (uint32_t)(14 + n));
	wr_zero(&c->w, 12);
	wr_u16(&c->w, type);
}

static void put_v4(struct capture *c, const char *from, bool udp, const uint8_t *esp, size_t n)
{
	size_t total = 20 + (udp ? 8u : 0u) + n;
	struct addr a;

	put_ethernet(c, 0x0800, total);
	wr_u16(&c->w, 0x4500);
	wr_u16(&c->w, (uint16_t)total);
	wr_u32(&c->w, 0);
	wr_u8(&c->w, 64);
	wr_u8(&c->w, udp ? 17 : 50);
	wr_u16(&c->w, 0);
	ck_assert(addr_parse(from, &a));
	wr_bytes(&c->w, addr_bytes(&a));
	wr_u32(&c->w, 0xc0000202);
	if (udp) {
		wr_u16(&c->w, 4500);
		wr_u16(&c->w, 4500);
		wr_u16(&c->w, (uint16_t)(8 + n));
		wr_u16(&c->w, 0);
	}
	wr_bytes(&c->w, bytes_of(esp, n));
}

static void put_v6(struct capture *c, const uint8_t *esp, size_t n)
{
	put_ethernet(c, 0x86dd, 40 + n);
	wr_u32(&c->w, 0x60000000);
	wr_u16(&c->w, (uint16_t)n);
	wr_u8(&c->w, 50);
	wr_u8(&c->w, 64);
	wr_zero(&c->w, 31);
	wr_u8(&c->w, 1);
	wr_bytes(&c->w, bytes_of(esp, n));
}

/* All ESP packets of the capture into a new wire; how many. */
static size_t check(const struct capture *c, struct wire *w)
{
	struct pcap_packet packet;
	enum wire_finding finding;
	struct pcap_esp esp;
	struct pcap p;
	size_t n = 0;

	ck_assert(!c->w.bad);
	ck_assert_int_eq(pcap_open(&p, wr_done(&c->w), NULL), GW_OK);
	while (pcap_next(&p, &packet)) {
		ck_assert(packet.us == INT64_C(1700000000250000));
		if (pcap_look(&p, packet.frame, &esp) != PCAP_ESP)
			continue;
		ck_assert_int_eq(wire_add(w, esp.esp, packet.us, &finding, NULL), GW_OK);
		n++;
	}
	return n;
}

static const bool orders[] = { false, true };

START_TEST(a_clean_capture_is_clean_in_every_wrapping)
{
	struct wire *w = wire_create();
	struct capture c;
	uint8_t esp[24];
	size_t count;
	const struct wire_sa *sas;

	capture_begin(&c, orders[_i], 1);
	for (uint32_t i = 1; i <= 5; i++) {
		put_v4(&c, "198.51.100.2", false, esp, esp_packet(esp, 7, i, i, 1));
		put_v4(&c, "198.51.100.2", true, esp, esp_packet(esp, 8, i, i, 1));
		put_v6(&c, esp, esp_packet(esp, 9, i, i, 1));
	}
	put_v4(&c, "198.51.100.2", true, esp, esp_packet(esp, 7, 6 + (1 << 20), 99, 1));
	ck_assert_uint_eq(check(&c, w), 16);
	ck_assert_uint_eq(wire_count(w, WIRE_FINE), 16);
	sas = wire_sas(w, &count);
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(sas[0].packets, 6);
	ck_assert_uint_eq(sas[0].jumps, 1);
	ck_assert_uint_eq(sas[0].highest, 6 + (1 << 20));
	ck_assert_uint_eq(sas[1].jumps, 0);
	wire_destroy(w);
}
END_TEST

START_TEST(a_planted_number_is_found)
{
	struct wire *w = wire_create();
	struct capture c;
	uint8_t esp[24];

	capture_begin(&c, orders[_i], 1);
	for (uint32_t i = 1; i <= 50; i++)
		put_v4(&c, "198.51.100.2", true, esp, esp_packet(esp, 7, i, i, 1));
	/* By another IV, from another sender, raw this time: all the same the client takes it for a replay. */
	put_v4(&c, "198.51.100.3", false, esp, esp_packet(esp, 7, 30, 1000, 1));
	(void)check(&c, w);
	ck_assert_uint_eq(wire_count(w, WIRE_SEQUENCE), 1);
	ck_assert_uint_eq(wire_count(w, WIRE_IV), 0);
	wire_destroy(w);
}
END_TEST

START_TEST(a_planted_iv_is_found)
{
	struct wire *w = wire_create();
	struct capture c;
	uint8_t esp[24];

	capture_begin(&c, orders[_i], 1);
	for (uint32_t i = 1; i <= 50; i++)
		put_v4(&c, "198.51.100.2", true, esp, esp_packet(esp, 7, i, 500 + i, 1));
	put_v4(&c, "198.51.100.2", true, esp, esp_packet(esp, 7, 60, 530, 1));
	/* The same IV under another SPI is under another key. */
	put_v4(&c, "198.51.100.2", true, esp, esp_packet(esp, 8, 60, 530, 1));
	(void)check(&c, w);
	ck_assert_uint_eq(wire_count(w, WIRE_SEQUENCE), 0);
	ck_assert_uint_eq(wire_count(w, WIRE_IV), 1);
	wire_destroy(w);
}
END_TEST

START_TEST(the_same_packet_twice_is_no_repeat_but_another_text_is)
{
	struct wire *w = wire_create();
	struct wire_repeat repeat = { 0 };
	enum wire_finding finding;
	uint8_t esp[24];
	struct bytes b = { esp, esp_packet(esp, 7, 3, 4, 1) };

	ck_assert_int_eq(wire_add(w, b, 10, &finding, &repeat), GW_OK);
	ck_assert_int_eq(finding, WIRE_FINE);
	ck_assert_int_eq(wire_add(w, b, 20, &finding, &repeat), GW_OK);
	ck_assert_int_eq(finding, WIRE_SAME);
	/* One key, one nonce, two texts: the worst that there is. */
	esp[23] ^= 1;
	ck_assert_int_eq(wire_add(w, b, 30, &finding, &repeat), GW_OK);
	ck_assert_int_eq(finding, WIRE_SEQUENCE);
	ck_assert_uint_eq(repeat.spi, 7);
	ck_assert_uint_eq(repeat.sequence, 3);
	ck_assert(repeat.earlier_us == 10 && repeat.us == 30);
	b.n = 15;
	ck_assert_int_eq(wire_add(w, b, 40, &finding, &repeat), GW_EMALFORMED);
	wire_destroy(w);
}
END_TEST

START_TEST(many_packets_and_one_repeat_far_back)
{
	struct wire *w = wire_create();
	enum wire_finding finding;
	uint8_t esp[24];

	for (uint32_t i = 0; i < 100000; i++) {
		ck_assert_int_eq(wire_add(w, bytes_of(esp, esp_packet(esp, i & 7, i, i, 1)), i, &finding, NULL), GW_OK);
		ck_assert_int_eq(finding, WIRE_FINE);
	}
	ck_assert_int_eq(wire_add(w, bytes_of(esp, esp_packet(esp, 5, 13, 999999, 1)), 0, &finding, NULL), GW_OK);
	ck_assert_int_eq(finding, WIRE_SEQUENCE);
	wire_destroy(w);
}
END_TEST

START_TEST(ike_keepalives_and_fragments_are_no_esp)
{
	static const uint8_t ike[12] = { 0 }, keepalive[1] = { 0xff };
	struct pcap_packet packet;
	struct pcap_esp esp;
	struct capture c;
	uint8_t part[24];
	struct pcap p;

	capture_begin(&c, true, 1);
	put_v4(&c, "192.0.2.1", true, ike, sizeof(ike));
	put_v4(&c, "192.0.2.1", true, keepalive, sizeof(keepalive));
	put_v4(&c, "192.0.2.1", false, part, esp_packet(part, 1, 2, 3, 4));
	/* Later part of a fragmented datagram. */
	c.bytes[c.w.n - 24 - 20 + 7] = 1;
	ck_assert_int_eq(pcap_open(&p, wr_done(&c.w), NULL), GW_OK);
	ck_assert(pcap_next(&p, &packet));
	ck_assert_int_eq(pcap_look(&p, packet.frame, &esp), PCAP_IKE);
	ck_assert(pcap_next(&p, &packet));
	ck_assert_int_eq(pcap_look(&p, packet.frame, &esp), PCAP_OTHER);
	ck_assert(pcap_next(&p, &packet));
	ck_assert_int_eq(pcap_look(&p, packet.frame, &esp), PCAP_FRAGMENT);
	ck_assert(!pcap_next(&p, &packet));
	ck_assert(!p.cut);
}
END_TEST

START_TEST(a_capture_cut_anywhere_is_read_up_to_there)
{
	struct pcap_packet packet;
	struct pcap_esp esp;
	struct capture c;
	uint8_t b[24];
	struct pcap p;

	capture_begin(&c, false, 1);
	put_v4(&c, "192.0.2.1", true, b, esp_packet(b, 1, 2, 3, 4));
	put_v6(&c, b, esp_packet(b, 1, 3, 4, 4));
	for (size_t n = 0; n <= c.w.n; n++) {
		size_t packets = 0;
		/* Of its own size, so that a read past its end is seen. */
		uint8_t *copy = malloc(n ? n : 1);

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, c.bytes, n);
		if (pcap_open(&p, bytes_of(copy, n), NULL) == GW_OK)
			while (pcap_next(&p, &packet)) {
				/* And every frame cut anywhere. */
				for (size_t k = 0; k <= packet.frame.n; k++)
					(void)pcap_look(&p, bytes_of(packet.frame.p, k), &esp);
				packets++;
			}
		ck_assert_uint_le(packets, n == c.w.n ? 2 : 1);
		free(copy);
	}
	ck_assert_int_eq(pcap_open(&p, bytes_str("no capture at all, but long enough"), NULL), GW_EMALFORMED);
	capture_begin(&c, false, 147);
	ck_assert_int_eq(pcap_open(&p, wr_done(&c.w), NULL), GW_EUNSUPPORTED);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("wire");

	tcase_add_loop_test(t, a_clean_capture_is_clean_in_every_wrapping, 0, 2);
	tcase_add_loop_test(t, a_planted_number_is_found, 0, 2);
	tcase_add_loop_test(t, a_planted_iv_is_found, 0, 2);
	tcase_add_test(t, the_same_packet_twice_is_no_repeat_but_another_text_is);
	tcase_add_test(t, many_packets_and_one_repeat_far_back);
	tcase_add_test(t, ike_keepalives_and_fragments_are_no_esp);
	tcase_add_test(t, a_capture_cut_anywhere_is_read_up_to_there);
	return check_main("wire", t);
}
