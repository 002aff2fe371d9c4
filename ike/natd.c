#include "ike/natd.h"

enum gw_err natd_hash(struct crypto *c, uint64_t spi_i, uint64_t spi_r, const struct endpoint *e, uint8_t out[NATD_LEN])
{
	uint8_t spis[16], port[2];
	struct bytes parts[] = { bytes_of(spis, sizeof(spis)), addr_bytes(&e->addr), bytes_of(port, sizeof(port)) };

	put_u64(spis, spi_i);
	put_u64(spis + 8, spi_r);
	put_u16(port, e->port);
	return crypto_sha1(c, parts, ARRAY_LEN(parts), out);
}

/* Is there a notify of the type, and does one of them carry the hash? */
static bool look(const struct ike_msg *m, uint16_t type, struct bytes hash, bool *matches)
{
	bool there = false;

	*matches = false;
	for (size_t i = 0; i < m->notify_count; i++) {
		if (m->notifies[i].type != type)
			continue;
		there = true;
		*matches |= bytes_equal(m->notifies[i].data, hash);
	}
	return there;
}

enum gw_err natd_judge(struct crypto *c, const struct ike_msg *m, const struct endpoint *from,
		       const struct endpoint *to, struct nat_verdict *out)
{
	uint8_t source[NATD_LEN], destination[NATD_LEN];
	bool have_source, have_destination, source_ok, destination_ok;

	TRY(natd_hash(c, m->h.spi_i, m->h.spi_r, from, source));
	TRY(natd_hash(c, m->h.spi_i, m->h.spi_r, to, destination));
	have_source = look(m, N_NAT_DETECTION_SOURCE_IP, bytes_of(source, NATD_LEN), &source_ok);
	have_destination = look(m, N_NAT_DETECTION_DESTINATION_IP, bytes_of(destination, NATD_LEN), &destination_ok);
	*out = (struct nat_verdict){ .known = have_source && have_destination };
	if (out->known) {
		out->peer = !source_ok;
		out->us = !destination_ok;
	}
	return GW_OK;
}

enum gw_err natd_write(struct msg_writer *m, struct crypto *c, uint64_t spi_i, uint64_t spi_r,
		       const struct endpoint *from, const struct endpoint *to)
{
	uint8_t source[NATD_LEN], destination[NATD_LEN];
	struct bytes no_spi = { 0 };

	TRY(natd_hash(c, spi_i, spi_r, from, source));
	TRY(natd_hash(c, spi_i, spi_r, to, destination));
	notify_write(m, PROTO_NONE, no_spi, N_NAT_DETECTION_SOURCE_IP, bytes_of(source, NATD_LEN));
	notify_write(m, PROTO_NONE, no_spi, N_NAT_DETECTION_DESTINATION_IP, bytes_of(destination, NATD_LEN));
	return GW_OK;
}
