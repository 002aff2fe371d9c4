/*
 * Each payload parser by itself, chosen by the first octet. What parses is written again, and what was written has to
 * parse to the same value.
 */
#include <stdlib.h>

#include "ike/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The body of what the writer has made. */
static struct reader again(struct msg_writer *m)
{
	struct bytes chain;

	must(chain_finish(m, &chain) == GW_OK && chain.n >= 4 && get_u16(chain.p + 2) == chain.n);
	return rd_of(bytes_of(chain.p + 4, chain.n - 4));
}

static void try_sa(struct reader r, struct msg_writer *m)
{
	static struct sa_payload a, b;
	size_t mark;

	if (sa_parse(r, &a) != GW_OK)
		return;
	mark = sa_begin(m);
	for (size_t i = 0; i < a.count; i++)
		proposal_write(m, a.p[i].number, a.p[i].protocol, a.p[i].spi, a.t + a.p[i].first, a.p[i].count,
			       i + 1 < a.count);
	sa_end(m, mark);
	must(sa_parse(again(m), &b) == GW_OK && a.count == b.count && a.transforms == b.transforms);
	for (size_t i = 0; i < a.count; i++)
		must(a.p[i].number == b.p[i].number && a.p[i].protocol == b.p[i].protocol &&
		     bytes_equal(a.p[i].spi, b.p[i].spi) && a.p[i].first == b.p[i].first &&
		     a.p[i].count == b.p[i].count);
	for (size_t i = 0; i < a.transforms; i++)
		must(a.t[i].type == b.t[i].type && a.t[i].id == b.t[i].id && a.t[i].key_bits == b.t[i].key_bits);
}

static void try_ke(struct reader r, struct msg_writer *m)
{
	struct ke_payload a, b;

	if (ke_parse(r, &a) != GW_OK)
		return;
	ke_write(m, a.group, a.data);
	must(ke_parse(again(m), &b) == GW_OK && a.group == b.group && bytes_equal(a.data, b.data));
}

static void try_nonce(struct reader r, struct msg_writer *m)
{
	struct bytes a, b;

	if (nonce_parse(r, &a) != GW_OK)
		return;
	must(a.n >= IKE_NONCE_MIN && a.n <= IKE_NONCE_MAX);
	nonce_write(m, a);
	must(nonce_parse(again(m), &b) == GW_OK && bytes_equal(a, b));
}

static void try_id(struct reader r, struct msg_writer *m)
{
	struct id_payload a, b;

	if (id_parse(r, &a) != GW_OK)
		return;
	must(a.body.n == a.data.n + 4 && a.body.p + 4 == a.data.p);
	id_write(m, PL_IDI, a.kind, a.data);
	must(id_parse(again(m), &b) == GW_OK && a.kind == b.kind && bytes_equal(a.data, b.data));
}

static void try_auth(struct reader r, struct msg_writer *m)
{
	struct auth_payload a, b;

	if (auth_parse(r, &a) != GW_OK)
		return;
	auth_write(m, a.method, a.data);
	must(auth_parse(again(m), &b) == GW_OK && a.method == b.method && bytes_equal(a.data, b.data));
}

static void try_cert(struct reader r, struct msg_writer *m)
{
	struct cert_payload a, b;

	if (cert_parse(r, &a) != GW_OK)
		return;
	cert_write(m, PL_CERTREQ, a.encoding, a.data);
	must(cert_parse(again(m), &b) == GW_OK && a.encoding == b.encoding && bytes_equal(a.data, b.data));
}

static void try_notify(struct reader r, struct msg_writer *m)
{
	struct notify_payload a, b;

	if (notify_parse(r, &a) != GW_OK)
		return;
	notify_write(m, a.protocol, a.spi, a.type, a.data);
	must(notify_parse(again(m), &b) == GW_OK && a.protocol == b.protocol && a.type == b.type &&
	     bytes_equal(a.spi, b.spi) && bytes_equal(a.data, b.data));
}

static void try_delete(struct reader r, struct msg_writer *m)
{
	static uint32_t spis[UINT16_MAX];
	struct delete_payload a, b;

	if (delete_parse(r, &a) != GW_OK)
		return;
	must(a.spis.n == (size_t)a.spi_len * a.count);
	for (size_t i = 0; i < a.count; i++)
		spis[i] = get_u32(a.spis.p + 4 * i);
	delete_write(m, a.protocol, spis, a.count);
	must(delete_parse(again(m), &b) == GW_OK && a.protocol == b.protocol && a.count == b.count &&
	     bytes_equal(a.spis, b.spis));
}

static void try_ts(struct reader r, struct msg_writer *m)
{
	static struct ts_payload a, b;

	if (ts_parse(r, &a) != GW_OK)
		return;
	must(a.count <= IKE_MAX_SELECTORS && a.count + a.ignored <= 255);
	if (a.count == 0)
		return;
	ts_write(m, PL_TSI, a.s, a.count);
	must(ts_parse(again(m), &b) == GW_OK && a.count == b.count && b.ignored == 0);
	for (size_t i = 0; i < a.count; i++)
		must(selector_equal(&a.s[i], &b.s[i]) && addr_cmp(&a.s[i].range.lo, &a.s[i].range.hi) <= 0);
}

static void try_cp(struct reader r, struct msg_writer *m)
{
	static struct cp_payload a, b;
	size_t mark;

	if (cp_parse(r, &a) != GW_OK)
		return;
	mark = cp_begin(m, a.type);
	for (size_t i = 0; i < a.count; i++)
		cp_attr(m, a.a[i].type, a.a[i].value);
	cp_end(m, mark);
	must(cp_parse(again(m), &b) == GW_OK && a.type == b.type && a.count == b.count);
	for (size_t i = 0; i < a.count; i++)
		must(a.a[i].type == b.a[i].type && bytes_equal(a.a[i].value, b.a[i].value));
}

static void try_eap(struct reader r, struct msg_writer *m)
{
	struct bytes a, b;

	if (eap_parse(r, &a) != GW_OK)
		return;
	eap_write(m, a);
	must(eap_parse(again(m), &b) == GW_OK && bytes_equal(a, b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct reader, struct msg_writer *) = {
		try_sa, try_ke, try_nonce, try_id, try_auth, try_cert, try_notify, try_delete, try_ts, try_cp, try_eap,
	};
	static uint8_t buf[65536];
	struct msg_writer m;
	uint8_t *copy;

	/* A payload's body as msg_parse would give it: at most what the length field can say. */
	if (size < 1 || size - 1 > UINT16_MAX - 4)
		return 0;
	copy = malloc(size > 1 ? size - 1 : 1);
	must(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	chain_begin(&m, buf, sizeof(buf));
	tries[data[0] % ARRAY_LEN(tries)](rd_of(bytes_of(copy, size - 1)), &m);
	free(copy);
	return 0;
}
