#include "ike/auth_sig.h"

#include <stdio.h>

#include "core/crypto/dn.h"
#include "core/glob.h"
#include "ike/cert_path.h"
#include "ike/eap.h"
#include "ike/id.h"
#include "ike/revoke.h"

enum { CERT_X509_SIGNATURE = 4, CERTREQ_MAX = 64, KEY_HASH = 20, NAME_SHOWN = 100 };

/* ---- IKE_SA_INIT ---- */

void auth_sig_note_init(struct ike_sa *sa, const struct ike_msg *m)
{
	const struct notify_payload *n = msg_notify(m, N_SIGNATURE_HASH_ALGORITHMS);
	struct reader r = rd_of(n ? n->data : (struct bytes){ 0 });

	while (r.left >= 2) {
		uint16_t hash = rd_u16(&r);

		if (hash <= SIGN_IDENTITY)
			sa->half->hashes |= (uint8_t)(1 << hash);
	}
}

static bool can_hash(const struct ike_sa *sa, enum sign_hash h)
{
	return (sa->half->hashes & 1 << h) != 0;
}

static bool is_listed(struct bytes list, const uint8_t hash[KEY_HASH])
{
	for (size_t i = 0; i + KEY_HASH <= list.n; i += KEY_HASH) {
		if (memcmp(list.p + i, hash, KEY_HASH) == 0)
			return true;
	}
	return false;
}

void auth_sig_write_init(const struct ike_sa *sa, struct msg_writer *m)
{
	const struct settings *s = sa->settings;
	uint8_t list[CERTREQ_MAX * KEY_HASH];
	struct writer w = wr_of(list, sizeof(list));

	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];

		if (c->authority_count == 0 || !conn_serves(c, &sa->local, &sa->remote))
			continue;
		for (size_t k = 0; k < c->authority_count; k++) {
			const struct trust *t = c->authorities[k]->trust;

			for (size_t a = 0; a < t->count && w.n < sizeof(list); a++) {
				if (!is_listed(wr_done(&w), t->anchors[a].key_hash))
					wr_bytes(&w, bytes_of(t->anchors[a].key_hash, KEY_HASH));
			}
		}
	}
	if (w.n > 0)
		cert_write(m, PL_CERTREQ, CERT_X509_SIGNATURE, wr_done(&w));
}

/* ---- our certificate ---- */

/* A certificate for that authority: it issued one of the chain, or is in it. */
static bool is_asked_for(const struct certificate_cfg *c, const struct ike_msg *m)
{
	for (size_t i = 0; i < m->certreq_count; i++) {
		if (m->certreqs[i].encoding != CERT_X509_SIGNATURE)
			continue;
		for (size_t k = 0; k < c->issuer_count; k++) {
			if (is_listed(m->certreqs[i].data, c->issuers[k]))
				return true;
		}
	}
	return false;
}

static const struct sign_scheme *scheme_for(const struct ike_sa *sa, enum key_kind kind, uint8_t *method)
{
	static const enum sign_hash for_rsa[] = { SIGN_SHA2_256, SIGN_SHA2_384, SIGN_SHA2_512 };
	static const enum sign_hash for_384[] = { SIGN_SHA2_384, SIGN_SHA2_256, SIGN_SHA2_512 };
	static const enum sign_hash for_521[] = { SIGN_SHA2_512, SIGN_SHA2_256, SIGN_SHA2_384 };
	const enum sign_hash *order = kind == KEY_P384 ? for_384 : kind == KEY_P521 ? for_521 : for_rsa;
	/*
	 * PSS for who uses it itself: Android and some gateways take PKCS#1 v1.5 only, though they do RFC 7427, and
	 * nobody takes PSS only.
	 */
	enum sign_family family = kind != KEY_RSA	    ? SIGN_ECDSA
				  : sa->half->peer_does_pss ? SIGN_RSA_PSS
							    : SIGN_RSA_PKCS1;

	*method = AUTH_SIGNATURE;
	if (kind == KEY_ED25519 || kind == KEY_ED448)
		return can_hash(sa, SIGN_IDENTITY) ? sign_scheme_of(SIGN_EDDSA, SIGN_IDENTITY, kind) : NULL;
	for (size_t i = 0; i < ARRAY_LEN(for_rsa); i++) {
		if (can_hash(sa, order[i]))
			return sign_scheme_of(family, order[i], kind);
	}
	/* RFC 7296 3.8, RFC 4754: of a peer that says nothing about hashes, the methods that name one by themselves. */
	switch (kind) {
	case KEY_RSA:
		*method = AUTH_RSA;
		return sign_scheme_of(SIGN_RSA_PKCS1, SIGN_SHA1, kind);
	case KEY_P256:
		*method = AUTH_ECDSA_256;
		return sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_256, kind);
	case KEY_P384:
		*method = AUTH_ECDSA_384;
		return sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_384, kind);
	case KEY_P521:
		*method = AUTH_ECDSA_521;
		return sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_512, kind);
	default:
		return NULL;
	}
}

bool auth_sig_pick(struct ike_sa *sa, const struct ike_msg *m, struct err *why)
{
	const struct conn_cfg *conn = sa->conn;
	/* Those that ask for nothing, and Windows, know RSA best (CLIENTS.md 1.1). */
	bool rsa = m->certreq_count == 0 || (sa->peer_flags & PEER_MICROSOFT);
	int best = 0;

	sa->half->our_cert = NULL;
	for (size_t i = 0; i < conn->certificate_count; i++) {
		const struct certificate_cfg *c = conn->certificates[i];
		uint8_t method;
		int rank = 1 + 4 * is_asked_for(c, m) + 2 * (rsa && sign_key_kind(c->key) == KEY_RSA);

		if (rank > best && scheme_for(sa, sign_key_kind(c->key), &method)) {
			best = rank;
			sa->half->our_cert = c;
		}
	}
	if (sa->half->our_cert)
		return true;
	(void)err_set(why, GW_EUNSUPPORTED,
		      "it can check none of the certificates of connection %s: it did not announce the hashes that "
		      "their keys need",
		      conn->name);
	return false;
}

static enum gw_err sign(struct ike_sa *sa, struct msg_writer *m)
{
	const struct half_open *h = sa->half;
	const struct sign_key *key = h->our_cert->key;
	uint8_t maced_id[IKE_PRF_MAX], out[SIGNATURE_MAX], raw[SIGNATURE_MAX], method;
	const struct sign_scheme *s = scheme_for(sa, sign_key_kind(key), &method);
	struct bytes id = secret_bytes(&h->our_id);
	struct bytes octets[] = { secret_bytes(&h->init_response), secret_bytes(&h->ni),
				  bytes_of(maced_id, sa->keys.prf->len) };
	size_t mark, n;

	if (!s)
		return GW_EUNSUPPORTED;
	TRY(crypto_prf(sa->ike->env->crypto, sa->keys.prf, ike_keys_pr(&sa->keys), &id, 1, maced_id));
	TRY(sign_make(sa->ike->env->crypto, key, s, octets, ARRAY_LEN(octets), out, &n));
	if (method == AUTH_SIGNATURE) { /* RFC 7427 3: length of the identifier, the identifier, the signature */
		mark = payload_begin(m, PL_AUTH);
		wr_u8(&m->w, method);
		wr_zero(&m->w, 3);
		wr_u8(&m->w, (uint8_t)s->id.n);
		wr_bytes(&m->w, s->id);
		wr_bytes(&m->w, bytes_of(out, n));
		payload_end(m, mark);
		return GW_OK;
	}
	if (method == AUTH_RSA) {
		auth_write(m, method, bytes_of(out, n));
		return GW_OK;
	}
	TRY(ecdsa_to_raw(sign_key_kind(key), bytes_of(out, n), raw, &n));
	auth_write(m, method, bytes_of(raw, n));
	return GW_OK;
}

enum gw_err auth_sig_write(struct ike_sa *sa, struct msg_writer *m)
{
	const struct certificate_cfg *c = sa->half->our_cert;

	for (size_t i = 0; i < c->chain_len; i++) {
		/* The root is what the peer has, or it does not trust it. */
		if (i > 0 && bytes_equal(c->chain[i].issuer, c->chain[i].subject))
			break;
		cert_write(m, PL_CERT, CERT_X509_SIGNATURE, c->chain[i].der);
	}
	return sign(sa, m);
}

/* ---- names ---- */

static bool common_name_is(const struct cert *c, struct bytes text)
{
	struct bytes cn;

	return dn_common_name(c->subject, &cn) && text_same(cn, text, true);
}

bool auth_sig_names(const struct cert *c, uint8_t kind, struct bytes data, enum id_match how)
{
	struct id_cfg id = { .kind = (enum id_kind)kind, .data = data };
	bool text = kind == ID_FQDN || kind == ID_RFC822 || kind == ID_KEY_ID;

	if (how == ID_MATCH_DN)
		return kind == ID_DN && cert_is_for(c, &id);
	if (how == ID_MATCH_CN && text && common_name_is(c, data))
		return true;
	if (kind != ID_KEY_ID)
		return cert_is_for(c, &id);
	id.kind = ID_FQDN;
	if (cert_is_for(c, &id))
		return true;
	id.kind = ID_RFC822;
	return cert_is_for(c, &id);
}

/* What a certificate would let its owner say: for the log. */
static const char *names_text(const struct cert *c, char *buf, size_t n)
{
	struct reader r = rd_of(c->san);
	struct writer w = wr_of(buf, n - 1);
	enum cert_name kind;
	struct bytes value;
	char name[ID_TEXT];

	dn_text(c->subject, name, sizeof(name));
	wr_bytes(&w, bytes_str(name));
	while (cert_next_name(&r, &kind, &value) && !w.bad) {
		uint8_t id = kind == CERT_NAME_DNS	 ? ID_FQDN
			     : kind == CERT_NAME_MAIL	 ? ID_RFC822
			     : kind == CERT_NAME_ADDRESS ? (value.n == 4 ? ID_IPV4 : ID_IPV6)
							 : ID_NONE;
		struct writer undo = w;

		if (id == ID_NONE)
			continue;
		wr_bytes(&w, bytes_str(", "));
		wr_bytes(&w, bytes_str(id_text(id, value, name)));
		if (w.bad)
			w = undo;
	}
	buf[w.n] = '\0';
	return buf;
}

/* ---- the peer's signature ---- */

static enum gw_err verify(struct ike_sa *sa, const struct ike_msg *m, struct verify_key *key, struct err *e)
{
	const struct half_open *h = sa->half;
	struct crypto *c = sa->ike->env->crypto;
	uint8_t maced_id[IKE_PRF_MAX], der[SIGNATURE_MAX];
	struct bytes octets[] = { secret_bytes(&h->init_request), secret_bytes(&h->nr),
				  bytes_of(maced_id, sa->keys.prf->len) };
	struct bytes sig = m->auth.data;
	const struct sign_scheme *s = NULL;
	enum key_kind kind = verify_key_kind(key), want = KEY_UNKNOWN;
	size_t salt = 0, n;

	TRY(crypto_prf(c, sa->keys.prf, ike_keys_pi(&sa->keys), &m->idi.body, 1, maced_id));
	switch (m->auth.method) {
	case AUTH_SIGNATURE: {
		struct reader r = rd_of(sig);
		struct bytes id = rd_bytes(&r, rd_u8(&r));

		s = r.bad ? NULL : sign_scheme_parse(id, &salt);
		sig = rd_rest(&r);
		/* RFC 7427 4: only hashes that we announced, and SHA-1 is none of them. */
		if (!s || s->hash == SIGN_SHA1)
			return err_set(e, GW_EAUTH, "its signature uses an algorithm that we do not accept");
		sa->half->peer_does_pss = s->family == SIGN_RSA_PSS;
		break;
	}
	case AUTH_RSA: /* RFC 7296 3.8: the hash stands inside of the signature, SHA-1 as a rule */
		for (int hash = SIGN_SHA1; kind == KEY_RSA && hash <= SIGN_SHA2_512; hash++) {
			s = sign_scheme_of(SIGN_RSA_PKCS1, (enum sign_hash)hash, kind);
			if (verify_signature(c, key, s, 0, octets, ARRAY_LEN(octets), sig) == GW_OK)
				return GW_OK;
		}
		break;
	default:
		want = m->auth.method == AUTH_ECDSA_256	  ? KEY_P256
		       : m->auth.method == AUTH_ECDSA_384 ? KEY_P384
							  : KEY_P521;
		s = sign_scheme_of(SIGN_ECDSA,
				   want == KEY_P256   ? SIGN_SHA2_256
				   : want == KEY_P384 ? SIGN_SHA2_384
						      : SIGN_SHA2_512,
				   kind);
		if (kind != want || ecdsa_to_der(kind, sig, der, &n) != GW_OK)
			s = NULL;
		else
			sig = bytes_of(der, n);
	}
	if (!s || !sign_scheme_fits(s, kind))
		return err_set(e, GW_EAUTH, "its signature (%s) is none of its certificate's key (%s)",
			       auth_method_name(m->auth.method), key_kind_name(kind));
	if (verify_signature(c, key, s, salt, octets, ARRAY_LEN(octets), sig) != GW_OK)
		return err_set(e, GW_EAUTH, "its signature (%s) is wrong", s->name);
	return GW_OK;
}

/* ---- the peer's certificates ---- */

struct peer_certs {
	struct cert leaf, pool[IKE_MAX_CERTS];
	size_t pool_count;
};

/* The first CERT is the peer's own (3.6); of the others what does not parse helps nobody. */
static enum gw_err read_certs(const struct ike_msg *m, struct peer_certs *out, struct err *e)
{
	bool leaf = false;

	out->pool_count = 0;
	for (size_t i = 0; i < m->cert_count; i++) {
		struct err ignored;

		if (m->certs[i].encoding != CERT_X509_SIGNATURE)
			continue;
		if (!leaf)
			TRY(cert_read(m->certs[i].data, &out->leaf, e));
		else if (cert_read(m->certs[i].data, &out->pool[out->pool_count], &ignored) == GW_OK)
			out->pool_count++;
		leaf = true;
	}
	if (leaf)
		return GW_OK;
	return err_set(e, GW_EAUTH,
		       m->cert_count > 0 ? "it sent no certificate in X.509 (URLs of certificates are not fetched)"
					 : "it sent no certificate");
}

static enum gw_err find_chain(const struct ike_sa *sa, const struct peer_certs *certs, struct cert_chain *out,
			      struct err *e)
{
	const struct settings *s = sa->settings;
	const struct trust *trusts[256];
	size_t n = 0;

	for (; n < s->authority_count && n < ARRAY_LEN(trusts); n++)
		trusts[n] = s->authorities[n].trust;
	return chain_build(sa->ike->env->crypto, trusts, n, &certs->leaf, certs->pool, certs->pool_count,
			   sa->ike->env->clock->wall(sa->ike->env->clock), out, e);
}

/* The one of a connection's authorities that the chain ends at; NULL: none. */
static const struct authority_cfg *authority_of(const struct conn_cfg *c, const struct cert_chain *chain)
{
	for (size_t i = 0; i < c->authority_count; i++) {
		const struct trust *t = c->authorities[i]->trust;

		for (size_t k = 0; k < t->count; k++) {
			if (bytes_equal(t->anchors[k].cert.spki, chain->anchor->cert.spki))
				return c->authorities[i];
		}
	}
	return NULL;
}

struct cert_question {
	const struct ike_msg *m;
	const struct cert_chain *chain;
	const struct conn_cfg *issued, *named; /* the first that its authority fits, its name */
};

static bool cert_fits(const struct conn_cfg *c, void *arg)
{
	struct cert_question *q = arg;
	bool issued = authority_of(c, q->chain) != NULL;
	bool named = auth_sig_names(q->chain->certs[0], q->m->idi.kind, q->m->idi.data, c->id_match);

	if (issued && !q->issued)
		q->issued = c;
	if (named && !q->named)
		q->named = c;
	return issued && named;
}

enum auth_verdict auth_sig_first(struct ike_sa *sa, const struct ike_msg *m, const struct id_payload *idr)
{
	struct peer_certs certs;
	struct cert_chain chain;
	struct cert_question q = { m, &chain, NULL, NULL };
	struct verify_key *key;
	struct err e = { 0 };
	char names[300], issuer[NAME_SHOWN];

	if (read_certs(m, &certs, &e) != GW_OK || find_chain(sa, &certs, &chain, &e) != GW_OK)
		return auth_refuse(sa, CNT_auth_failed_cert, &m->idi, "%s", e.text);
	if (verify_key_scratch(sa->ike->env->crypto, certs.leaf.spki, &key) != GW_OK)
		return auth_refuse(sa, CNT_auth_failed_cert, &m->idi, "the key of its certificate is none that we use");
	if (verify(sa, m, key, &e) != GW_OK)
		return auth_refuse(sa, CNT_auth_failed_signature, &m->idi, "%s", e.text);
	sa->conn = auth_choose(sa, &m->idi, idr, CONN_AUTH_CERT, cert_fits, &q);
	if (!sa->conn && q.issued)
		return auth_refuse(sa, CNT_auth_failed_identity, &m->idi,
				   "its certificate is for somebody else: %s (remote.id_match: %s)",
				   names_text(&certs.leaf, names, sizeof(names)),
				   q.issued->id_match == ID_MATCH_DN   ? "dn"
				   : q.issued->id_match == ID_MATCH_CN ? "cn"
								       : "san");
	if (!sa->conn)
		return auth_refuse(
			sa, CNT_auth_failed_cert, &m->idi,
			"its certificate is issued by authority %s (`%s`), which is none of its connection's",
			sa->settings->authorities[chain.trust].name,
			dn_text(chain.anchor->cert.subject, issuer, sizeof(issuer)));
	if (cert_path_make(sa->ike->env->crypto, &chain, authority_of(sa->conn, &chain)->name, &sa->cert_path) != GW_OK)
		return auth_refuse(sa, CNT_auth_failed_cert, &m->idi, "its certificates cannot be remembered");
	return revoke_judge(sa, &m->idi);
}

/* ---- EAP-TLS ---- */

/* The best name of a certificate for a user: mail address, host name, common name, subject. */
static struct bytes best_name(const struct cert *c, char *buf, size_t n)
{
	static const enum cert_name wanted[] = { CERT_NAME_MAIL, CERT_NAME_DNS };
	struct bytes value;

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		struct reader r = rd_of(c->san);
		enum cert_name kind;

		while (cert_next_name(&r, &kind, &value)) {
			if (kind == wanted[i] && value.n > 0 && value.n <= EAP_NAME_MAX)
				return value;
		}
	}
	if (dn_common_name(c->subject, &value) && value.n > 0 && value.n <= EAP_NAME_MAX)
		return value;
	return bytes_str(dn_text(c->subject, buf, n));
}

/* The first connection that could take this user and trusts the authority. */
static const struct conn_cfg *tls_conn(const struct ike_sa *sa, const struct ike_msg *first,
				       const struct cert_chain *chain)
{
	const struct settings *s = sa->settings;

	for (size_t i = 0; i < s->conn_count; i++) {
		const struct conn_cfg *c = &s->conns[i];

		if (auth_eap_candidate(sa, c, first, CONN_AUTH_EAP_TLS) && authority_of(c, chain))
			return c;
	}
	return NULL;
}

enum gw_err auth_sig_tls(struct ike_sa *sa, const struct ike_msg *first, const struct bytes *certs, size_t count,
			 struct bytes identity, struct secret *user, struct err *why)
{
	struct peer_certs all;
	struct cert_chain chain;
	const struct conn_cfg *conn, *leads_to;
	struct id_payload told = auth_user_id(identity);
	char name[EAP_NAME_MAX + 1];

	all.pool_count = 0;
	TRY(cert_read(certs[0], &all.leaf, why));
	for (size_t i = 1; i < count && all.pool_count < IKE_MAX_CERTS; i++) {
		struct err ignored;

		if (cert_read(certs[i], &all.pool[all.pool_count], &ignored) == GW_OK)
			all.pool_count++;
	}
	TRY(find_chain(sa, &all, &chain, why));
	conn = tls_conn(sa, first, &chain);
	if (!conn)
		return err_set(why, GW_EAUTH,
			       "its certificate is issued by authority %s, which is none of its connection's",
			       sa->settings->authorities[chain.trust].name);
	secret_clear(&sa->cert_path);
	TRY(cert_path_make(sa->ike->env->crypto, &chain, authority_of(conn, &chain)->name, &sa->cert_path));
	/* By the rule of the connection that it would lead to; where there is none that says so later. */
	leads_to = auth_eap_choose(sa, first, CONN_AUTH_EAP_TLS, &told);
	if (identity.n > 0 &&
	    auth_sig_names(&all.leaf, told.kind, identity, leads_to ? leads_to->id_match : conn->id_match))
		return secret_copy(user, identity);
	return secret_copy(user, best_name(&all.leaf, name, sizeof(name)));
}

bool auth_sig_trusts(const struct ike_sa *sa, const struct conn_cfg *c)
{
	const char *name = sa->cert_path.n > 0 ? cert_path_authority(secret_bytes(&sa->cert_path)) : NULL;

	for (size_t i = 0; name && i < c->authority_count; i++) {
		if (strcmp(c->authorities[i]->name, name) == 0)
			return true;
	}
	return false;
}
