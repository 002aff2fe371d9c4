#include "core/crypto/cert.h"

#include <stdlib.h>

#include "core/crypto/der.h"
#include "core/crypto/pem.h"

/* ---- times ---- */

static int two_digits(struct reader *r)
{
	uint8_t a = rd_u8(r), b = rd_u8(r);

	if (a < '0' || a > '9' || b < '0' || b > '9')
		r->bad = true;
	return (a - '0') * 10 + (b - '0');
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	int64_t past = year - 1;
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return past * 365 + past / 4 - past / 100 + past / 400 - 719162 + before[month - 1] + (leap && month > 2) +
	       day - 1;
}

int64_t der_time(struct reader *r)
{
	struct bytes content;
	uint8_t tag = der_next(r, &content);
	struct reader t = rd_of(content);
	int64_t year = 0;
	int month, day, hour, minute, second;

	if (tag == DER_GENERALIZED_TIME)
		year = two_digits(&t) * 100;
	else if (tag != DER_UTC_TIME)
		t.bad = true;
	year += two_digits(&t);
	if (tag == DER_UTC_TIME)
		year += year < 50 ? 2000 : 1900; /* 4.1.2.5.1 */
	month = two_digits(&t);
	day = two_digits(&t);
	hour = two_digits(&t);
	minute = two_digits(&t);
	second = two_digits(&t);
	if (rd_u8(&t) != 'Z' || t.bad || t.left > 0 || year == 0 || month < 1 || month > 12 || day < 1 || day > 31 ||
	    hour > 23 || minute > 59 || second > 60) {
		r->bad = true;
		return 0;
	}
	return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

/* ---- extensions (4.2.1) ---- */

/* The first octets of a BIT STRING of flags, bit 0 first. */
static uint16_t named_bits(struct reader *r)
{
	struct reader in = der_enter(r, DER_BIT_STRING);
	uint16_t bits = 0;

	if (rd_u8(&in) > 7)
		r->bad = true;
	for (int octet = 0; octet < 2 && in.left > 0; octet++) {
		uint8_t v = rd_u8(&in);

		for (int i = 0; i < 8; i++)
			bits |= (uint16_t)((v >> (7 - i) & 1) << (octet * 8 + i));
	}
	r->bad |= in.bad;
	return bits;
}

static uint8_t purposes(struct reader *r)
{
	static const uint8_t kp[] = { 0x2b, 6, 1, 5, 5, 7, 3 }, intermediate[] = { 0x2b, 6, 1, 5, 5, 8, 2, 2 };
	static const uint8_t any[] = { 0x55, 0x1d, 0x25, 0 };
	struct reader in = der_enter(r, DER_SEQUENCE);
	uint8_t out = 0;

	while (in.left > 0 && !in.bad) {
		struct bytes oid = der_get(&in, DER_OID);

		if (bytes_equal(oid, bytes_of(any, sizeof(any))))
			out |= CERT_FOR_ANY;
		else if (bytes_equal(oid, bytes_of(intermediate, sizeof(intermediate))))
			out |= CERT_FOR_IKE_INTERMEDIATE;
		else if (oid.n == sizeof(kp) + 1 && memcmp(oid.p, kp, sizeof(kp)) == 0)
			switch (oid.p[sizeof(kp)]) {
			case 1:
				out |= CERT_FOR_SERVER;
				break;
			case 2:
				out |= CERT_FOR_CLIENT;
				break;
			case 5:
			case 6:
			case 7:
			case 17:
				out |= CERT_FOR_IKE;
				break;
			default:
				break;
			}
	}
	r->bad |= in.bad;
	return out;
}

static void basic_constraints(struct reader *r, struct cert *c)
{
	struct reader in = der_enter(r, DER_SEQUENCE);

	if (der_is(&in, DER_BOOLEAN)) {
		struct bytes b = der_get(&in, DER_BOOLEAN);

		c->ca = b.n == 1 && b.p[0] != 0;
	}
	if (der_is(&in, DER_INTEGER)) {
		uint32_t n = der_small(&in);

		c->path_len = n > 1000 ? 1000 : (int)n;
	}
	r->bad |= in.bad || in.left > 0;
}

static void names(struct reader *r, struct cert *c)
{
	struct reader in;
	enum cert_name kind;
	struct bytes value;

	c->san = der_get(r, DER_SEQUENCE);
	in = rd_of(c->san);
	while (cert_next_name(&in, &kind, &value))
		;
	r->bad |= in.bad;
}

/* id-ce 2.5.29.x; false: unknown. */
static bool known_extension(uint8_t number, struct reader *v, struct cert *c)
{
	struct reader in;

	switch (number) {
	case 14:
		c->key_id = der_get(v, DER_OCTET_STRING);
		return true;
	case 15:
		c->has_usage = true;
		c->usage = named_bits(v);
		return true;
	case 17:
		names(v, c);
		return true;
	case 19:
		basic_constraints(v, c);
		return true;
	case 35:
		in = der_enter(v, DER_SEQUENCE);
		if (der_is(&in, DER_CONTEXT))
			c->issuer_key_id = der_get(&in, DER_CONTEXT);
		v->bad |= in.bad;
		return true;
	case 37:
		c->has_purpose = true;
		c->purpose = purposes(v);
		return true;
	case 18: /* issuerAltName, policies, where CRLs are: they say nothing against the certificate */
	case 31:
	case 32:
	case 46:
		v->left = 0;
		return true;
	default: /* nameConstraints among them */
		return false;
	}
}

static bool extensions(struct reader list, struct cert *c)
{
	uint64_t seen = 0;

	while (list.left > 0 && !list.bad) {
		struct reader ext = der_enter(&list, DER_SEQUENCE), value;
		struct bytes oid = der_get(&ext, DER_OID), flag = { 0 };
		bool critical, known;

		if (der_is(&ext, DER_BOOLEAN))
			flag = der_get(&ext, DER_BOOLEAN);
		critical = flag.n == 1 && flag.p[0] != 0;
		value = rd_of(der_get(&ext, DER_OCTET_STRING));
		if (ext.bad || ext.left > 0)
			return false;
		known = oid.n == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d && oid.p[2] < 64;
		if (known) {
			if (seen & UINT64_C(1) << oid.p[2]) /* 4.2: at most once */
				return false;
			seen |= UINT64_C(1) << oid.p[2];
			known = known_extension(oid.p[2], &value, c);
			if (known && (value.bad || value.left > 0))
				return false;
		}
		c->alien |= critical && !known;
	}
	return !list.bad;
}

/* ---- the certificate (4.1) ---- */

static bool tbs_parse(struct reader t, struct cert *c)
{
	struct reader in;
	struct bytes id;

	if (der_is(&t, DER_CONSTRUCTED)) {
		in = der_enter(&t, DER_CONSTRUCTED);
		if (der_small(&in) > 2 || in.bad)
			return false;
	}
	c->serial = der_get(&t, DER_INTEGER);
	id = der_whole(&t, DER_SEQUENCE);
	c->issuer = der_whole(&t, DER_SEQUENCE);
	in = der_enter(&t, DER_SEQUENCE);
	c->not_before = der_time(&in);
	c->not_after = der_time(&in);
	c->subject = der_whole(&t, DER_SEQUENCE);
	c->spki = der_whole(&t, DER_SEQUENCE);
	if (t.bad || in.bad || in.left > 0 || c->serial.n == 0 || c->serial.n > 64 ||
	    !bytes_equal(id, c->signature_id)) /* 4.1.1.2: the two agree */
		return false;
	if (der_is(&t, DER_CONTEXT + 1))
		(void)der_get(&t, DER_CONTEXT + 1);
	if (der_is(&t, DER_CONTEXT + 2))
		(void)der_get(&t, DER_CONTEXT + 2);
	if (der_is(&t, DER_CONSTRUCTED + 3)) {
		in = der_enter(&t, DER_CONSTRUCTED + 3);
		if (!extensions(der_enter(&in, DER_SEQUENCE), c) || in.bad || in.left > 0)
			return false;
	}
	return !t.bad && t.left == 0;
}

enum gw_err cert_read(struct bytes der, struct cert *out, struct err *e)
{
	struct reader r = rd_of(der), in, tbs;

	*out = (struct cert){ .der = der, .path_len = -1 };
	if (der.n > CERT_MAX)
		return err_set(e, GW_ELIMIT, "a certificate of %zu octets is too large", der.n);
	in = der_enter(&r, DER_SEQUENCE);
	out->tbs = der_whole(&in, DER_SEQUENCE);
	out->signature_id = der_whole(&in, DER_SEQUENCE);
	out->signature = der_bits(&in);
	tbs = rd_of(out->tbs);
	tbs = der_enter(&tbs, DER_SEQUENCE);
	if (r.bad || in.bad || r.left > 0 || in.left > 0 || !tbs_parse(tbs, out))
		return err_set(e, GW_EMALFORMED, "not a certificate that we can read");
	return GW_OK;
}

bool cert_next_name(struct reader *r, enum cert_name *kind, struct bytes *value)
{
	uint8_t tag;

	if (r->bad || r->left == 0)
		return false;
	tag = der_next(r, value);
	*kind = (enum cert_name)(tag & 0x1f);
	if ((tag & 0xc0) != DER_CONTEXT)
		r->bad = true;
	return !r->bad;
}

/* ---- files ---- */

enum gw_err cert_each(struct bytes file, enum gw_err (*each)(void *arg, struct bytes der), void *arg, struct err *e)
{
	uint8_t *buf;
	size_t n, count = 0;
	enum gw_err code;

	if (file.n > 0 && file.p[0] == DER_SEQUENCE)
		return each(arg, file);
	buf = malloc(CERT_MAX);
	if (!buf)
		return err_set(e, GW_ENOMEM, "out of memory");
	while ((code = pem_next(&file, "CERTIFICATE", buf, CERT_MAX, &n)) == GW_OK) {
		count++;
		code = each(arg, bytes_of(buf, n));
		if (code != GW_OK) {
			free(buf);
			return code;
		}
	}
	free(buf);
	if (code != GW_ENOTFOUND)
		return err_set(e, code, "certificate %zu of the file is no PEM", count + 1);
	return count > 0 ? GW_OK : err_set(e, GW_ENOTFOUND, "no certificate is in it");
}
