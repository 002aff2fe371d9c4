/*
 * An IKE message as a value: header (RFC 7296 3.1) and payloads by kind, all borrowed from the datagram (or from the
 * decrypted or reassembled buffer), which must outlive it.
 */
#ifndef IKE_MESSAGE_H
#define IKE_MESSAGE_H

#include "ike/payload.h"

struct ike_header {
	uint64_t spi_i, spi_r; /* host order numbers of the 8 octets */
	uint8_t next;          /* first payload */
	uint8_t version;       /* 0x20 */
	uint8_t exchange;
	uint8_t flags;
	uint32_t id;
	uint32_t length; /* as said by the peer; checked against the datagram */
};

struct ike_msg {
	struct ike_header h;
	uint32_t present; /* PL_BIT of each payload that was there */
	struct sa_payload sa;
	struct ke_payload ke;
	struct bytes nonce;
	struct id_payload idi, idr;
	struct auth_payload auth;
	struct cp_payload cp;
	struct ts_payload tsi, tsr;
	struct bytes eap;
	struct cert_payload certs[IKE_MAX_CERTS], certreqs[IKE_MAX_CERTS];
	size_t cert_count, certreq_count;
	struct notify_payload notifies[IKE_MAX_NOTIFIES];
	size_t notify_count;
	struct delete_payload deletes[IKE_MAX_DELETES];
	size_t delete_count;
	struct bytes vendors[IKE_MAX_VENDORS];
	size_t vendor_count;
	uint8_t unknown_critical; /* type of a critical payload that we do not know; 0: none (2.5) */
	uint8_t first;            /* what was parsed: type of the first payload, and the chain */
	struct bytes chain;
	bool encrypted;           /* an SK or SKF payload came last; its inside is not parsed by msg_parse of the outside */
};

/*
 * Header only. GW_EMALFORMED: shorter than a header or length field not equal to the datagram's.
 * The version is not judged here (a reply may be due: INVALID_MAJOR_VERSION).
 */
MUST_USE enum gw_err msg_parse_header(struct bytes datagram, struct ike_header *h);

/*
 * A chain of payloads, `first` being the type of the first: the outside of a clear message (datagram without header) or
 * the inside of SK. Fills everything in `m` but `h`. Duplicates of payloads that may come once only, too many payloads,
 * lengths that do not add up: GW_EMALFORMED with text. Unknown payloads are skipped, critical ones noted.
 * An SK/SKF payload ends the chain (3.14): `encrypted`.
 */
MUST_USE enum gw_err msg_parse(struct ike_msg *m, uint8_t first, struct bytes chain, struct err *e);

/* The first notify of that type; NULL: none. */
const struct notify_payload *msg_notify(const struct ike_msg *m, uint16_t type);
/* The first error notify (type < 16384); NULL: none. */
const struct notify_payload *msg_error(const struct ike_msg *m);

static inline bool msg_has(const struct ike_msg *m, uint8_t payload)
{
	return (m->present & PL_BIT(payload)) != 0;
}

#endif
