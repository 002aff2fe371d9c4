/*
 * Payloads of RFC 7296 3.x: each is a value that borrows from the message buffer, parsed and written by the pl_*.c of its
 * name, both directions side by side. Parsers are strict about lengths, lenient about reserved fields (ignored on
 * receipt), and never touch state.
 */
#ifndef IKE_PAYLOAD_H
#define IKE_PAYLOAD_H

#include "core/addr.h"
#include "core/crypto/alg.h"
#include "core/err.h"
#include "ike/iana.h"
#include "ike/limits.h"

/* ---- SA (3.3) ---- */

#define KEY_BITS_UNKNOWN 0xffff /* the transform has an attribute we do not know: it never matches */

struct proposal {
	uint8_t number, protocol;
	struct bytes spi; /* 0, 4 or 8 octets */
	uint16_t first, count; /* its transforms in sa_payload.t */
};

struct sa_payload {
	struct proposal p[IKE_MAX_PROPOSALS];
	size_t count;
	struct transform t[IKE_MAX_TRANSFORMS];
	size_t transforms;
};

MUST_USE enum gw_err sa_parse(struct reader r, struct sa_payload *out);

/* ---- KE (3.4), Nonce (3.9) ---- */

struct ke_payload {
	uint16_t group;
	struct bytes data; /* at least one octet */
};

MUST_USE enum gw_err ke_parse(struct reader r, struct ke_payload *out);
MUST_USE enum gw_err nonce_parse(struct reader r, struct bytes *out);

/* ---- ID (3.5), AUTH (3.8), CERT (3.6), CERTREQ (3.7), EAP (3.16) ---- */

struct id_payload {
	uint8_t kind;      /* enum id_kind, or a stranger's */
	struct bytes data; /* without the 4 octets before it */
	struct bytes body; /* with them: RestOfInitIDPayload, what AUTH covers (2.15) */
};

struct auth_payload {
	uint8_t method;
	struct bytes data;
};

struct cert_payload {
	uint8_t encoding;
	struct bytes data;
};

MUST_USE enum gw_err id_parse(struct reader r, struct id_payload *out);
MUST_USE enum gw_err auth_parse(struct reader r, struct auth_payload *out);
MUST_USE enum gw_err cert_parse(struct reader r, struct cert_payload *out);
/* The whole EAP packet; its own length field is checked. */
MUST_USE enum gw_err eap_parse(struct reader r, struct bytes *out);

/* ---- Notify (3.10), Delete (3.11) ---- */

struct notify_payload {
	uint8_t protocol;
	uint16_t type;
	struct bytes spi, data;
};

struct delete_payload {
	uint8_t protocol;
	uint8_t spi_len;
	uint16_t count;
	struct bytes spis; /* count * spi_len octets */
};

MUST_USE enum gw_err notify_parse(struct reader r, struct notify_payload *out);
MUST_USE enum gw_err delete_parse(struct reader r, struct delete_payload *out);

/* ---- TS (3.13) ---- */

struct ts_payload {
	struct selector s[IKE_MAX_SELECTORS]; /* of the types we know; others and those past the bound are dropped */
	size_t count;
	size_t ignored;
};

MUST_USE enum gw_err ts_parse(struct reader r, struct ts_payload *out);

/* ---- CP (3.15) ---- */

struct cfg_attribute {
	uint16_t type;
	struct bytes value;
};

struct cp_payload {
	uint8_t type; /* enum cfg_type */
	struct cfg_attribute a[IKE_MAX_CFG_ATTRS];
	size_t count;
};

MUST_USE enum gw_err cp_parse(struct reader r, struct cp_payload *out);

/* ---- writing ---- */

/*
 * A chain of payloads under construction: next-payload fields and lengths are patched by payload_begin/end.
 * For a clear message the header comes first (msg_begin); for the inside of an SK payload there is none (chain_begin)
 * and `first` is what sk_seal wants.
 */
struct msg_writer {
	struct writer w;
	size_t next_at; /* offset of the next-payload octet to patch; SIZE_MAX: `first` */
	uint8_t first;
};

struct ike_header;

void msg_begin(struct msg_writer *m, void *buf, size_t cap, const struct ike_header *h);
/* Patches the length. GW_ELIMIT when it did not fit. *out borrows from buf. */
MUST_USE enum gw_err msg_finish(struct msg_writer *m, struct bytes *out);
void chain_begin(struct msg_writer *m, void *buf, size_t cap);
MUST_USE enum gw_err chain_finish(struct msg_writer *m, struct bytes *out);

/* Generic header with the payload chained in; the mark goes to payload_end. */
size_t payload_begin(struct msg_writer *m, uint8_t type);
void payload_end(struct msg_writer *m, size_t mark);

/* One proposal of transforms; `more` when another proposal_write follows inside the same SA payload. */
size_t sa_begin(struct msg_writer *m);
void proposal_write(struct msg_writer *m, uint8_t number, uint8_t protocol, struct bytes spi, const struct transform *t,
		    size_t n, bool more);
void sa_end(struct msg_writer *m, size_t mark);

void ke_write(struct msg_writer *m, uint16_t group, struct bytes data);
void nonce_write(struct msg_writer *m, struct bytes nonce);
void id_write(struct msg_writer *m, uint8_t payload, uint8_t kind, struct bytes data); /* PL_IDI or PL_IDR */
void auth_write(struct msg_writer *m, uint8_t method, struct bytes data);
void cert_write(struct msg_writer *m, uint8_t payload, uint8_t encoding, struct bytes data); /* PL_CERT, PL_CERTREQ */
void notify_write(struct msg_writer *m, uint8_t protocol, struct bytes spi, uint16_t type, struct bytes data);
static inline void notify_simple(struct msg_writer *m, uint16_t type)
{
	notify_write(m, PROTO_NONE, (struct bytes){ 0 }, type, (struct bytes){ 0 });
}
/* IKE: spis empty, count 0. ESP: SPIs in host order. */
void delete_write(struct msg_writer *m, uint8_t protocol, const uint32_t *spis, size_t count);
void ts_write(struct msg_writer *m, uint8_t payload, const struct selector *s, size_t n); /* PL_TSI or PL_TSR */
size_t cp_begin(struct msg_writer *m, uint8_t type);
void cp_attr(struct msg_writer *m, uint16_t type, struct bytes value);
void cp_end(struct msg_writer *m, size_t mark);
void vendor_write(struct msg_writer *m, struct bytes id);
void eap_write(struct msg_writer *m, struct bytes packet);

#endif
