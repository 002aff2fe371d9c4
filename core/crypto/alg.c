#include "core/crypto/alg.h"

#include <stdio.h>

static const struct encr_alg encrs[] = {
	{ ENCR_AES_GCM_16, "aes-gcm-16", true, false, { 128, 192, 256 }, 4, 8, 16, 1 },
	{ ENCR_AES_GCM_12, "aes-gcm-12", true, false, { 128, 192, 256 }, 4, 8, 12, 1 },
	{ ENCR_AES_GCM_8, "aes-gcm-8", true, false, { 128, 192, 256 }, 4, 8, 8, 1 },
	{ ENCR_CHACHA20_POLY1305, "chacha20-poly1305", true, true, { 256 }, 4, 8, 16, 1 },
	{ ENCR_AES_CCM_16, "aes-ccm-16", true, false, { 128, 192, 256 }, 3, 8, 16, 1 },
	{ ENCR_AES_CBC, "aes-cbc", false, false, { 128, 192, 256 }, 0, 16, 0, 16 },
	{ ENCR_AES_CTR, "aes-ctr", false, false, { 128, 192, 256 }, 4, 8, 0, 1 },
};

static const struct integ_alg integs[] = {
	{ INTEG_HMAC_SHA2_256_128, "hmac-sha2-256-128", 32, 16 },
	{ INTEG_HMAC_SHA2_384_192, "hmac-sha2-384-192", 48, 24 },
	{ INTEG_HMAC_SHA2_512_256, "hmac-sha2-512-256", 64, 32 },
	{ INTEG_HMAC_SHA1_96, "hmac-sha1-96", 20, 12 },
};

static const struct prf_alg prfs[] = {
	{ PRF_HMAC_SHA2_256, "prf-hmac-sha2-256", 32 },
	{ PRF_HMAC_SHA2_384, "prf-hmac-sha2-384", 48 },
	{ PRF_HMAC_SHA2_512, "prf-hmac-sha2-512", 64 },
	{ PRF_HMAC_SHA1, "prf-hmac-sha1", 20 },
};

static const struct dh_alg dhs[] = {
	{ DH_CURVE25519, "x25519", 32, false },	  { DH_CURVE448, "x448", 56, false },
	{ DH_ECP_256, "ecp256", 64, false },	  { DH_ECP_384, "ecp384", 96, false },
	{ DH_ECP_521, "ecp521", 132, false },	  { DH_MODP_2048, "modp2048", 256, false },
	{ DH_MODP_3072, "modp3072", 384, false }, { DH_MODP_4096, "modp4096", 512, false },
	{ DH_MODP_6144, "modp6144", 768, false }, { DH_MODP_8192, "modp8192", 1024, false },
	{ DH_MODP_1536, "modp1536", 192, true },  { DH_MODP_1024, "modp1024", 128, true },
};

/*
 * Users' spelling: token, type, IANA number, key length. The first token of a transform is how it is printed; those of
 * the second list are only read.
 */
/* clang-format off */
#define TOKENS(X) \
	X("aes128gcm16", TR_ENCR, ENCR_AES_GCM_16, 128) \
	X("aes192gcm16", TR_ENCR, ENCR_AES_GCM_16, 192) \
	X("aes256gcm16", TR_ENCR, ENCR_AES_GCM_16, 256) \
	X("aes128gcm12", TR_ENCR, ENCR_AES_GCM_12, 128) \
	X("aes192gcm12", TR_ENCR, ENCR_AES_GCM_12, 192) \
	X("aes256gcm12", TR_ENCR, ENCR_AES_GCM_12, 256) \
	X("aes128gcm8", TR_ENCR, ENCR_AES_GCM_8, 128) \
	X("aes192gcm8", TR_ENCR, ENCR_AES_GCM_8, 192) \
	X("aes256gcm8", TR_ENCR, ENCR_AES_GCM_8, 256) \
	X("chacha20poly1305", TR_ENCR, ENCR_CHACHA20_POLY1305, 0) \
	X("aes128ccm16", TR_ENCR, ENCR_AES_CCM_16, 128) \
	X("aes192ccm16", TR_ENCR, ENCR_AES_CCM_16, 192) \
	X("aes256ccm16", TR_ENCR, ENCR_AES_CCM_16, 256) \
	X("aes128", TR_ENCR, ENCR_AES_CBC, 128) \
	X("aes192", TR_ENCR, ENCR_AES_CBC, 192) \
	X("aes256", TR_ENCR, ENCR_AES_CBC, 256) \
	X("aes128ctr", TR_ENCR, ENCR_AES_CTR, 128) \
	X("aes192ctr", TR_ENCR, ENCR_AES_CTR, 192) \
	X("aes256ctr", TR_ENCR, ENCR_AES_CTR, 256) \
	X("sha256", TR_INTEG, INTEG_HMAC_SHA2_256_128, 0) \
	X("sha384", TR_INTEG, INTEG_HMAC_SHA2_384_192, 0) \
	X("sha512", TR_INTEG, INTEG_HMAC_SHA2_512_256, 0) \
	X("sha1", TR_INTEG, INTEG_HMAC_SHA1_96, 0) \
	X("prfsha256", TR_PRF, PRF_HMAC_SHA2_256, 0) \
	X("prfsha384", TR_PRF, PRF_HMAC_SHA2_384, 0) \
	X("prfsha512", TR_PRF, PRF_HMAC_SHA2_512, 0) \
	X("prfsha1", TR_PRF, PRF_HMAC_SHA1, 0) \
	X("x25519", TR_DH, DH_CURVE25519, 0) \
	X("x448", TR_DH, DH_CURVE448, 0) \
	X("ecp256", TR_DH, DH_ECP_256, 0) \
	X("ecp384", TR_DH, DH_ECP_384, 0) \
	X("ecp521", TR_DH, DH_ECP_521, 0) \
	X("modp2048", TR_DH, DH_MODP_2048, 0) \
	X("modp3072", TR_DH, DH_MODP_3072, 0) \
	X("modp4096", TR_DH, DH_MODP_4096, 0) \
	X("modp6144", TR_DH, DH_MODP_6144, 0) \
	X("modp8192", TR_DH, DH_MODP_8192, 0) \
	X("modp1536", TR_DH, DH_MODP_1536, 0) \
	X("modp1024", TR_DH, DH_MODP_1024, 0) \
	X("modpnone", TR_DH, DH_NONE, 0) \
	X("esn", TR_ESN, ESN_YES, 0) \
	X("noesn", TR_ESN, ESN_NO, 0)
#define SPELLINGS(X) \
	X("aes128gcm", TR_ENCR, ENCR_AES_GCM_16, 128) \
	X("aes192gcm", TR_ENCR, ENCR_AES_GCM_16, 192) \
	X("aes256gcm", TR_ENCR, ENCR_AES_GCM_16, 256) \
	X("aes128gcm128", TR_ENCR, ENCR_AES_GCM_16, 128) \
	X("aes192gcm128", TR_ENCR, ENCR_AES_GCM_16, 192) \
	X("aes256gcm128", TR_ENCR, ENCR_AES_GCM_16, 256) \
	X("aes128gcm96", TR_ENCR, ENCR_AES_GCM_12, 128) \
	X("aes192gcm96", TR_ENCR, ENCR_AES_GCM_12, 192) \
	X("aes256gcm96", TR_ENCR, ENCR_AES_GCM_12, 256) \
	X("aes128gcm64", TR_ENCR, ENCR_AES_GCM_8, 128) \
	X("aes192gcm64", TR_ENCR, ENCR_AES_GCM_8, 192) \
	X("aes256gcm64", TR_ENCR, ENCR_AES_GCM_8, 256) \
	X("aes128ccm", TR_ENCR, ENCR_AES_CCM_16, 128) \
	X("aes192ccm", TR_ENCR, ENCR_AES_CCM_16, 192) \
	X("aes256ccm", TR_ENCR, ENCR_AES_CCM_16, 256) \
	X("aes128ccm128", TR_ENCR, ENCR_AES_CCM_16, 128) \
	X("aes192ccm128", TR_ENCR, ENCR_AES_CCM_16, 192) \
	X("aes256ccm128", TR_ENCR, ENCR_AES_CCM_16, 256) \
	X("aes", TR_ENCR, ENCR_AES_CBC, 128) \
	X("sha", TR_INTEG, INTEG_HMAC_SHA1_96, 0) \
	X("sha2_256", TR_INTEG, INTEG_HMAC_SHA2_256_128, 0) \
	X("sha2_384", TR_INTEG, INTEG_HMAC_SHA2_384_192, 0) \
	X("sha2_512", TR_INTEG, INTEG_HMAC_SHA2_512_256, 0) \
	X("curve25519", TR_DH, DH_CURVE25519, 0) \
	X("curve448", TR_DH, DH_CURVE448, 0)
/* clang-format on */

static const struct token {
	const char *name;
	struct transform t;
} tokens[] = {
#define X(name, type, id, bits) { name, { type, id, bits } },
	TOKENS(X) SPELLINGS(X)
#undef X
};

/* What peers offer and we do not have: only printed, by the names that other implementations use. */
static const struct token strangers[] = {
	{ "des", { TR_ENCR, 2, 0 } },
	{ "3des", { TR_ENCR, 3, 0 } },
	{ "cast", { TR_ENCR, 6, 0 } },
	{ "blowfish", { TR_ENCR, 7, 0 } },
	{ "null", { TR_ENCR, 11, 0 } },
	{ "camellia128", { TR_ENCR, 23, 128 } },
	{ "camellia192", { TR_ENCR, 23, 192 } },
	{ "camellia256", { TR_ENCR, 23, 256 } },
	{ "prfmd5", { TR_PRF, 1, 0 } },
	{ "prfaesxcbc", { TR_PRF, 4, 0 } },
	{ "prfaescmac", { TR_PRF, 8, 0 } },
	{ "md5", { TR_INTEG, 1, 0 } },
	{ "aesxcbc", { TR_INTEG, 5, 0 } },
	{ "aescmac", { TR_INTEG, 8, 0 } },
	{ "modp768", { TR_DH, 1, 0 } },
	{ "modp1024s160", { TR_DH, 22, 0 } },
	{ "modp2048s224", { TR_DH, 23, 0 } },
	{ "modp2048s256", { TR_DH, 24, 0 } },
	{ "ecp192", { TR_DH, 25, 0 } },
	{ "ecp224", { TR_DH, 26, 0 } },
	{ "ecp224bp", { TR_DH, 27, 0 } },
	{ "ecp256bp", { TR_DH, 28, 0 } },
	{ "ecp384bp", { TR_DH, 29, 0 } },
	{ "ecp512bp", { TR_DH, 30, 0 } },
	{ "mlkem512", { TR_DH, 35, 0 } },
	{ "mlkem768", { TR_DH, 36, 0 } },
	{ "mlkem1024", { TR_DH, 37, 0 } },
};

static const char *const token_names[] = {
#define X(name, type, id, bits) name,
	TOKENS(X) SPELLINGS(X) NULL
#undef X
};

#define FIND(table, wanted) \
	do { \
		size_t i_; \
		for (i_ = 0; i_ < ARRAY_LEN(table); i_++) \
			if ((table)[i_].id == (wanted)) \
				return &(table)[i_]; \
		return NULL; \
	} while (0)

const struct encr_alg *encr_find(uint16_t id)
{
	FIND(encrs, id);
}

const struct integ_alg *integ_find(uint16_t id)
{
	FIND(integs, id);
}

const struct prf_alg *prf_find(uint16_t id)
{
	FIND(prfs, id);
}

const struct dh_alg *dh_find(uint16_t id)
{
	FIND(dhs, id);
}

bool encr_key_ok(const struct encr_alg *a, uint16_t key_bits)
{
	size_t i;

	/* RFC 7296 3.3.5: no Key Length attribute for ciphers with one key size. */
	if (a->fixed_key)
		return key_bits == 0;
	for (i = 0; i < ARRAY_LEN(a->key_bits); i++)
		if (key_bits != 0 && a->key_bits[i] == key_bits)
			return true;
	return false;
}

static bool transform_equal(const struct transform *a, const struct transform *b)
{
	return a->type == b->type && a->id == b->id && a->key_bits == b->key_bits;
}

const char *transform_text(const struct transform *t, char buf[TRANSFORM_TEXT])
{
	static const char *const types[] = {
		[TR_ENCR] = "encr", [TR_PRF] = "prf", [TR_INTEG] = "integ", [TR_DH] = "dh", [TR_ESN] = "esn",
	};
	const char *type = t->type < ARRAY_LEN(types) ? types[t->type] : NULL;
	const struct encr_alg *encr = t->type == TR_ENCR ? encr_find(t->id) : NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(tokens); i++) {
		if (transform_equal(&tokens[i].t, t)) {
			(void)snprintf(buf, TRANSFORM_TEXT, "%s", tokens[i].name);
			return buf;
		}
	}
	for (i = 0; i < ARRAY_LEN(strangers); i++) {
		if (transform_equal(&strangers[i].t, t)) {
			(void)snprintf(buf, TRANSFORM_TEXT, "%s", strangers[i].name);
			return buf;
		}
	}
	if (encr) /* ours, with a key length that is not */
		(void)snprintf(buf, TRANSFORM_TEXT, "%s/%u", encr->name, t->key_bits);
	else if (!type)
		(void)snprintf(buf, TRANSFORM_TEXT, "type%u-%u", t->type, t->id);
	else if (t->key_bits != 0)
		(void)snprintf(buf, TRANSFORM_TEXT, "%s-%u/%u", type, t->id, t->key_bits);
	else
		(void)snprintf(buf, TRANSFORM_TEXT, "%s-%u", type, t->id);
	return buf;
}

bool transform_parse(const char *token, struct transform *t)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(tokens); i++) {
		if (strcmp(tokens[i].name, token) == 0) {
			*t = tokens[i].t;
			return true;
		}
	}
	return false;
}

const char *const *transform_tokens(void)
{
	return token_names;
}
