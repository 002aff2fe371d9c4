/* EAP-MSCHAPv2 as peer, in rounds of IKE_AUTH (RFC 7296 2.16). */
#include "tests/initiator/ini.h"

#include "ike/eap.h"
#include "ike/eap_mschapv2.h"

/* One EAP response in an IKE_AUTH request. */
static enum gw_err respond(struct ini_sa *sa, uint8_t id, uint8_t type, struct bytes data)
{
	uint8_t packet[512], buf[INI_CHAIN];
	struct writer p = wr_of(packet, sizeof(packet));
	struct msg_writer w;

	wr_u8(&p, EAP_CODE_RESPONSE);
	wr_u8(&p, id);
	wr_u16(&p, (uint16_t)(EAP_HEAD_LEN + data.n));
	wr_u8(&p, type);
	wr_bytes(&p, data);
	if (p.bad)
		return GW_ELIMIT;
	chain_begin(&w, buf, sizeof(buf));
	eap_write(&w, wr_done(&p));
	return ini_request(sa, INI_AUTH, IKE_AUTH, &w);
}

static struct mschapv2 exchange_of(const struct ini *ini, const uint8_t *peer_challenge)
{
	const struct ini_opening *o = ini->opening;

	return (struct mschapv2){ o->server_challenge, peer_challenge, mschapv2_bare_name(ini->cfg->eap.user),
				  o->nt_hash };
}

/* Fixed, so that nothing has to be remembered between two rounds: a client of tests has no secrets. */
static const uint8_t peer_challenge[MSCHAPV2_CHALLENGE] = "a test's client";

static enum gw_err log_in(struct ini_sa *sa, uint8_t id, const struct mschapv2_packet *p)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;
	struct mschapv2 x = exchange_of(ini, peer_challenge);
	uint8_t data[400];
	struct writer w = wr_of(data, sizeof(data));

	memcpy(o->server_challenge, p->challenge, MSCHAPV2_CHALLENGE);
	TRY(nt_hash(ini->cfg->eap.password, o->nt_hash));
	TRY(mschapv2_response(ini->env->crypto, &x, o->nt_response));
	mschapv2_write_response(&w, p->id, peer_challenge, o->nt_response, ini->cfg->eap.user);
	return w.bad ? GW_ELIMIT : respond(sa, id, EAP_MSCHAPV2, wr_done(&w));
}

static enum gw_err believe(struct ini_sa *sa, uint8_t id, const struct mschapv2_packet *p)
{
	struct ini *ini = sa->ini;
	const struct ini_opening *o = ini->opening;
	struct mschapv2 x = exchange_of(ini, peer_challenge);
	uint8_t got[MSCHAPV2_PROOF], want[MSCHAPV2_PROOF], op = MSCHAPV2_OP_SUCCESS;

	TRY(mschapv2_read_proof(p->text, got));
	TRY(mschapv2_proof(ini->env->crypto, &x, o->nt_response, want));
	if (!secret_equal(bytes_of(got, sizeof(got)), bytes_of(want, sizeof(want))))
		return GW_EAUTH;
	return respond(sa, id, EAP_MSCHAPV2, bytes_of(&op, 1));
}

static enum gw_err on_mschapv2(struct ini_sa *sa, uint8_t id, struct bytes data)
{
	static const uint8_t failure = MSCHAPV2_OP_FAILURE;
	struct ini *ini = sa->ini;
	struct mschapv2_packet p;

	if (ini->cfg->eap.nak && !ini->opening->nak_sent) {
		ini->opening->nak_sent = true;
		return respond(sa, id, EAP_NAK, bytes_of(&ini->cfg->eap.nak, 1));
	}
	TRY(mschapv2_parse(data, &p));
	switch (p.op) {
	case MSCHAPV2_OP_CHALLENGE:
		return log_in(sa, id, &p);
	case MSCHAPV2_OP_SUCCESS:
		return believe(sa, id, &p);
	case MSCHAPV2_OP_FAILURE: /* we know one password only */
		return respond(sa, id, EAP_MSCHAPV2, bytes_of(&failure, 1));
	default:
		return GW_EMALFORMED;
	}
}

static enum gw_err on_success(struct ini_sa *sa)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;
	uint8_t buf[INI_CHAIN];
	struct msg_writer w;

	TRY(secret_alloc(&o->msk, MSCHAPV2_MSK));
	TRY(mschapv2_msk(ini->env->crypto, o->nt_hash, o->nt_response, o->msk.p));
	o->eap_over = true;
	chain_begin(&w, buf, sizeof(buf));
	TRY(ini_open_prove(sa, &w, secret_bytes(&o->msk)));
	return ini_request(sa, INI_AUTH, IKE_AUTH, &w);
}

static enum gw_err on_eap(struct ini_sa *sa, struct bytes packet)
{
	const struct ini_eap_cfg *cfg = &sa->ini->cfg->eap;
	struct reader r = rd_of(packet);
	uint8_t code = rd_u8(&r), id = rd_u8(&r), type;

	rd_skip(&r, 2);
	if (code == EAP_CODE_SUCCESS)
		return on_success(sa);
	type = rd_u8(&r);
	if (r.bad || code != EAP_CODE_REQUEST)
		return GW_EAUTH;
	if (type == EAP_IDENTITY)
		return respond(sa, id, EAP_IDENTITY, cfg->identity.n > 0 ? cfg->identity : cfg->user);
	return type == EAP_MSCHAPV2 ? on_mschapv2(sa, id, rd_rest(&r)) : GW_EUNSUPPORTED;
}

/* The first answer: who the responder is, and its proof unless EAP is to be enough. */
static bool meet_responder(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;
	bool proved = msg_has(m, PL_AUTH);

	if (!msg_has(m, PL_IDR) || secret_copy(&o->idr, m->idr.body) != GW_OK)
		return false;
	if (proved && (m->auth.method == AUTH_PSK || ini->cfg->trust))
		return ini_open_proved(sa, m, ini->cfg->psk, m->idr.body);
	return proved || ini->cfg->eap.only;
}

bool ini_eap_on_auth(struct ini_sa *sa, const struct ike_msg *m)
{
	struct ini *ini = sa->ini;
	struct ini_opening *o = ini->opening;

	if (o->eap_over) {
		if (ini_open_proved(sa, m, secret_bytes(&o->msk), secret_bytes(&o->idr)))
			return true;
		ini_fail(ini, "the responder's AUTH after EAP is wrong");
		return false;
	}
	if (o->idr.n == 0) {
		ini->eap_rounds = 0;
		if (!meet_responder(sa, m)) {
			ini_fail(ini, "the responder's AUTH is wrong");
			return false;
		}
	}
	ini->eap_rounds++;
	if (!msg_has(m, PL_EAP) || on_eap(sa, m->eap) != GW_OK)
		ini_fail(ini, "EAP goes wrong");
	return false;
}
