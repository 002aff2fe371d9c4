/* Offers and configured proposals, written as text. */
#ifndef TESTS_IKE_PROPOSAL_CHECK_H
#define TESTS_IKE_PROPOSAL_CHECK_H

#include "ike/proposal.h"

#include "config/load.h"
#include "payload_check.h"

/* The defaults of config/schema*.c. */
#define IKE_DEFAULT \
	"aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-x25519-ecp256-ecp384-modp3072-modp2048 " \
	"aes256-aes128-sha256-sha384-sha512-x25519-ecp256-ecp384-modp3072-modp2048"
#define ESP_DEFAULT \
	"aes256gcm16-aes128gcm16-chacha20poly1305-x25519-ecp256-ecp384-modp3072-modp2048-none-esn-noesn " \
	"aes256-aes128-sha256-sha512-x25519-ecp256-ecp384-modp3072-modp2048-none-esn-noesn"

enum { MAX_OURS = 4 };

static const uint8_t spi[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

/* What is not ours, or not a way in which users write it, but comes from peers. */
static inline struct transform token_of(const char *token)
{
	static const struct {
		const char *token;
		struct transform t;
	} strange[] = {
		{ "3des", { TR_ENCR, 3, 0 } },
		{ "des", { TR_ENCR, 2, 0 } },
		{ "null", { TR_ENCR, 11, 0 } },
		{ "aes", { TR_ENCR, ENCR_AES_CBC, 0 } },
		{ "aes257", { TR_ENCR, ENCR_AES_CBC, 257 } },
		{ "aesattr", { TR_ENCR, ENCR_AES_CBC, KEY_BITS_UNKNOWN } },
		{ "chacha256", { TR_ENCR, ENCR_CHACHA20_POLY1305, 256 } },
		{ "camellia", { TR_ENCR, 23, 256 } },
		{ "xcbc", { TR_INTEG, 5, 0 } },
		{ "md5", { TR_INTEG, 1, 0 } },
		{ "nomac", { TR_INTEG, INTEG_NONE, 0 } },
		{ "none", { TR_DH, DH_NONE, 0 } },
		{ "mlkem", { TR_DH, 36, 0 } },
		{ "addke", { 6, 36, 0 } },
		{ "noaddke", { 6, 0, 0 } },
	};
	struct transform t;

	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		if (strcmp(strange[i].token, token) == 0)
			return strange[i].t;
	}
	ck_assert_msg(transform_parse(token, &t), "no such token: %s", token);
	return t;
}

/* "a-b-c d-e": two proposals, numbered from 1. */
static inline void offer_of(const char *text, uint8_t protocol, struct sa_payload *out)
{
	char buf[1024], *outer, *inner;

	memset(out, 0, sizeof(*out));
	ck_assert_uint_lt(strlen(text), sizeof(buf));
	strcpy(buf, text);
	for (char *p = strtok_r(buf, " ", &outer); p; p = strtok_r(NULL, " ", &outer)) {
		struct proposal *to = &out->p[out->count++];

		*to = (struct proposal){ .number = (uint8_t)out->count, .protocol = protocol };
		to->spi = bytes_of(spi, protocol == PROTO_IKE ? 0 : 4);
		to->first = (uint16_t)out->transforms;
		for (char *t = strtok_r(p, "-", &inner); t; t = strtok_r(NULL, "-", &inner)) {
			out->t[out->transforms++] = token_of(t);
			to->count++;
		}
	}
}

static inline size_t ours_of(const char *text, uint8_t protocol, struct proposal_cfg out[MAX_OURS])
{
	char buf[1024], *save;
	size_t n = 0;
	struct err e = { 0 };

	strcpy(buf, text);
	for (char *p = strtok_r(buf, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		memset(&out[n], 0, sizeof(out[n]));
		ck_assert_msg(proposal_parse(p, protocol == PROTO_IKE ? PROPOSAL_IKE : PROPOSAL_ESP, &out[n++], &e) ==
				      GW_OK,
			      "%s: %s", p, e.text);
	}
	return n;
}

#endif
