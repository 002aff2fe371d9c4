#include "ike/state_record.h"

static bool next_field(struct reader *r, uint16_t *tag, struct reader *value)
{
	uint32_t len;

	if (r->bad || r->left == 0)
		return false;
	*tag = rd_u16(r);
	len = rd_u32(r);
	*value = rd_sub(r, len);
	return !r->bad;
}

static struct addr get_addr(struct reader *r)
{
	struct addr a;

	memset(&a, 0, sizeof(a));
	a.family = rd_u8(r);
	rd_copy(r, a.b, 16);
	if (a.family != 0 && a.family != 4 && a.family != 6)
		r->bad = true;
	if (a.family == 4)
		memset(a.b + 4, 0, 12);
	return a;
}

static struct transform get_transform(struct reader *r)
{
	struct transform t;

	t.type = rd_u8(r);
	t.id = rd_u16(r);
	t.key_bits = rd_u16(r);
	return t;
}

static bool unknown_is_fatal(uint16_t tag, struct err *e)
{
	if (!(tag & FIELD_CRITICAL))
		return false;
	err_set(e, GW_EUNSUPPORTED, "critical field %u is unknown here", tag & ~FIELD_CRITICAL);
	return true;
}

static bool get_selectors(struct reader v, struct selector *out, size_t *n)
{
	*n = 0;
	while (v.left > 0) {
		struct selector s;

		memset(&s, 0, sizeof(s));
		s.range.lo.family = s.range.hi.family = rd_u8(&v);
		s.proto = rd_u8(&v);
		s.port_lo = rd_u16(&v);
		s.port_hi = rd_u16(&v);
		rd_copy(&v, s.range.lo.b, 16);
		rd_copy(&v, s.range.hi.b, 16);
		if (v.bad || *n == IKE_CHILD_SELECTORS || addr_len(&s.range.lo) == 0 ||
		    addr_cmp(&s.range.lo, &s.range.hi) > 0 || s.port_lo > s.port_hi)
			return false;
		out[(*n)++] = s;
	}
	return !v.bad;
}

static enum gw_err read_child(struct reader r, struct child_record *c, struct err *e)
{
	struct reader v;
	uint16_t tag;

	while (next_field(&r, &tag, &v)) {
		bool ok = true;

		switch (tag) {
		case ST_CHILD_CORE:
			c->spi_in = rd_u32(&v);
			c->spi_out = rd_u32(&v);
			c->reqid = rd_u32(&v);
			c->state = rd_u8(&v);
			c->flags = rd_u8(&v);
			c->wishes = rd_u8(&v);
			c->successor = rd_u32(&v);
			break;
		case ST_CHILD_CFG:
			c->cfg = rd_rest(&v);
			break;
		case ST_CHILD_SUITE:
			c->encr = get_transform(&v);
			c->integ = get_transform(&v);
			c->esn = get_transform(&v);
			c->dh = get_transform(&v);
			break;
		case ST_CHILD_IN_KEYS:
			c->in_keys = rd_rest(&v);
			break;
		case ST_CHILD_OUT_KEYS:
			c->out_keys = rd_rest(&v);
			break;
		case ST_CHILD_OURS:
			ok = get_selectors(v, c->ours, &c->n_ours);
			break;
		case ST_CHILD_THEIRS:
			ok = get_selectors(v, c->theirs, &c->n_theirs);
			break;
		case ST_CHILD_TIMES:
			c->created = (int64_t)rd_u64(&v);
			c->rekey = (int64_t)rd_u64(&v);
			c->life = (int64_t)rd_u64(&v);
			break;
		case ST_CHILD_TOLD:
			c->told_ours = get_addr(&v);
			c->told_theirs = get_addr(&v);
			break;
		case ST_CHILD_CROSSING:
			c->crossing = rd_rest(&v);
			break;
		default:
			if (unknown_is_fatal(tag, e))
				return GW_EUNSUPPORTED;
		}
		if (!ok || v.bad)
			return err_set(e, GW_EMALFORMED, "field %u of a CHILD SA", tag);
	}
	return r.bad ? err_set(e, GW_EMALFORMED, "a CHILD SA is cut off") : GW_OK;
}

static enum gw_err read_half(struct reader r, struct sa_record *s, struct err *e)
{
	struct reader v;
	uint16_t tag;

	s->half = true;
	while (next_field(&r, &tag, &v)) {
		switch (tag) {
		case ST_HALF_NI:
			s->half_ni = rd_rest(&v);
			break;
		case ST_HALF_NR:
			s->half_nr = rd_rest(&v);
			break;
		case ST_HALF_REQUEST:
			s->half_request = rd_rest(&v);
			break;
		case ST_HALF_RESPONSE:
			s->half_response = rd_rest(&v);
			break;
		case ST_HALF_PEER_KE:
			s->half_ke = rd_rest(&v);
			break;
		case ST_HALF_DH:
			s->half_dh = rd_rest(&v);
			break;
		case ST_HALF_TIMES:
			s->half_expires = (int64_t)rd_u64(&v);
			break;
		case ST_HALF_KEY:
			s->half_key.from = get_addr(&v);
			s->half_key.spi_i = rd_u64(&v);
			break;
		case ST_HALF_AUTH:
			s->half_auth_first = rd_u8(&v);
			s->half_auth = rd_rest(&v);
			break;
		case ST_HALF_HASHES:
			s->half_hashes = rd_u8(&v);
			break;
		case ST_HALF_CONN:
			s->half_conn = rd_rest(&v);
			break;
		case ST_HALF_OUR_ID:
			s->half_our_id = rd_rest(&v);
			break;
		case ST_HALF_MSK:
			s->half_msk = rd_rest(&v);
			break;
		case ST_HALF_EAP:
			s->half_eap_only = rd_u8(&v) != 0;
			s->half_eap = rd_rest(&v);
			break;
		default:
			if (unknown_is_fatal(tag, e))
				return GW_EUNSUPPORTED;
		}
		if (v.bad)
			return err_set(e, GW_EMALFORMED, "field %u of a half-open SA", tag);
	}
	return r.bad ? err_set(e, GW_EMALFORMED, "a half-open SA is cut off") : GW_OK;
}

static enum gw_err read_exchange(struct reader r, struct sa_record *s, struct err *e)
{
	struct reader v;
	uint16_t tag;

	s->x = true;
	while (next_field(&r, &tag, &v)) {
		switch (tag) {
		case ST_X_CORE:
			s->x_kind = rd_u8(&v);
			s->x_group = rd_u16(&v);
			s->x_new = rd_u64(&v);
			s->x_old = rd_u32(&v);
			s->x_waiting = rd_u32(&v);
			break;
		case ST_X_NI:
			s->x_ni = rd_rest(&v);
			break;
		case ST_X_NR:
			s->x_nr = rd_rest(&v);
			break;
		case ST_X_DH:
			s->x_dh = rd_rest(&v);
			break;
		case ST_X_GONE:
			s->x_gone = rd_u32(&v);
			break;
		default:
			if (unknown_is_fatal(tag, e))
				return GW_EUNSUPPORTED;
		}
		if (v.bad)
			return err_set(e, GW_EMALFORMED, "field %u of an exchange", tag);
	}
	return r.bad ? err_set(e, GW_EMALFORMED, "an exchange is cut off") : GW_OK;
}

static enum gw_err read_field(uint16_t tag, struct reader *v, struct sa_record *s, struct err *e)
{
	switch (tag) {
	case ST_CORE:
		s->has_core = true;
		s->spi_i = rd_u64(v);
		s->spi_r = rd_u64(v);
		s->state = rd_u8(v);
		s->flags = rd_u8(v);
		s->wishes = rd_u8(v);
		s->peer_flags = rd_u32(v);
		break;
	case ST_ADDRESSES:
		s->local.addr = get_addr(v);
		s->local.port = rd_u16(v);
		s->remote.addr = get_addr(v);
		s->remote.port = rd_u16(v);
		break;
	case ST_SUITE:
		s->encr = get_transform(v);
		s->prf = get_transform(v);
		s->integ = get_transform(v);
		s->dh = get_transform(v);
		break;
	case ST_KEYS:
		s->keys = rd_rest(v);
		break;
	case ST_CONN:
		s->conn = rd_rest(v);
		break;
	case ST_SESSION:
		s->has_session = true;
		s->session.began.us = (int64_t)rd_u64(v);
		s->session.packets_in = rd_u64(v);
		s->session.packets_out = rd_u64(v);
		s->session.bytes_in = rd_u64(v);
		s->session.bytes_out = rd_u64(v);
		s->session.failovers = rd_u32(v);
		break;
	case ST_GROUP:
		s->group = rd_rest(v);
		break;
	case ST_PEER:
		s->peer = rd_rest(v);
		if (s->peer.n < 1 || s->peer.n > IKE_MAX_ID + 1)
			v->bad = true;
		break;
	case ST_PEER_AUTH:
		s->peer_auth = rd_u32(v);
		break;
	case ST_CERT_PATH:
		s->cert_path = rd_rest(v);
		v->bad |= !cert_path_is_sound(s->cert_path);
		break;
	case ST_TOLD_ID:
		s->told_id = rd_rest(v);
		if (s->told_id.n < 1 || s->told_id.n > IKE_MAX_ID + 1)
			v->bad = true;
		break;
	case ST_LEASE:
		if (s->lease_count == SA_LEASES)
			return err_set(e, GW_ELIMIT, "too many leases");
		s->leases[s->lease_count].addr = get_addr(v);
		s->leases[s->lease_count++].pool = rd_rest(v);
		break;
	case ST_WINDOW:
		s->recv_next = rd_u32(v);
		s->send_next = rd_u32(v);
		s->request_kind = rd_u8(v);
		s->tries = rd_u8(v);
		s->retransmit = (int64_t)rd_u64(v);
		break;
	case ST_RESPONSE:
		s->response = rd_rest(v);
		break;
	case ST_REQUEST:
		s->request = rd_rest(v);
		break;
	case ST_TIMES:
		for (size_t i = 0; i < ARRAY_LEN(s->times); i++)
			s->times[i] = (int64_t)rd_u64(v);
		break;
	case ST_SUCCESSOR:
		s->successor = rd_u64(v);
		s->crossing = rd_rest(v);
		break;
	case ST_REAUTH:
		s->reauth = (int64_t)rd_u64(v);
		break;
	case ST_DOUBT:
		s->settled = rd_u32(v);
		s->certain = rd_u32(v);
		break;
	case ST_CAME_FROM:
		s->came_from = get_addr(v);
		break;
	case ST_ALSO:
		while (v->left > 0 && !v->bad) {
			if (s->also_count == MOBIKE_ADDRS)
				return err_set(e, GW_ELIMIT, "too many addresses of the peer");
			s->also[s->also_count++] = get_addr(v);
		}
		break;
	case ST_HALF:
		return read_half(*v, s, e);
	case ST_OUR_X:
		return read_exchange(*v, s, e);
	case ST_CHILD:
		if (s->child_count == IKE_CHILD_MAX)
			return err_set(e, GW_ELIMIT, "too many CHILD SAs");
		return read_child(*v, &s->children[s->child_count++], e);
	default:
		if (unknown_is_fatal(tag, e))
			return GW_EUNSUPPORTED;
	}
	return v->bad ? err_set(e, GW_EMALFORMED, "field %u", tag) : GW_OK;
}

enum gw_err state_read(struct bytes record, struct sa_record *out, struct err *e)
{
	struct reader r = rd_of(record), v;
	uint16_t tag;

	memset(out, 0, sizeof(*out));
	out->retransmit = out->half_expires = INT64_MAX;
	out->times[3] = out->times[4] = out->reauth = INT64_MAX;
	while (next_field(&r, &tag, &v))
		TRY(read_field(tag, &v, out, e));
	return r.bad ? err_set(e, GW_EMALFORMED, "the record is cut off") : GW_OK;
}
