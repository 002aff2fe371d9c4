/* The peer's side of EAP for tests: packets as a client would send them. */
#ifndef TESTS_IKE_EAP_PEER_H
#define TESTS_IKE_EAP_PEER_H

#include <check.h>

#include "ike/eap.h"
#include "ike/eap_mschapv2.h"

struct eap_packet {
	uint8_t p[EAP_PACKET_MAX + 64];
	size_t n;
};

static inline struct bytes eap_bytes(const struct eap_packet *p)
{
	return bytes_of(p->p, p->n);
}

static inline struct eap_packet eap_response(uint8_t id, uint8_t type, struct bytes data)
{
	struct eap_packet out;
	struct writer w = wr_of(out.p, sizeof(out.p));

	wr_u8(&w, EAP_CODE_RESPONSE);
	wr_u8(&w, id);
	wr_u16(&w, (uint16_t)(EAP_HEAD_LEN + data.n));
	wr_u8(&w, type);
	wr_bytes(&w, data);
	ck_assert(!w.bad);
	out.n = w.n;
	return out;
}

/* Type data of a request of that type. */
static inline struct bytes eap_request_data(const struct eap_packet *p, uint8_t type)
{
	ck_assert_uint_ge(p->n, EAP_HEAD_LEN);
	ck_assert_uint_eq(p->p[0], EAP_CODE_REQUEST);
	ck_assert_uint_eq(get_u16(p->p + 2), p->n);
	ck_assert_uint_eq(p->p[4], type);
	return bytes_of(p->p + EAP_HEAD_LEN, p->n - EAP_HEAD_LEN);
}

/* The response to an MSCHAPv2 challenge; `response` and `hash` get what the keys are made of. */
static inline struct eap_packet mschapv2_answer(struct crypto *c, uint8_t id, const uint8_t *challenge,
						const char *name, const char *password,
						uint8_t response[MSCHAPV2_RESPONSE], uint8_t hash[MSCHAPV2_HASH])
{
	static const uint8_t ours[MSCHAPV2_CHALLENGE] = "sixteen octets!";
	uint8_t data[512];
	struct writer w = wr_of(data, sizeof(data));
	struct mschapv2 x = { challenge, ours, mschapv2_bare_name(bytes_str(name)), hash };

	ck_assert_int_eq(nt_hash(bytes_str(password), hash), GW_OK);
	ck_assert_int_eq(mschapv2_response(c, &x, response), GW_OK);
	mschapv2_write_response(&w, 7, ours, response, bytes_str(name));
	ck_assert(!w.bad);
	return eap_response(id, EAP_MSCHAPV2, wr_done(&w));
}

#endif
