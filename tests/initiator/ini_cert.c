/* AUTH by signature, as an initiator does it: its own certificate, and the responder's judged. */
#include "core/crypto/cert.h"
#include "tests/initiator/ini.h"

enum { X509_SIGNATURE = 4 };

static enum gw_err octets_of(struct ini_sa *sa, bool ours, struct bytes id_body, struct bytes out[3],
			     uint8_t maced[IKE_PRF_MAX])
{
	const struct ini_opening *o = sa->ini->opening;

	TRY(crypto_prf(sa->ini->env->crypto, sa->keys.prf, ours ? ike_keys_pi(&sa->keys) : ike_keys_pr(&sa->keys),
		       &id_body, 1, maced));
	out[0] = secret_bytes(ours ? &o->request : &o->response);
	out[1] = ours ? secret_bytes(&o->nr) : bytes_of(o->ni, sizeof(o->ni));
	out[2] = bytes_of(maced, sa->keys.prf->len);
	return GW_OK;
}

enum gw_err ini_cert_write(struct ini_sa *sa, struct msg_writer *w, struct bytes id_body)
{
	const struct ini_cert *c = sa->ini->self.cert;
	uint8_t maced[IKE_PRF_MAX], sig[SIGNATURE_MAX], raw[SIGNATURE_MAX];
	struct bytes octets[3];
	size_t n, mark;

	for (size_t i = 0; i < c->count; i++)
		cert_write(w, PL_CERT, X509_SIGNATURE, c->chain[i]);
	TRY(octets_of(sa, true, id_body, octets, maced));
	TRY(sign_make(sa->ini->env->crypto, c->key, c->scheme, octets, 3, sig, &n));
	mark = payload_begin(w, PL_AUTH);
	wr_u8(&w->w, c->method);
	wr_zero(&w->w, 3);
	if (c->method == AUTH_SIGNATURE) {
		wr_u8(&w->w, (uint8_t)c->scheme->id.n);
		wr_bytes(&w->w, c->scheme->id);
	} else if (c->method != AUTH_RSA) {
		memcpy(raw, sig, n);
		TRY(ecdsa_to_raw(sign_key_kind(c->key), bytes_of(raw, n), sig, &n));
	}
	wr_bytes(&w->w, bytes_of(sig, n));
	payload_end(w, mark);
	return GW_OK;
}

static const struct sign_scheme *scheme_of(const struct ike_msg *m, enum key_kind kind, struct bytes *sig, size_t *salt)
{
	struct reader r = rd_of(m->auth.data);
	struct bytes id;

	*salt = 0;
	*sig = m->auth.data;
	switch (m->auth.method) {
	case AUTH_SIGNATURE:
		id = rd_bytes(&r, rd_u8(&r));
		*sig = rd_rest(&r);
		return sign_scheme_parse(id, salt);
	case AUTH_RSA:
		return sign_scheme_of(SIGN_RSA_PKCS1, SIGN_SHA1, kind);
	case AUTH_ECDSA_256:
		return sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_256, kind);
	case AUTH_ECDSA_384:
		return sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_384, kind);
	case AUTH_ECDSA_521:
		return sign_scheme_of(SIGN_ECDSA, SIGN_SHA2_512, kind);
	default:
		return NULL;
	}
}

bool ini_cert_proved(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	uint8_t maced[IKE_PRF_MAX], der[SIGNATURE_MAX];
	struct cert leaf, pool[IKE_MAX_CERTS];
	const struct trust *trust = ini->cfg->trust;
	const struct sign_scheme *s;
	struct cert_chain chain;
	struct verify_key *key;
	struct bytes octets[3], sig;
	struct err e;
	size_t n = 0, salt;

	if (!msg_has(m, PL_IDR) || !msg_has(m, PL_AUTH) || m->cert_count == 0 ||
	    cert_read(m->certs[0].data, &leaf, &e) != GW_OK)
		return false;
	for (size_t i = 1; i < m->cert_count; i++)
		n += cert_read(m->certs[i].data, &pool[n], &e) == GW_OK;
	if (chain_build(ini->env->crypto, &trust, 1, &leaf, pool, n, ini->env->clock->wall(ini->env->clock), &chain,
			&e) != GW_OK ||
	    verify_key_scratch(ini->env->crypto, leaf.spki, &key) != GW_OK)
		return false;
	s = scheme_of(m, verify_key_kind(key), &sig, &salt);
	if (s && m->auth.method != AUTH_SIGNATURE && m->auth.method != AUTH_RSA) {
		if (ecdsa_to_der(verify_key_kind(key), sig, der, &n) != GW_OK)
			return false;
		sig = bytes_of(der, n);
	}
	return s && octets_of(sa, false, m->idr.body, octets, maced) == GW_OK &&
	       verify_signature(ini->env->crypto, key, s, salt, octets, 3, sig) == GW_OK;
}
