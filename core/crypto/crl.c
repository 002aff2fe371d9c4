#include "core/crypto/crl.h"

#include <stdlib.h>

#include "core/crypto/der.h"
#include "core/crypto/dn.h"
#include "core/crypto/pem.h"

enum { CRL_ENTRIES_MAX = 200000, SERIAL_MAX = 64, SHA256_LEN = 32 };

struct crl {
	uint8_t *der;	       /* owned; `serials` point into it */
	struct bytes *serials; /* owned, sorted */
	size_t count;
	uint8_t issuer[SHA256_LEN];
	int64_t made, next;
};

struct parts {
	struct bytes tbs, id, signature, issuer;
	struct reader revoked;
	int64_t made, next;
};

/* ---- reading ---- */

/* issuingDistributionPoint (5.2.5): fine as long as it says only where the list is. */
static bool is_whole(struct bytes value)
{
	struct reader r = rd_of(value), in = der_enter(&r, DER_SEQUENCE);

	if (der_is(&in, DER_CONSTRUCTED))
		(void)der_get(&in, DER_CONSTRUCTED);
	return !in.bad && in.left == 0;
}

static enum gw_err extensions(struct reader list, struct err *e)
{
	while (list.left > 0 && !list.bad) {
		struct reader ext = der_enter(&list, DER_SEQUENCE);
		struct bytes oid = der_get(&ext, DER_OID), flag = { 0 }, value;
		bool point = oid.n == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d && oid.p[2] == 28;

		if (der_is(&ext, DER_BOOLEAN))
			flag = der_get(&ext, DER_BOOLEAN);
		value = der_get(&ext, DER_OCTET_STRING);
		if (ext.bad)
			return err_set(e, GW_EMALFORMED, "not a list of revoked certificates");
		if (point ? !is_whole(value) : flag.n == 1 && flag.p[0] != 0)
			return err_set(e, GW_EUNSUPPORTED, "is a delta, or a list of some certificates only");
	}
	return list.bad ? err_set(e, GW_EMALFORMED, "not a list of revoked certificates") : GW_OK;
}

static enum gw_err split(struct bytes der, struct parts *out, struct err *e)
{
	struct reader r = rd_of(der), in = der_enter(&r, DER_SEQUENCE), tbs;
	struct bytes id;

	out->tbs = der_whole(&in, DER_SEQUENCE);
	out->id = der_whole(&in, DER_SEQUENCE);
	out->signature = der_bits(&in);
	tbs = rd_of(out->tbs);
	tbs = der_enter(&tbs, DER_SEQUENCE);
	if (der_is(&tbs, DER_INTEGER))
		(void)der_small(&tbs);
	id = der_whole(&tbs, DER_SEQUENCE);
	out->issuer = der_whole(&tbs, DER_SEQUENCE);
	out->made = der_time(&tbs);
	out->next = INT64_MAX;
	if (der_is(&tbs, DER_UTC_TIME) || der_is(&tbs, DER_GENERALIZED_TIME))
		out->next = der_time(&tbs);
	out->revoked = (struct reader){ 0 };
	if (der_is(&tbs, DER_SEQUENCE))
		out->revoked = der_enter(&tbs, DER_SEQUENCE);
	if (r.bad || r.left > 0 || in.bad || in.left > 0 || tbs.bad || !bytes_equal(id, out->id))
		return err_set(e, GW_EMALFORMED, "not a list of revoked certificates");
	if (der_is(&tbs, DER_CONSTRUCTED)) {
		struct reader ext = der_enter(&tbs, DER_CONSTRUCTED);

		TRY(extensions(der_enter(&ext, DER_SEQUENCE), e));
	}
	return tbs.bad || tbs.left > 0 ? err_set(e, GW_EMALFORMED, "not a list of revoked certificates") : GW_OK;
}

static enum gw_err verify(struct crypto *c, const struct trust *trust, const struct parts *p, struct err *e)
{
	size_t salt;
	const struct sign_scheme *s = sign_scheme_parse(p->id, &salt);
	bool known = false;
	char name[100];

	for (size_t i = 0; i < trust->count; i++) { /* several may have one name: it has had other keys */
		const struct anchor *a = &trust->anchors[i];

		if (!bytes_equal(a->cert.subject, p->issuer) || (a->cert.has_usage && !(a->cert.usage & CERT_CRL_SIGN)))
			continue;
		if (s && s->hash != SIGN_SHA1 &&
		    verify_signature(c, a->key, s, salt, &p->tbs, 1, p->signature) == GW_OK)
			return GW_OK;
		known = true;
	}
	dn_text(p->issuer, name, sizeof(name));
	return known ? err_set(e, GW_EAUTH, "the list of `%s` has a wrong signature", name)
		     : err_set(e, GW_EAUTH, "is the list of `%s`, which is none of this authority's certificates",
			       name);
}

static int order(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return memcmp(x->p, y->p, x->n);
}

static enum gw_err take_serials(struct crl *l, struct reader r, struct err *e)
{
	size_t cap = 0;

	while (r.left > 0) {
		struct reader entry = der_enter(&r, DER_SEQUENCE);
		struct bytes serial = der_get(&entry, DER_INTEGER);

		(void)der_time(&entry);
		if (entry.bad || serial.n == 0 || serial.n > SERIAL_MAX)
			return err_set(e, GW_EMALFORMED, "entry %zu of the list does not parse", l->count + 1);
		if (der_is(&entry, DER_SEQUENCE))
			TRY(extensions(der_enter(&entry, DER_SEQUENCE), e)); /* certificateIssuer: somebody else's */
		if (l->count == CRL_ENTRIES_MAX)
			return err_set(e, GW_ELIMIT, "more than %d entries", CRL_ENTRIES_MAX);
		if (l->count == cap) {
			struct bytes *more;

			cap = cap ? cap * 2 : 64;
			more = realloc(l->serials, cap * sizeof(*more));
			if (!more)
				return err_set(e, GW_ENOMEM, "out of memory");
			l->serials = more;
		}
		l->serials[l->count++] = serial;
	}
	if (l->count > 0)
		qsort(l->serials, l->count, sizeof(*l->serials), order);
	return GW_OK;
}

static enum gw_err decode(struct bytes file, struct crl *l, size_t *n, struct err *e)
{
	enum gw_err code;

	if (file.n == 0 || file.n > CRL_MAX)
		return err_set(e, GW_ELIMIT, "is empty, or larger than %d octets", CRL_MAX);
	l->der = malloc(file.n + 4);
	if (!l->der)
		return err_set(e, GW_ENOMEM, "out of memory");
	if (file.p[0] == DER_SEQUENCE) {
		memcpy(l->der, file.p, file.n);
		*n = file.n;
		return GW_OK;
	}
	code = pem_next(&file, "X509 CRL", l->der, file.n + 4, n);
	return code == GW_OK ? code : err_set(e, GW_EMALFORMED, "not a list of revoked certificates");
}

enum gw_err crl_create(struct crypto *c, const struct trust *trust, struct bytes file, struct crl **out, struct err *e)
{
	struct crl *l = calloc(1, sizeof(*l));
	struct parts p;
	size_t n = 0;
	enum gw_err code = l ? decode(file, l, &n, e) : err_set(e, GW_ENOMEM, "out of memory");

	if (code == GW_OK)
		code = split(bytes_of(l->der, n), &p, e);
	if (code == GW_OK)
		code = verify(c, trust, &p, e);
	if (code == GW_OK)
		code = take_serials(l, p.revoked, e);
	if (code == GW_OK)
		code = crypto_sha256(c, &p.issuer, 1, l->issuer);
	if (code != GW_OK) {
		crl_destroy(l);
		return code;
	}
	l->made = p.made;
	l->next = p.next;
	*out = l;
	return GW_OK;
}

void crl_destroy(struct crl *l)
{
	if (!l)
		return;
	free(l->serials);
	free(l->der);
	free(l);
}

/* ---- asking ---- */

bool crl_has(const struct crl *l, struct bytes serial)
{
	return l->count > 0 && bsearch(&serial, l->serials, l->count, sizeof(*l->serials), order);
}

size_t crl_count(const struct crl *l)
{
	return l->count;
}

struct bytes crl_issuer(const struct crl *l)
{
	return bytes_of(l->issuer, CRL_ISSUER);
}

int64_t crl_made(const struct crl *l)
{
	return l->made;
}

int64_t crl_next(const struct crl *l)
{
	return l->next;
}
