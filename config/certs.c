/* Certificates, private keys and authorities: read from their files, and judged as clients will judge them. */
#include "config/reader.h"

#include "core/clock.h"
#include "core/crypto/dn.h"
#include "core/crypto/tls_server.h"
#include "core/glob.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXPIRES_SOON = 14 * 86400 };

static struct keyring *ring_of(struct load *l)
{
	if (!l->settings->keyring)
		l->settings->keyring = keyring_create();
	if (!l->settings->keyring)
		report_error(l->report, (struct mark){ 0, 0 }, "OpenSSL does not start");
	return l->settings->keyring;
}

bool location_is_uri(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

	return n > 1 && text[n] == ':';
}

/* ---- ours ---- */

static enum gw_err add_cert(void *arg, struct bytes der)
{
	struct certificate_cfg *c = arg;
	struct err e;
	uint8_t *copy;

	if (c->chain_len == CERT_CHAIN_MAX)
		return GW_ELIMIT;
	copy = malloc(der.n);
	if (!copy)
		return GW_ENOMEM;
	memcpy(copy, der.p, der.n);
	c->ders[c->chain_len] = copy;
	return cert_read(bytes_of(copy, der.n), &c->chain[c->chain_len++], &e);
}

static bool read_chain(struct load *l, const struct yaml_node *map, struct certificate_cfg *c)
{
	WIPED struct secret file = { 0 };
	struct err e = { 0 };
	enum gw_err code = source_file(l->src, c->file, SOURCE_PUBLIC, &file, &e);

	if (code == GW_OK)
		code = cert_each(secret_bytes(&file), add_cert, c, &e);
	if (code == GW_ELIMIT && !e.text[0])
		(void)err_set(&e, code, "more than %d certificates", CERT_CHAIN_MAX);
	if (code != GW_OK)
		report_error(l->report, reader_mark(map, "cert"), "`cert`: %.200s: %s", c->file,
			     e.text[0] ? e.text : "holds something that is no certificate");
	return code == GW_OK;
}

static bool read_key(struct load *l, const struct yaml_node *map, struct certificate_cfg *c)
{
	WIPED struct secret file = { 0 };
	struct err e = { 0 };
	enum gw_err code;

	if (!ring_of(l))
		return false;
	if (location_is_uri(c->key_at)) {
		code = l->src && l->src->read_secret ? err_set(&e, GW_EUNSUPPORTED, "is not read here")
						     : sign_key_open(l->settings->keyring, c->key_at, &c->key, &e);
	} else {
		code = source_file(l->src, c->key_at, SOURCE_SECRET, &file, &e);
		if (code == GW_OK)
			code = sign_key_decode(l->settings->keyring, secret_bytes(&file), &c->key, &e);
	}
	if (code != GW_OK)
		report_error(l->report, reader_mark(map, "key"), "`key`: %.200s: %s", c->key_at,
			     e.text[0] ? e.text : gw_err_text(code));
	return code == GW_OK;
}

/* Whether the last certificate of the file is its own issuer, or issued by an authority that we know. */
static bool chain_ends(const struct settings *s, const struct cert *last)
{
	if (bytes_equal(last->issuer, last->subject))
		return true;
	for (size_t i = 0; i < s->authority_count; i++) {
		const struct trust *t = s->authorities[i].trust;

		for (size_t k = 0; t && k < t->count; k++) {
			if (bytes_equal(t->anchors[k].cert.subject, last->issuer))
				return true;
		}
	}
	return false;
}

/* What clients stumble over (RFC 4945, and what they do in the field). */
static void judge(struct load *l, const struct yaml_node *map, const struct certificate_cfg *c)
{
	const struct cert *leaf = &c->chain[0], *last = &c->chain[c->chain_len - 1];
	struct mark at = reader_mark(map, "cert");
	int64_t now = clock_system()->wall(clock_system());
	struct err e = { 0 };
	char name[120];

	if (leaf_check(leaf, now, &e) != GW_OK)
		report_warning(l->report, at, "%s", e.text);
	else if (leaf->not_after - now < EXPIRES_SOON)
		report_warning(l->report, at, "the certificate expires in %lld days",
			       (long long)((leaf->not_after - now) / 86400));
	if (leaf->ca)
		report_warning(l->report, at,
			       "the first certificate of the file is that of an authority: ours comes first");
	if (!leaf->has_purpose || !(leaf->purpose & (CERT_FOR_SERVER | CERT_FOR_ANY)))
		report_warning(
			l->report, at,
			"the certificate lacks extendedKeyUsage serverAuth: Windows and Apple clients refuse it");
	for (size_t i = 0; i + 1 < c->chain_len; i++) {
		if (!bytes_equal(c->chain[i].issuer, c->chain[i + 1].subject))
			report_warning(l->report, at, "certificate %zu of the file is not issued by the one behind it",
				       i + 1);
	}
	if (!chain_ends(l->settings, last))
		report_warning(
			l->report, at,
			"the chain ends at `%s`, which is not among the authorities: clients that do not have it "
			"themselves refuse the certificate; put intermediate certificates behind ours",
			dn_text(last->issuer, name, sizeof(name)));
}

static void add_issuer(struct certificate_cfg *c, const uint8_t hash[20])
{
	if (c->issuer_count < ARRAY_LEN(c->issuers))
		memcpy(c->issuers[c->issuer_count++], hash, 20);
}

/* Those in the file, and the authority that is known by the name at its end. */
static void find_issuers(struct load *l, struct certificate_cfg *c)
{
	const struct settings *s = l->settings;
	const struct cert *last = &c->chain[c->chain_len - 1];
	uint8_t hash[20];

	for (size_t i = 1; i < c->chain_len; i++) {
		if (keyring_sha1(s->keyring, c->chain[i].spki, hash) == GW_OK)
			add_issuer(c, hash);
	}
	for (size_t i = 0; i < s->authority_count; i++) {
		const struct trust *t = s->authorities[i].trust;

		for (size_t k = 0; t && k < t->count; k++) {
			if (bytes_equal(t->anchors[k].cert.subject, last->issuer))
				add_issuer(c, t->anchors[k].key_hash);
		}
	}
}

static void load_certificate(struct load *l, const struct yaml_node *map, struct certificate_cfg *c)
{
	if (!c->file || !c->key_at || !read_chain(l, map, c))
		return;
	judge(l, map, c);
	if (ring_of(l))
		find_issuers(l, c);
	if (read_key(l, map, c) && !sign_key_fits(c->key, c->chain[0].spki))
		report_error(l->report, reader_mark(map, "key"),
			     "`key` is not the key of the first certificate of `cert`");
}

/* ---- authorities ---- */

static void load_authority(struct load *l, const struct yaml_node *map, struct authority_cfg *a)
{
	WIPED struct secret file = { 0 };
	struct err e = { 0 };
	enum gw_err code;

	if (!a->file || !ring_of(l))
		return;
	code = source_file(l->src, a->file, SOURCE_PUBLIC, &file, &e);
	if (code == GW_OK)
		code = trust_create(l->settings->keyring, secret_bytes(&file), &a->trust, &e);
	if (code != GW_OK)
		report_error(l->report, reader_mark(map, "file"), "`file`: %.200s: %s", a->file,
			     e.text[0] ? e.text : gw_err_text(code));
	for (size_t i = 0; i < a->crl_count; i++) {
		const struct yaml_node *item = yaml_tree_item(yaml_tree_get(map, "crl"), i);

		if (item && a->crls[i] && location_is_uri(a->crls[i]) && strncmp(a->crls[i], "http://", 7) != 0)
			report_error(l->report, item->at,
				     "`crl` is a file or an http:// URL: lists are signed, and "
				     "https would need a certificate that needs a list");
	}
	if (a->revocation == REVOCATION_STRICT && a->crl_count == 0)
		report_error(l->report, reader_mark(map, "revocation"), "`strict` without a `crl` refuses everybody");
}

void check_certificates(struct load *l, const struct yaml_node *root)
{
	struct settings *s = l->settings;
	const struct yaml_node *map = yaml_tree_item(yaml_tree_get(root, "authorities"), 0);

	for (size_t i = 0; i < s->authority_count && map; i++, map = map->next)
		load_authority(l, map, &s->authorities[i]);
	map = yaml_tree_item(yaml_tree_get(root, "certificates"), 0);
	for (size_t i = 0; i < s->certificate_count && map; i++, map = map->next)
		load_certificate(l, map, &s->certificates[i]);
}

void certificate_clear(struct certificate_cfg *c)
{
	for (size_t i = 0; i < c->chain_len; i++)
		free(c->ders[i]);
	tls_server_destroy(c->tls);
	sign_key_destroy(c->key);
	free(c->name);
	free(c->file);
	free(c->key_at);
}

void authority_clear(struct authority_cfg *a)
{
	trust_destroy(a->trust);
	for (size_t i = 0; i < a->crl_count; i++)
		free(a->crls[i]);
	free(a->crls);
	free(a->name);
	free(a->file);
}

/* ---- what a connection makes of them ---- */

bool cert_is_for(const struct cert *c, const struct id_cfg *id)
{
	static const struct {
		enum id_kind id;
		enum cert_name name;
	} kinds[] = { { ID_FQDN, CERT_NAME_DNS },
		      { ID_RFC822, CERT_NAME_MAIL },
		      { ID_IPV4, CERT_NAME_ADDRESS },
		      { ID_IPV6, CERT_NAME_ADDRESS } };
	struct reader r = rd_of(c->san);
	enum cert_name kind;
	struct bytes value;

	if (id->kind == ID_DN)
		return dn_equal(id->data, c->subject);
	while (cert_next_name(&r, &kind, &value)) {
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
			if (kinds[i].id == id->kind && kinds[i].name == kind &&
			    text_same(value, id->data, id->kind == ID_FQDN || id->kind == ID_RFC822))
				return true;
		}
	}
	return false;
}

static void check_names(struct load *l, const struct yaml_node *map, const struct conn_cfg *c)
{
	const struct yaml_node *local = yaml_tree_get(map, "local");

	for (size_t i = 0; i < c->certificate_count; i++) {
		const struct certificate_cfg *cert = c->certificates[i];
		bool known = c->local_id.kind != ID_NONE && c->local_id.kind != ID_KEY_ID;

		if (!cert || cert->chain_len == 0 || !known || cert_is_for(&cert->chain[0], &c->local_id))
			continue;
		report_warning(
			l->report, reader_mark(local, "id"),
			"certificate `%.64s` does not say that it is `%.100s` (subjectAltName): clients refuse it",
			cert->name, c->local_id.text);
	}
}

/* Our certificates as those of a TLS server; each is made once. */
static void make_tls(struct load *l, const struct yaml_node *map, const struct conn_cfg *c)
{
	struct settings *s = l->settings;

	for (size_t i = 0; i < c->certificate_count; i++) {
		struct certificate_cfg *cert =
			c->certificates[i] ? &s->certificates[c->certificates[i] - s->certificates] : NULL;
		struct err e = { 0 };

		if (cert && cert->key && cert->chain_len > 0 && !cert->tls &&
		    tls_server_create(cert->chain, cert->chain_len, cert->key, &cert->tls, &e) != GW_OK)
			report_error(l->report, reader_mark(map, "certificates"), "certificate `%.64s`: %s", cert->name,
				     e.text);
	}
}

static void check_eap(struct load *l, const struct yaml_node *map, const struct conn_cfg *c)
{
	const struct yaml_node *local = yaml_tree_get(map, "local"), *remote = yaml_tree_get(map, "remote");

	if ((c->remote_auth & CONN_AUTH_EAP_TLS) && c->local_auth != CONN_AUTH_CERT)
		report_error(l->report, reader_mark(remote, "auth"), "`eap-tls` wants `auth: cert` in `local`");
	else if ((c->remote_auth & CONN_AUTH_EAP) && c->local_auth == CONN_AUTH_PSK)
		/* RFC 7296 2.16 */
		report_warning(l->report, reader_mark(remote, "auth"),
			       "clients that log in by EAP want a certificate of ours: `auth: cert` in `local`");
	if ((c->remote_auth & CONN_AUTH_EAP_MSCHAPV2) && l->settings->user_count == 0)
		report_warning(l->report, reader_mark(remote, "auth"), "`eap-mschapv2` without any `users`");
	if (!(c->remote_auth & CONN_AUTH_EAP) && c->eap_id_count > 0)
		report_error(l->report, reader_mark(remote, "eap_ids"), "`eap_ids` wants a method of EAP in `auth`");
	if ((c->remote_auth & CONN_AUTH_EAP) == c->remote_auth && c->remote_id_count > 0)
		report_warning(l->report, reader_mark(remote, "ids"),
			       "`ids` is what a client says of itself before EAP; who may come in is `eap_ids`");
	if (c->remote_auth & CONN_AUTH_EAP_TLS)
		make_tls(l, local, c);
}

void check_conn_auth(struct load *l, const struct yaml_node *map, const struct conn_cfg *c)
{
	const struct yaml_node *local = yaml_tree_get(map, "local"), *remote = yaml_tree_get(map, "remote");
	bool psk = c->local_auth == CONN_AUTH_PSK || (c->remote_auth & CONN_AUTH_PSK);

	if (psk && c->psk.n == 0 && c->psk_count == 0 && !yaml_tree_get(map, "psk"))
		report_error(l->report, reader_mark(map, "psk"), "`psk` is missing in `%.64s`", c->name ? c->name : "");
	if (!psk && (c->psk.n > 0 || c->psk_count > 0))
		report_warning(l->report, reader_mark(map, "psk"),
			       "`psk` is not used: nobody authenticates by it here");
	if (c->local_auth == CONN_AUTH_CERT && c->certificate_count == 0)
		report_error(l->report, reader_mark(local, "auth"), "`auth: cert` wants `certificates` beside it");
	if (c->local_auth == CONN_AUTH_PSK && c->certificate_count > 0)
		report_error(l->report, reader_mark(local, "certificates"),
			     "`certificates` wants `auth: cert` beside it");
	if ((c->remote_auth & (CONN_AUTH_CERT | CONN_AUTH_EAP_TLS)) && c->authority_count == 0)
		report_error(l->report, reader_mark(remote, "auth"),
			     "certificates of clients want `authorities` beside `auth`");
	if (!(c->remote_auth & (CONN_AUTH_CERT | CONN_AUTH_EAP_TLS)) && c->authority_count > 0)
		report_error(l->report, reader_mark(remote, "authorities"),
			     "`authorities` wants `auth: cert` or `eap-tls` beside it");
	check_names(l, map, c);
	check_eap(l, map, c);
}
