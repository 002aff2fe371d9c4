/*
 * X.509 certificates (RFC 5280) as a view of their DER: an own small reader, since OpenSSL's costs as much as two
 * signatures. It reads what IKE needs and refuses what it does not understand where that is critical.
 */
#ifndef CORE_CRYPTO_CERT_H
#define CORE_CRYPTO_CERT_H

#include "core/crypto/sign.h"

enum cert_limits {
	CERT_MAX = 16384,   /* octets of one certificate */
	CERT_CHAIN_MAX = 8, /* leaf and intermediates that we send, or build of what was sent */
};

enum cert_usage { /* bits of KeyUsage (4.2.1.3) */
		  CERT_DIGITAL_SIGNATURE = 1 << 0,
		  CERT_NON_REPUDIATION = 1 << 1,
		  CERT_KEY_CERT_SIGN = 1 << 5,
		  CERT_CRL_SIGN = 1 << 6,
};

enum cert_purpose { /* of ExtendedKeyUsage */
		    CERT_FOR_ANY = 1 << 0,
		    CERT_FOR_SERVER = 1 << 1,
		    CERT_FOR_CLIENT = 1 << 2,
		    CERT_FOR_IKE = 1 << 3,		/* 1.3.6.1.5.5.7.3.17, or one of the old 5, 6, 7 */
		    CERT_FOR_IKE_INTERMEDIATE = 1 << 4, /* 1.3.6.1.5.5.8.2.2 */
};

struct cert {
	struct bytes der;
	struct bytes tbs, serial, issuer, subject, spki; /* Names and key with their heads, the serial without */
	struct bytes signature_id, signature;
	int64_t not_before, not_after; /* seconds since 1970 */
	bool ca;
	int path_len; /* -1: no bound */
	bool has_usage, has_purpose;
	uint16_t usage;	  /* enum cert_usage, or-ed */
	uint8_t purpose;  /* enum cert_purpose, or-ed */
	struct bytes san; /* GeneralNames without head; empty: none */
	struct bytes key_id, issuer_key_id;
	bool alien; /* a critical extension that we do not know */
};

/* `out` borrows from `der`. GW_EMALFORMED, GW_ELIMIT with text. */
MUST_USE enum gw_err cert_read(struct bytes der, struct cert *out, struct err *e);

/* The next name of cert->san; false: no more. The tag is the context number of GeneralName (4.2.1.6). */
enum cert_name { CERT_NAME_MAIL = 1, CERT_NAME_DNS = 2, CERT_NAME_DIRECTORY = 4, CERT_NAME_ADDRESS = 7 };
bool cert_next_name(struct reader *r, enum cert_name *kind, struct bytes *value);

/* UTCTime or GeneralizedTime in UTC, the next element, as seconds since 1970; the reader becomes bad else. */
int64_t der_time(struct reader *r);

/*
 * Certificates of a file: several PEM blocks, or one in DER. Each is copied and handed over in its order; `each` may be
 * called before a later one turns out to be wrong. GW_ENOTFOUND: there is none.
 */
MUST_USE enum gw_err cert_each(struct bytes file, enum gw_err (*each)(void *arg, struct bytes der), void *arg,
			       struct err *e);

#endif
