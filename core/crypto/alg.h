/*
 * Algorithms as const descriptors: IANA numbers of IKEv2 transforms, names as users write them, sizes.
 * Everything that comes in kinds is looked up here and nowhere else.
 */
#ifndef CORE_CRYPTO_ALG_H
#define CORE_CRYPTO_ALG_H

#include "core/bytes.h"

/* Transform types (RFC 7296 3.3.2). */
enum transform_type {
	TR_ENCR = 1,
	TR_PRF = 2,
	TR_INTEG = 3,
	TR_DH = 4,
	TR_ESN = 5,
};

enum encr_id {
	ENCR_AES_CBC = 12,
	ENCR_AES_CTR = 13,
	ENCR_AES_CCM_16 = 16,
	ENCR_AES_GCM_8 = 18,
	ENCR_AES_GCM_12 = 19,
	ENCR_AES_GCM_16 = 20,
	ENCR_CHACHA20_POLY1305 = 28,
};

enum prf_id { PRF_HMAC_SHA1 = 2, PRF_HMAC_SHA2_256 = 5, PRF_HMAC_SHA2_384 = 6, PRF_HMAC_SHA2_512 = 7 };

enum integ_id {
	INTEG_NONE = 0,
	INTEG_HMAC_SHA1_96 = 2,
	INTEG_HMAC_SHA2_256_128 = 12,
	INTEG_HMAC_SHA2_384_192 = 13,
	INTEG_HMAC_SHA2_512_256 = 14,
};

enum dh_id {
	DH_NONE = 0,
	DH_MODP_1024 = 2, /* only by an explicit compat setting */
	DH_MODP_1536 = 5, /* likewise */
	DH_MODP_2048 = 14,
	DH_MODP_3072 = 15,
	DH_MODP_4096 = 16,
	DH_MODP_6144 = 17,
	DH_MODP_8192 = 18,
	DH_ECP_256 = 19,
	DH_ECP_384 = 20,
	DH_ECP_521 = 21,
	DH_CURVE25519 = 31,
	DH_CURVE448 = 32,
};

enum esn_id { ESN_NO = 0, ESN_YES = 1 };

struct encr_alg {
	uint16_t id;
	const char *name;    /* "aes-gcm-16" */
	bool aead;           /* integrity included; no INTEG transform, no PRF of its own */
	bool fixed_key;      /* no KEYLEN attribute (ChaCha20-Poly1305) */
	uint16_t key_bits[3]; /* allowed sizes, 0-terminated when fewer; for fixed_key the one size */
	uint8_t salt_len;    /* octets of keying material after the key: 4 GCM/ChaCha/CTR, 3 CCM */
	uint8_t iv_len;      /* explicit IV on the wire: 8, or 16 for CBC */
	uint8_t icv_len;     /* AEAD only, else 0 */
	uint8_t block;       /* padding granularity of the cipher: 16 for CBC, else 1 */
};

struct integ_alg {
	uint16_t id;
	const char *name;
	uint8_t key_len, icv_len;
};

struct prf_alg {
	uint16_t id;
	const char *name;
	uint8_t len; /* output and preferred key length, octets */
};

struct dh_alg {
	uint16_t id;
	const char *name;     /* "x25519", "modp2048", "ecp256" */
	uint16_t public_len;  /* KE payload data, octets: exactly this */
	bool weak;            /* below today's bar: only when the configuration says so */
};

/* NULL: not ours. encr_find also wants an allowed key size (key_bits 0 for fixed-size ciphers). */
const struct encr_alg *encr_find(uint16_t id);
bool encr_key_ok(const struct encr_alg *a, uint16_t key_bits);
const struct integ_alg *integ_find(uint16_t id);
const struct prf_alg *prf_find(uint16_t id);
const struct dh_alg *dh_find(uint16_t id);

/* One transform of a proposal: what is offered, configured, chosen. */
struct transform {
	uint8_t type;      /* enum transform_type, or a stranger's */
	uint16_t id;
	uint16_t key_bits; /* KEYLEN attribute; 0: none */
};

enum { TRANSFORM_TEXT = 32 };
/* As users write it: "aes256gcm16", "prfsha384", "x25519", "sha256", "esn"; "encr-99" when unknown. */
const char *transform_text(const struct transform *t, char buf[TRANSFORM_TEXT]);
/* One token of a proposal in users' spelling (strongSwan's keywords: aes256, aes256gcm16, aes128gcm, aes256ctr,
 * chacha20poly1305, aes128ccm16, sha1, sha256, sha384, sha512, prfsha256, x25519, curve25519, ecp256, modp2048, esn,
 * noesn). False: unknown. */
MUST_USE bool transform_parse(const char *token, struct transform *t);
/* All known tokens, NULL-terminated, for "did you mean". */
const char *const *transform_tokens(void);

#endif
