#include "core/crypto/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/crypto/dn.h"

enum { SIGNATURES_MAX = 12, NAME_SHOWN = 100 }; /* checked for one peer, whatever it sent */

/* ---- authorities ---- */

struct adding {
	struct keyring *ring;
	struct trust *trust;
	struct err *e;
};

static enum gw_err add_anchor(void *arg, struct bytes der)
{
	struct adding *a = arg;
	struct anchor *list = realloc(a->trust->anchors, (a->trust->count + 1) * sizeof(*list)), *n;
	char name[NAME_SHOWN];
	enum gw_err code;

	if (!list)
		return err_set(a->e, GW_ENOMEM, "out of memory");
	a->trust->anchors = list;
	n = &list[a->trust->count];
	*n = (struct anchor){ .der = malloc(der.n) };
	if (!n->der)
		return err_set(a->e, GW_ENOMEM, "out of memory");
	a->trust->count++;
	memcpy(n->der, der.p, der.n);
	TRY(cert_read(bytes_of(n->der, der.n), &n->cert, a->e));
	dn_text(n->cert.subject, name, sizeof(name));
	if (!n->cert.ca && n->cert.has_usage)
		return err_set(a->e, GW_EUNSUPPORTED, "`%s` is not the certificate of an authority", name);
	TRY(keyring_sha1(a->ring, n->cert.spki, n->key_hash));
	code = keyring_verify_key(a->ring, n->cert.spki, &n->key);
	return code == GW_OK ? code : err_set(a->e, code, "the key of `%s` is none that we can use", name);
}

enum gw_err trust_create(struct keyring *r, struct bytes file, struct trust **out, struct err *e)
{
	struct adding a = { r, calloc(1, sizeof(*a.trust)), e };
	enum gw_err code;

	if (!a.trust)
		return err_set(e, GW_ENOMEM, "out of memory");
	code = cert_each(file, add_anchor, &a, e);
	if (code == GW_OK)
		*out = a.trust;
	else
		trust_destroy(a.trust);
	return code;
}

void trust_destroy(struct trust *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++) {
		verify_key_destroy(t->anchors[i].key);
		free(t->anchors[i].der);
	}
	free(t->anchors);
	free(t);
}

/* ---- one certificate ---- */

static const char *day_text(int64_t when, char buf[24])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(buf, 24, "%Y-%m-%d %H:%M", &tm) == 0)
		(void)snprintf(buf, 24, "?");
	return buf;
}

static enum gw_err check_time(const struct cert *c, int64_t now, struct err *e)
{
	char name[NAME_SHOWN], day[24];

	if (now < c->not_before)
		return err_set(e, GW_EAUTH, "certificate `%s` is valid from %s on",
			       dn_text(c->subject, name, sizeof(name)), day_text(c->not_before, day));
	if (now > c->not_after)
		return err_set(e, GW_EAUTH, "certificate `%s` expired at %s", dn_text(c->subject, name, sizeof(name)),
			       day_text(c->not_after, day));
	return GW_OK;
}

static enum gw_err check_critical(const struct cert *c, struct err *e)
{
	char name[NAME_SHOWN];

	return c->alien ? err_set(e, GW_EAUTH, "certificate `%s` has a critical extension that we do not know",
				  dn_text(c->subject, name, sizeof(name)))
			: GW_OK;
}

enum gw_err leaf_check(const struct cert *c, int64_t now, struct err *e)
{
	char name[NAME_SHOWN];

	TRY(check_time(c, now, e));
	TRY(check_critical(c, e));
	if (c->has_usage && !(c->usage & (CERT_DIGITAL_SIGNATURE | CERT_NON_REPUDIATION)))
		return err_set(e, GW_EAUTH, "certificate `%s` is not for signatures (keyUsage)",
			       dn_text(c->subject, name, sizeof(name)));
	if (c->has_purpose && c->purpose == 0)
		return err_set(e, GW_EAUTH, "certificate `%s` is for neither IKE nor TLS (extendedKeyUsage)",
			       dn_text(c->subject, name, sizeof(name)));
	return GW_OK;
}

/* `below`: how many intermediates are under it. */
static enum gw_err check_ca(const struct cert *c, int64_t now, size_t below, bool anchor, struct err *e)
{
	char name[NAME_SHOWN];

	TRY(check_time(c, now, e));
	TRY(check_critical(c, e));
	if (!c->ca && !anchor) /* what the operator trusts may be of version 1 */
		return err_set(e, GW_EAUTH, "certificate `%s` is not that of an authority",
			       dn_text(c->subject, name, sizeof(name)));
	if (c->has_usage && !(c->usage & CERT_KEY_CERT_SIGN))
		return err_set(e, GW_EAUTH, "certificate `%s` is not for signing certificates (keyUsage)",
			       dn_text(c->subject, name, sizeof(name)));
	if (c->path_len >= 0 && below > (size_t)c->path_len)
		return err_set(e, GW_EAUTH, "certificate `%s` allows %d authorities below it only",
			       dn_text(c->subject, name, sizeof(name)), c->path_len);
	return GW_OK;
}

/* ---- the way up ---- */

struct search {
	struct crypto *c;
	const struct trust *const *trusts;
	size_t trust_count;
	const struct cert *pool;
	size_t pool_count;
	int64_t now;
	int signatures;
	struct cert_chain *out;
	struct err *e; /* the most telling so far: what was found out last on the way that came farthest */
};

static enum gw_err check_signature(struct search *s, const struct cert *c, struct verify_key *key)
{
	size_t salt;
	const struct sign_scheme *scheme = sign_scheme_parse(c->signature_id, &salt);
	char name[NAME_SHOWN];

	if (s->signatures++ >= SIGNATURES_MAX)
		return err_set(s->e, GW_EAUTH, "too many certificates that fit by name");
	if (!scheme)
		return err_set(s->e, GW_EAUTH, "certificate `%s` is signed by an algorithm that we do not have",
			       dn_text(c->subject, name, sizeof(name)));
	if (scheme->hash == SIGN_SHA1)
		return err_set(s->e, GW_EAUTH, "certificate `%s` is signed with SHA-1",
			       dn_text(c->subject, name, sizeof(name)));
	if (verify_signature(s->c, key, scheme, salt, &c->tbs, 1, c->signature) != GW_OK)
		return err_set(s->e, GW_EAUTH, "certificate `%s` has a wrong signature",
			       dn_text(c->subject, name, sizeof(name)));
	return GW_OK;
}

static bool may_issue(const struct cert *ca, const struct cert *c)
{
	return bytes_equal(ca->subject, c->issuer) &&
	       (ca->key_id.n == 0 || c->issuer_key_id.n == 0 || bytes_equal(ca->key_id, c->issuer_key_id));
}

static bool is_used(const struct cert_chain *chain, const struct cert *c)
{
	for (size_t i = 0; i < chain->count; i++) {
		if (chain->certs[i] == c || bytes_equal(chain->certs[i]->der, c->der))
			return true;
	}
	return false;
}

static enum gw_err climb(struct search *s)
{
	struct cert_chain *chain = s->out;
	const struct cert *top = chain->certs[chain->count - 1];
	bool found = false;
	char name[NAME_SHOWN];

	for (size_t t = 0; t < s->trust_count; t++) {
		for (size_t i = 0; s->trusts[t] && i < s->trusts[t]->count; i++) {
			const struct anchor *a = &s->trusts[t]->anchors[i];

			if (!may_issue(&a->cert, top))
				continue;
			found = true;
			if (check_ca(&a->cert, s->now, chain->count - 1, true, s->e) != GW_OK ||
			    check_signature(s, top, a->key) != GW_OK)
				continue;
			chain->anchor = a;
			chain->trust = t;
			return GW_OK;
		}
	}
	for (size_t i = 0; i < s->pool_count && chain->count < CERT_CHAIN_MAX; i++) {
		const struct cert *ca = &s->pool[i];
		struct verify_key *key;

		if (!may_issue(ca, top) || is_used(chain, ca))
			continue;
		found = true;
		if (check_ca(ca, s->now, chain->count - 1, false, s->e) != GW_OK)
			continue;
		if (verify_key_scratch(s->c, ca->spki, &key) != GW_OK) {
			(void)err_set(s->e, GW_EAUTH, "the key of certificate `%s` is none that we can use",
				      dn_text(ca->subject, name, sizeof(name)));
			continue;
		}
		if (check_signature(s, top, key) != GW_OK)
			continue;
		chain->certs[chain->count++] = ca;
		if (climb(s) == GW_OK)
			return GW_OK;
		chain->count--;
	}
	if (!found)
		(void)err_set(s->e, GW_EAUTH, "unknown authority: its certificate is issued by `%s`",
			      dn_text(top->issuer, name, sizeof(name)));
	return GW_EAUTH;
}

enum gw_err chain_build(struct crypto *c, const struct trust *const *trusts, size_t trust_count,
			const struct cert *leaf, const struct cert *pool, size_t pool_count, int64_t now,
			struct cert_chain *out, struct err *e)
{
	struct err ignored;
	struct search s = { c, trusts, trust_count, pool, pool_count, now, 0, out, e ? e : &ignored };

	*out = (struct cert_chain){ .certs = { leaf }, .count = 1 };
	TRY(leaf_check(leaf, now, s.e));
	return climb(&s);
}
