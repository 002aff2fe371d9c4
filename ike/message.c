#include "ike/message.h"

enum gw_err msg_parse_header(struct bytes datagram, struct ike_header *h)
{
	struct reader r = rd_of(datagram);

	h->spi_i = rd_u64(&r);
	h->spi_r = rd_u64(&r);
	h->next = rd_u8(&r);
	h->version = rd_u8(&r);
	h->exchange = rd_u8(&r);
	h->flags = rd_u8(&r);
	h->id = rd_u32(&r);
	h->length = rd_u32(&r);
	return r.bad || h->length != datagram.n ? GW_EMALFORMED : GW_OK;
}

/* Those that RFC 7296 allows once in a message. */
static const uint32_t once = PL_BIT(PL_SA) | PL_BIT(PL_KE) | PL_BIT(PL_IDI) | PL_BIT(PL_IDR) | PL_BIT(PL_AUTH) |
			     PL_BIT(PL_NONCE) | PL_BIT(PL_TSI) | PL_BIT(PL_TSR) | PL_BIT(PL_CP) | PL_BIT(PL_EAP);

static const uint32_t several =
	PL_BIT(PL_CERT) | PL_BIT(PL_CERTREQ) | PL_BIT(PL_NOTIFY) | PL_BIT(PL_DELETE) | PL_BIT(PL_VENDOR);

static enum gw_err take_cert(struct reader body, struct cert_payload *list, size_t *count)
{
	if (*count == IKE_MAX_CERTS)
		return GW_ELIMIT;
	TRY(cert_parse(body, &list[*count]));
	(*count)++;
	return GW_OK;
}

static enum gw_err take_notify(struct ike_msg *m, struct reader body)
{
	if (m->notify_count == IKE_MAX_NOTIFIES)
		return GW_ELIMIT;
	TRY(notify_parse(body, &m->notifies[m->notify_count]));
	m->notify_count++;
	return GW_OK;
}

static enum gw_err take_delete(struct ike_msg *m, struct reader body)
{
	if (m->delete_count == IKE_MAX_DELETES)
		return GW_ELIMIT;
	TRY(delete_parse(body, &m->deletes[m->delete_count]));
	m->delete_count++;
	return GW_OK;
}

static enum gw_err take_vendor(struct ike_msg *m, struct reader body)
{
	/* Only informative, so what is past our bound is not worth a refusal. */
	if (m->vendor_count < IKE_MAX_VENDORS)
		m->vendors[m->vendor_count++] = rd_rest(&body);
	return GW_OK;
}

static enum gw_err take(struct ike_msg *m, uint8_t type, struct reader body)
{
	switch (type) {
	case PL_SA:
		return sa_parse(body, &m->sa);
	case PL_KE:
		return ke_parse(body, &m->ke);
	case PL_IDI:
		return id_parse(body, &m->idi);
	case PL_IDR:
		return id_parse(body, &m->idr);
	case PL_CERT:
		return take_cert(body, m->certs, &m->cert_count);
	case PL_CERTREQ:
		return take_cert(body, m->certreqs, &m->certreq_count);
	case PL_AUTH:
		return auth_parse(body, &m->auth);
	case PL_NONCE:
		return nonce_parse(body, &m->nonce);
	case PL_NOTIFY:
		return take_notify(m, body);
	case PL_DELETE:
		return take_delete(m, body);
	case PL_VENDOR:
		return take_vendor(m, body);
	case PL_TSI:
		return ts_parse(body, &m->tsi);
	case PL_TSR:
		return ts_parse(body, &m->tsr);
	case PL_CP:
		return cp_parse(body, &m->cp);
	case PL_EAP:
		return eap_parse(body, &m->eap);
	default:
		return GW_EINTERNAL;
	}
}

/* One payload of the chain, its header read already. */
static enum gw_err take_payload(struct ike_msg *m, uint8_t type, bool critical, struct reader body, struct err *e)
{
	uint32_t bit = PL_BIT(type);
	enum gw_err rc;

	if (!(bit & (once | several))) {
		/* 2.5: skipped, but a critical one makes the whole message unsupported. */
		if (critical && m->unknown_critical == 0)
			m->unknown_critical = type;
		return GW_OK;
	}
	if (m->present & bit & once)
		return err_set(e, GW_EMALFORMED, "%s payload twice", payload_name(type));
	m->present |= bit;
	rc = take(m, type, body);
	if (rc == GW_ELIMIT)
		return err_set(e, GW_EMALFORMED, "more %s payloads than we keep", payload_name(type));
	if (rc)
		return err_set(e, rc, "%s payload of %zu octets does not parse", payload_name(type), body.left);
	return GW_OK;
}

/* All but `h`. The lists, 10 kB of them, say by their counts that nothing is in them: zeros would only fill the cache.
 */
static void msg_reset(struct ike_msg *m)
{
	m->present = 0;
	m->sa.count = m->sa.transforms = 0;
	m->ke = (struct ke_payload){ 0 };
	m->nonce = m->eap = m->chain = (struct bytes){ 0 };
	m->idi = m->idr = (struct id_payload){ 0 };
	m->auth = (struct auth_payload){ 0 };
	m->cp.type = 0;
	m->cp.count = 0;
	m->tsi.count = m->tsi.ignored = m->tsr.count = m->tsr.ignored = 0;
	m->cert_count = m->certreq_count = m->notify_count = m->delete_count = m->vendor_count = 0;
	m->unknown_critical = 0;
	m->first = PL_NONE;
	m->encrypted = false;
}

enum gw_err msg_parse(struct ike_msg *m, uint8_t first, struct bytes chain, struct err *e)
{
	struct reader r = rd_of(chain);
	uint8_t type = first;

	msg_reset(m);
	m->first = first;
	m->chain = chain;
	for (size_t count = 0; type != PL_NONE; count++) {
		uint8_t next = rd_u8(&r);
		bool critical = (rd_u8(&r) & 0x80) != 0;
		uint16_t length = rd_u16(&r);
		struct reader body;

		if (count == IKE_MAX_PAYLOADS)
			return err_set(e, GW_EMALFORMED, "more than %d payloads", IKE_MAX_PAYLOADS);
		if (r.bad || length < 4 || length - 4U > r.left)
			return err_set(e, GW_EMALFORMED, "%s payload leaves the message", payload_name(type));
		body = rd_sub(&r, length - 4U);
		if (type == PL_SK || type == PL_SKF) {
			/* 3.14: it is the last one; its next field speaks of the inside. */
			m->present |= PL_BIT(type);
			m->encrypted = true;
			break;
		}
		TRY(take_payload(m, type, critical, body, e));
		type = next;
	}
	if (r.left > 0)
		return err_set(e, GW_EMALFORMED, "%zu octets after the last payload", r.left);
	return GW_OK;
}

const struct notify_payload *msg_notify(const struct ike_msg *m, uint16_t type)
{
	for (size_t i = 0; i < m->notify_count; i++) {
		if (m->notifies[i].type == type)
			return &m->notifies[i];
	}
	return NULL;
}

const struct notify_payload *msg_error(const struct ike_msg *m)
{
	for (size_t i = 0; i < m->notify_count; i++) {
		if (m->notifies[i].type < N_FIRST_STATUS)
			return &m->notifies[i];
	}
	return NULL;
}
