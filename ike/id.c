#include "ike/id.h"

#include "core/addr.h"
#include "core/crypto/dn.h"
#include "core/glob.h"

#include <stdio.h>

enum { CUT = 4 }; /* room for "..." and the NUL */

static const char hex_digits[] = "0123456789abcdef";

/* Whole characters or escapes only; log lines and JSON get nothing that is not printable ASCII from a stranger. */
static void write_escaped(struct writer *w, struct bytes data)
{
	for (size_t i = 0; i < data.n && !w->bad; i++) {
		const uint8_t c = data.p[i];
		const char escape[] = { '\\', 'x', hex_digits[c >> 4], hex_digits[c & 15] };

		if (c == '\\')
			wr_bytes(w, bytes_str("\\\\"));
		else if (c < 0x20 || c > 0x7e)
			wr_bytes(w, bytes_of(escape, sizeof(escape)));
		else
			wr_u8(w, c);
	}
}

static void write_hex(struct writer *w, struct bytes data)
{
	wr_bytes(w, bytes_str("0x"));
	for (size_t i = 0; i < data.n && !w->bad; i++) {
		const char c[] = { hex_digits[data.p[i] >> 4], hex_digits[data.p[i] & 15] };

		wr_bytes(w, bytes_of(c, sizeof(c)));
	}
}

static bool printable(struct bytes data)
{
	for (size_t i = 0; i < data.n; i++) {
		if (data.p[i] < 0x20 || data.p[i] > 0x7e)
			return false;
	}
	return true;
}

static void write_address(struct writer *w, const char *name, size_t len, struct bytes data)
{
	char buf[ADDR_TEXT];
	struct addr a;

	if (data.n == len && addr_from_bytes(&a, data)) {
		wr_bytes(w, bytes_str(addr_text(&a, buf)));
		return;
	}
	wr_bytes(w, bytes_str(name));
	write_hex(w, data);
}

const char *id_text(uint8_t kind, struct bytes data, char buf[ID_TEXT])
{
	struct writer w = wr_of(buf, ID_TEXT - CUT);
	char name[16], dn[ID_TEXT];

	switch (kind) {
	case ID_NONE:
		wr_bytes(&w, bytes_str("none"));
		break;
	case ID_IPV4:
		write_address(&w, "ipv4:", 4, data);
		break;
	case ID_IPV6:
		write_address(&w, "ipv6:", 16, data);
		break;
	case ID_FQDN:
	case ID_RFC822:
		write_escaped(&w, data);
		break;
	case ID_KEY_ID:
		wr_bytes(&w, bytes_str("keyid:"));
		if (printable(data))
			write_escaped(&w, data);
		else
			write_hex(&w, data);
		break;
	case ID_DN:
		(void)dn_text(data, dn, sizeof(dn));
		wr_bytes(&w, bytes_str(dn));
		break;
	default:
		(void)snprintf(name, sizeof(name), "id-%u:", kind);
		wr_bytes(&w, bytes_str(name));
		write_hex(&w, data);
	}
	(void)snprintf(buf + w.n, ID_TEXT - w.n, "%s", w.bad ? "..." : "");
	return buf;
}

/* ---- matching ---- */

bool id_matches(const struct id_cfg *cfg, uint8_t kind, struct bytes data)
{
	bool any_case = kind == ID_FQDN || kind == ID_RFC822;

	if (cfg->kind == ID_NONE)
		return true;
	if (cfg->kind != kind)
		return false;
	if (kind == ID_DN)
		return dn_matches(cfg->data, data);
	return cfg->pattern ? glob_matches(cfg->data, data, any_case) : text_same(cfg->data, data, any_case);
}

bool id_matches_any(const struct id_cfg *cfgs, size_t n, uint8_t kind, struct bytes data)
{
	return id_match_rank(cfgs, n, kind, data) > 0;
}

int id_match_rank(const struct id_cfg *cfgs, size_t n, uint8_t kind, struct bytes data)
{
	int best = n == 0 ? 1 : 0;

	for (size_t i = 0; i < n; i++) {
		int rank = cfgs[i].kind == ID_NONE ? 1 : cfgs[i].pattern ? 2 : 3;

		if (rank > best && id_matches(&cfgs[i], kind, data))
			best = rank;
	}
	return best;
}
