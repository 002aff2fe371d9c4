#include "core/crypto/sign.h"

#include "core/crypto/der.h"

const char *key_kind_name(enum key_kind k)
{
	static const char *const names[KEY_KINDS] = { "unknown",     "RSA",	"ECDSA P-256", "ECDSA P-384",
						      "ECDSA P-521", "Ed25519", "Ed448" };

	return (size_t)k < KEY_KINDS ? names[k] : names[0];
}

size_t sign_hash_len(enum sign_hash h)
{
	switch (h) {
	case SIGN_SHA1:
		return 20;
	case SIGN_SHA2_256:
		return 32;
	case SIGN_SHA2_384:
		return 48;
	case SIGN_SHA2_512:
		return 64;
	case SIGN_IDENTITY:
		break;
	}
	return 0;
}

/* ---- schemes (RFC 7427 A, RFC 8420 A) ---- */

#define RSA_ID(last) "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01" last "\x05"
#define SHA2_ID(last) "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" last "\x05\x00"
#define PSS_ID(hash, salt) \
	"\x30\x41\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x34\xa0\x0f" SHA2_ID( \
		hash) "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" SHA2_ID(hash) "\xa2\x03\x02" \
												   "\x01" salt
#define ECDSA_ID(last) "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03" last
/* A literal with its octets counted; `zero`: the NUL at its end is the last octet of it. */
#define ID(text, zero) \
	{ \
		(const uint8_t *)(text), sizeof(text) - 1 + (zero) \
	}

static const struct sign_scheme schemes[] = {
	{ SIGN_RSA_PKCS1, SIGN_SHA1, KEY_UNKNOWN, "rsa-sha1", ID(RSA_ID("\x05"), 1) },
	{ SIGN_RSA_PKCS1, SIGN_SHA2_256, KEY_UNKNOWN, "rsa-sha256", ID(RSA_ID("\x0b"), 1) },
	{ SIGN_RSA_PKCS1, SIGN_SHA2_384, KEY_UNKNOWN, "rsa-sha384", ID(RSA_ID("\x0c"), 1) },
	{ SIGN_RSA_PKCS1, SIGN_SHA2_512, KEY_UNKNOWN, "rsa-sha512", ID(RSA_ID("\x0d"), 1) },
	{ SIGN_RSA_PSS, SIGN_SHA2_256, KEY_UNKNOWN, "rsa-pss-sha256", ID(PSS_ID("\x01", "\x20"), 0) },
	{ SIGN_RSA_PSS, SIGN_SHA2_384, KEY_UNKNOWN, "rsa-pss-sha384", ID(PSS_ID("\x02", "\x30"), 0) },
	{ SIGN_RSA_PSS, SIGN_SHA2_512, KEY_UNKNOWN, "rsa-pss-sha512", ID(PSS_ID("\x03", "\x40"), 0) },
	{ SIGN_ECDSA, SIGN_SHA1, KEY_UNKNOWN, "ecdsa-sha1", ID("\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01", 0) },
	{ SIGN_ECDSA, SIGN_SHA2_256, KEY_UNKNOWN, "ecdsa-sha256", ID(ECDSA_ID("\x02"), 0) },
	{ SIGN_ECDSA, SIGN_SHA2_384, KEY_UNKNOWN, "ecdsa-sha384", ID(ECDSA_ID("\x03"), 0) },
	{ SIGN_ECDSA, SIGN_SHA2_512, KEY_UNKNOWN, "ecdsa-sha512", ID(ECDSA_ID("\x04"), 0) },
	{ SIGN_EDDSA, SIGN_IDENTITY, KEY_ED25519, "ed25519", ID("\x30\x05\x06\x03\x2b\x65\x70", 0) },
	{ SIGN_EDDSA, SIGN_IDENTITY, KEY_ED448, "ed448", ID("\x30\x05\x06\x03\x2b\x65\x71", 0) },
};

const struct sign_scheme *sign_scheme_of(enum sign_family family, enum sign_hash hash, enum key_kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		const struct sign_scheme *s = &schemes[i];

		if (s->family == family && s->hash == hash && (s->kind == KEY_UNKNOWN || s->kind == kind))
			return s;
	}
	return NULL;
}

static const uint8_t oid_pss[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a };
static const uint8_t oid_mgf1[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08 };
static const uint8_t oid_sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
static const uint8_t oid_sha2[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02 }; /* and one octet more */

/* Content of an AlgorithmIdentifier of a hash; 0: unknown. Parameters are NULL or absent (RFC 4055 2.1). */
static int hash_of(struct reader r)
{
	static const int sha2[] = { 0, SIGN_SHA2_256, SIGN_SHA2_384, SIGN_SHA2_512 };
	struct bytes oid = der_get(&r, DER_OID);

	if (r.left > 0 && der_get(&r, DER_NULL).n > 0)
		return 0;
	if (r.bad || r.left > 0)
		return 0;
	if (bytes_equal(oid, bytes_of(oid_sha1, sizeof(oid_sha1))))
		return SIGN_SHA1;
	if (oid.n == sizeof(oid_sha2) + 1 && memcmp(oid.p, oid_sha2, sizeof(oid_sha2)) == 0 &&
	    oid.p[oid.n - 1] < ARRAY_LEN(sha2))
		return sha2[oid.p[oid.n - 1]];
	return 0;
}

/* RSASSA-PSS-params (RFC 4055 3.1): what is left out is SHA-1, MGF1 with SHA-1, 20. */
static const struct sign_scheme *parse_pss(struct reader params, size_t *salt)
{
	int hash = SIGN_SHA1, mgf_hash = SIGN_SHA1;

	*salt = 20;
	if (der_is(&params, DER_CONSTRUCTED)) {
		struct reader in = der_enter(&params, DER_CONSTRUCTED);

		hash = hash_of(der_enter(&in, DER_SEQUENCE));
	}
	if (der_is(&params, DER_CONSTRUCTED + 1)) {
		struct reader in = der_enter(&params, DER_CONSTRUCTED + 1), mgf = der_enter(&in, DER_SEQUENCE);

		if (!bytes_equal(der_get(&mgf, DER_OID), bytes_of(oid_mgf1, sizeof(oid_mgf1))))
			return NULL;
		mgf_hash = hash_of(der_enter(&mgf, DER_SEQUENCE));
	}
	if (der_is(&params, DER_CONSTRUCTED + 2)) {
		struct reader in = der_enter(&params, DER_CONSTRUCTED + 2);

		*salt = der_small(&in);
		if (in.bad || *salt > 512)
			return NULL;
	}
	if (der_is(&params, DER_CONSTRUCTED + 3)) { /* the only trailer there is; some peers write the default */
		struct reader in = der_enter(&params, DER_CONSTRUCTED + 3);

		if (der_small(&in) != 1)
			return NULL;
	}
	return params.bad || params.left > 0 || hash == 0 || hash != mgf_hash
		       ? NULL
		       : sign_scheme_of(SIGN_RSA_PSS, (enum sign_hash)hash, KEY_UNKNOWN);
}

const struct sign_scheme *sign_scheme_parse(struct bytes id, size_t *salt)
{
	struct reader r = rd_of(id), in = der_enter(&r, DER_SEQUENCE);
	struct bytes oid = der_get(&in, DER_OID);

	*salt = 0;
	if (r.bad || in.bad || r.left > 0)
		return NULL;
	if (bytes_equal(oid, bytes_of(oid_pss, sizeof(oid_pss))))
		return parse_pss(der_enter(&in, DER_SEQUENCE), salt);
	if (in.left > 0 && (der_get(&in, DER_NULL).n > 0 || in.bad || in.left > 0))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct reader s = rd_of(schemes[i].id), body = der_enter(&s, DER_SEQUENCE);

		if (schemes[i].family != SIGN_RSA_PSS && bytes_equal(der_get(&body, DER_OID), oid))
			return &schemes[i];
	}
	return NULL;
}

bool sign_scheme_fits(const struct sign_scheme *s, enum key_kind kind)
{
	switch (s->family) {
	case SIGN_RSA_PKCS1:
	case SIGN_RSA_PSS:
		return kind == KEY_RSA;
	case SIGN_ECDSA:
		return kind == KEY_P256 || kind == KEY_P384 || kind == KEY_P521;
	case SIGN_EDDSA:
		return kind == s->kind;
	}
	return false;
}

/* ---- r | s and DER ---- */

static size_t order_len(enum key_kind kind)
{
	return kind == KEY_P256 ? 32 : kind == KEY_P384 ? 48 : kind == KEY_P521 ? 66 : 0;
}

static void put_integer(struct writer *w, const uint8_t *p, size_t n)
{
	for (; n > 1 && *p == 0; p++)
		n--;
	wr_u8(w, DER_INTEGER);
	wr_u8(w, (uint8_t)(n + (*p >> 7)));
	if (*p & 0x80)
		wr_u8(w, 0);
	wr_bytes(w, bytes_of(p, n));
}

enum gw_err ecdsa_to_der(enum key_kind kind, struct bytes raw, uint8_t *out, size_t *n)
{
	uint8_t inside[2 * 70];
	struct writer in = wr_of(inside, sizeof(inside)), w = wr_of(out, SIGNATURE_MAX);
	size_t len = order_len(kind);

	if (len == 0 || raw.n != 2 * len)
		return GW_EMALFORMED;
	put_integer(&in, raw.p, len);
	put_integer(&in, raw.p + len, len);
	wr_u8(&w, DER_SEQUENCE);
	if (in.n > 0x7f)
		wr_u8(&w, 0x81);
	wr_u8(&w, (uint8_t)in.n);
	wr_bytes(&w, wr_done(&in));
	*n = w.n;
	return GW_OK;
}

static bool get_integer(struct reader *r, uint8_t *out, size_t len)
{
	struct bytes b = der_get(r, DER_INTEGER);

	while (b.n > 0 && *b.p == 0) {
		b.p++;
		b.n--;
	}
	if (r->bad || b.n > len)
		return false;
	memset(out, 0, len - b.n);
	if (b.n > 0)
		memcpy(out + len - b.n, b.p, b.n);
	return true;
}

enum gw_err ecdsa_to_raw(enum key_kind kind, struct bytes der, uint8_t *out, size_t *n)
{
	struct reader r = rd_of(der), in = der_enter(&r, DER_SEQUENCE);
	size_t len = order_len(kind);

	if (len == 0 || !get_integer(&in, out, len) || !get_integer(&in, out + len, len) || in.left > 0)
		return GW_EMALFORMED;
	*n = 2 * len;
	return GW_OK;
}
