#include "core/crypto/dn.h"

#include <stdio.h>

#include "core/crypto/der.h"
#include "core/glob.h"

/* ---- attribute types ---- */

#define UID_ARC 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01

/* The first name of a type is the one that is printed. */
static const struct dn_type {
	const char *name;
	uint8_t string; /* tag that we write */
	uint8_t oid_len;
	uint8_t oid[10];
} types[] = {
	{ "CN", DER_UTF8_STRING, 3, { 0x55, 4, 3 } },
	{ "commonName", DER_UTF8_STRING, 3, { 0x55, 4, 3 } },
	{ "SN", DER_UTF8_STRING, 3, { 0x55, 4, 4 } },
	{ "surname", DER_UTF8_STRING, 3, { 0x55, 4, 4 } },
	{ "serialNumber", DER_PRINTABLE_STRING, 3, { 0x55, 4, 5 } },
	{ "C", DER_PRINTABLE_STRING, 3, { 0x55, 4, 6 } },
	{ "L", DER_UTF8_STRING, 3, { 0x55, 4, 7 } },
	{ "ST", DER_UTF8_STRING, 3, { 0x55, 4, 8 } },
	{ "STREET", DER_UTF8_STRING, 3, { 0x55, 4, 9 } },
	{ "O", DER_UTF8_STRING, 3, { 0x55, 4, 10 } },
	{ "OU", DER_UTF8_STRING, 3, { 0x55, 4, 11 } },
	{ "title", DER_UTF8_STRING, 3, { 0x55, 4, 12 } },
	{ "T", DER_UTF8_STRING, 3, { 0x55, 4, 12 } },
	{ "GN", DER_UTF8_STRING, 3, { 0x55, 4, 42 } },
	{ "UID", DER_UTF8_STRING, 10, { UID_ARC, 1 } },
	{ "DC", DER_IA5_STRING, 10, { UID_ARC, 25 } },
	{ "E", DER_IA5_STRING, 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1 } },
	{ "emailAddress", DER_IA5_STRING, 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1 } },
};

static const struct dn_type *type_of_oid(struct bytes oid)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (bytes_equal(oid, bytes_of(types[i].oid, types[i].oid_len)))
			return &types[i];
	}
	return NULL;
}

static const struct dn_type *type_of_name(struct bytes name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (text_same(name, bytes_str(types[i].name), true))
			return &types[i];
	}
	return NULL;
}

/* ---- reading DER ---- */

struct part {
	struct bytes oid, value;
	uint8_t tag;
	bool joined; /* with the one before, in one RDN */
};

/* SIZE_MAX: not a name, or too many parts. */
static size_t split(struct bytes der, struct part parts[DN_PARTS])
{
	struct reader r = rd_of(der), name = der_enter(&r, DER_SEQUENCE);
	size_t n = 0;

	while (name.left > 0 && !name.bad) {
		struct reader rdn = der_enter(&name, DER_SET);
		bool joined = false;

		do {
			struct reader ava = der_enter(&rdn, DER_SEQUENCE);
			struct part *p = &parts[n];

			if (n == DN_PARTS)
				return SIZE_MAX;
			p->oid = der_get(&ava, DER_OID);
			p->tag = der_next(&ava, &p->value);
			p->joined = joined;
			joined = true;
			if (ava.bad || ava.left > 0 || p->tag == 0)
				return SIZE_MAX;
			n++;
		} while (rdn.left > 0);
	}
	return name.bad || r.bad || r.left > 0 ? SIZE_MAX : n;
}

bool dn_common_name(struct bytes der, struct bytes *out)
{
	struct part parts[DN_PARTS];
	size_t n = split(der, parts);

	while (n != SIZE_MAX && n-- > 0) {
		if (bytes_equal(parts[n].oid, bytes_of(types[0].oid, types[0].oid_len))) {
			*out = parts[n].value;
			return true;
		}
	}
	return false;
}

typedef bool text_compare(struct bytes a, struct bytes b, bool any_case);

static bool parts_fit(const struct part *a, const struct part *b, text_compare *compare)
{
	return bytes_equal(a->oid, b->oid) && compare(a->value, b->value, true);
}

static bool names_fit(struct bytes pattern, struct bytes der, text_compare *compare)
{
	struct part a[DN_PARTS], b[DN_PARTS];
	size_t n = split(pattern, a), forward = 0, backward = 0;

	if (n == SIZE_MAX || split(der, b) != n)
		return false;
	while (forward < n && parts_fit(&a[forward], &b[forward], compare))
		forward++;
	while (backward < n && parts_fit(&a[backward], &b[n - 1 - backward], compare))
		backward++;
	return forward == n || backward == n;
}

bool dn_matches(struct bytes pattern, struct bytes der)
{
	return names_fit(pattern, der, glob_matches);
}

bool dn_equal(struct bytes a, struct bytes b)
{
	return names_fit(a, b, text_same);
}

static void put_part(struct writer *w, const struct part *p)
{
	wr_u16(w, (uint16_t)p->oid.n);
	wr_bytes(w, p->oid);
	wr_u16(w, (uint16_t)p->value.n);
	for (size_t i = 0; i < p->value.n; i++)
		wr_u8(w, text_fold(p->value.p[i]));
}

size_t dn_key(struct bytes der, uint8_t *out)
{
	struct part parts[DN_PARTS];
	uint8_t other[DN_MAX];
	struct writer forward = wr_of(out, der.n), backward = wr_of(other, der.n);
	size_t n = der.n <= DN_MAX ? split(der, parts) : SIZE_MAX;

	if (n == SIZE_MAX) {
		wr_bytes(&forward, der);
		return forward.n;
	}
	for (size_t i = 0; i < n; i++) { /* each takes less than it does in DER */
		put_part(&forward, &parts[i]);
		put_part(&backward, &parts[n - 1 - i]);
	}
	if (n > 0 && memcmp(other, out, forward.n) < 0)
		memcpy(out, other, forward.n);
	return forward.n;
}

/* ---- as text ---- */

static void put_hex(struct writer *w, struct bytes b)
{
	char two[3];

	wr_u8(w, '#');
	for (size_t i = 0; i < b.n && !w->bad; i++) {
		(void)snprintf(two, sizeof(two), "%02x", b.p[i]);
		wr_bytes(w, bytes_str(two));
	}
}

static void put_oid(struct writer *w, struct bytes oid)
{
	const struct dn_type *t = type_of_oid(oid);
	char text[16];
	uint64_t v = 0;
	bool first = true;

	if (t) {
		wr_bytes(w, bytes_str(t->name));
		return;
	}
	for (size_t i = 0; i < oid.n; i++) {
		v = v << 7 | (oid.p[i] & 0x7f);
		if (oid.p[i] & 0x80)
			continue;
		if (first)
			(void)snprintf(text, sizeof(text), "%u.%u", v < 80 ? (unsigned)v / 40 : 2,
				       v < 80 ? (unsigned)v % 40 : (unsigned)(v - 80) & 0xffffff);
		else
			(void)snprintf(text, sizeof(text), ".%u", (unsigned)(v & 0x3fffffff));
		wr_bytes(w, bytes_str(text));
		first = false;
		v = 0;
	}
}

static bool is_text(uint8_t tag)
{
	return tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING || tag == DER_T61_STRING || tag == DER_IA5_STRING;
}

static void put_value(struct writer *w, const struct part *p)
{
	char escape[4];

	if (!is_text(p->tag)) {
		put_hex(w, p->value);
		return;
	}
	for (size_t i = 0; i < p->value.n && !w->bad; i++) {
		uint8_t c = p->value.p[i];
		bool edge = i == 0 || i + 1 == p->value.n;

		if (c < 0x20 || c > 0x7e) {
			(void)snprintf(escape, sizeof(escape), "\\%02x", c);
			wr_bytes(w, bytes_str(escape));
			continue;
		}
		if (strchr(",+\"\\<>;", c) || (c == ' ' && edge) || (c == '#' && i == 0))
			wr_u8(w, '\\');
		wr_u8(w, c);
	}
}

const char *dn_text(struct bytes der, char *buf, size_t n)
{
	struct part parts[DN_PARTS];
	size_t count = split(der, parts), end = count;
	struct writer w = wr_of(buf, n - 4);

	if (count == SIZE_MAX)
		put_hex(&w, der);
	while (count != SIZE_MAX && end > 0) { /* RDNs from the last; inside of one in their order */
		size_t begin = end - 1;

		while (begin > 0 && parts[begin].joined)
			begin--;
		for (size_t i = begin; i < end; i++) {
			if (i > begin || end < count)
				wr_u8(&w, i > begin ? '+' : ',');
			put_oid(&w, parts[i].oid);
			wr_u8(&w, '=');
			put_value(&w, &parts[i]);
		}
		end = begin;
	}
	(void)snprintf(buf + w.n, n - w.n, "%s", w.bad ? "..." : "");
	return buf;
}

/* ---- from text ---- */

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);

	return c && at ? (int)(at - digits) : -1;
}

static void put_element(struct writer *w, uint8_t tag, struct bytes content)
{
	wr_u8(w, tag);
	if (content.n > 0xff) {
		wr_u8(w, 0x82);
		wr_u16(w, (uint16_t)content.n);
	} else {
		if (content.n > 0x7f)
			wr_u8(w, 0x81);
		wr_u8(w, (uint8_t)content.n);
	}
	wr_bytes(w, content);
}

/* "CN=alice" up to an unescaped separator; *at is behind it. One AttributeTypeAndValue goes to `w`. */
static enum gw_err parse_part(const char **at, struct writer *w, struct err *e)
{
	const char *s = *at + strspn(*at, " "), *equals = strchr(s, '=');
	uint8_t value[DN_MAX], inside[DN_MAX + 16];
	struct writer v = wr_of(value, sizeof(value)), in = wr_of(inside, sizeof(inside));
	const struct dn_type *type;
	size_t name, solid = 0;

	if (!equals)
		return err_set(e, GW_EINVAL, "`%.40s` in a distinguished name is no type=value", s);
	for (name = (size_t)(equals - s); name > 0 && s[name - 1] == ' ';)
		name--;
	type = type_of_name(bytes_of(s, name));
	if (!type)
		return err_set(e, GW_EINVAL, "`%.*s` in a distinguished name is no type that we know",
			       (int)(name < 40 ? name : 40), s);
	s = equals + 1 + strspn(equals + 1, " ");
	while (*s && *s != ',' && *s != '+') {
		bool escaped = *s == '\\' && s[1];

		if (escaped && hex(s[1]) >= 0 && hex(s[2]) >= 0) {
			wr_u8(&v, (uint8_t)(hex(s[1]) << 4 | hex(s[2])));
			s += 3;
		} else {
			s += escaped;
			wr_u8(&v, (uint8_t)*s++);
		}
		if (escaped || s[-1] != ' ')
			solid = v.n;
	}
	*at = s;
	if (v.bad || solid == 0)
		return err_set(e, v.bad ? GW_ELIMIT : GW_EINVAL, "%s in a distinguished name is %s", type->name,
			       v.bad ? "too long" : "empty");
	put_element(&in, DER_OID, bytes_of(type->oid, type->oid_len));
	put_element(&in, type->string, bytes_of(value, solid));
	put_element(w, DER_SEQUENCE, wr_done(&in));
	return GW_OK;
}

/* What is written before is put behind: RDNs come in the other order in text. */
static void put_before(struct writer *w, struct bytes rdn)
{
	uint8_t *p = w->p;

	if (w->bad || rdn.n > w->cap - w->n) {
		w->bad = true;
		return;
	}
	memmove(p + rdn.n, p, w->n);
	memcpy(p, rdn.p, rdn.n);
	w->n += rdn.n;
}

enum gw_err dn_parse(const char *text, uint8_t *out, size_t cap, size_t *n, struct err *e)
{
	uint8_t all[DN_MAX], set[DN_MAX], one[DN_MAX + 8];
	struct writer w = wr_of(all, sizeof(all)), whole = wr_of(out, cap);
	size_t parts = 0;

	for (;;) {
		struct writer rdn = wr_of(set, sizeof(set)), head = wr_of(one, sizeof(one));

		TRY(parse_part(&text, &rdn, e));
		while (*text == '+') {
			text++;
			parts++;
			TRY(parse_part(&text, &rdn, e));
		}
		if (++parts > DN_PARTS) /* what split() could not read again */
			return err_set(e, GW_ELIMIT, "a distinguished name of more than %d parts", DN_PARTS);
		put_element(&head, DER_SET, wr_done(&rdn));
		w.bad |= rdn.bad || head.bad;
		put_before(&w, wr_done(&head));
		if (!*text)
			break;
		text++;
	}
	put_element(&whole, DER_SEQUENCE, wr_done(&w));
	if (w.bad || whole.bad)
		return err_set(e, GW_ELIMIT, "a distinguished name of more than %d octets", DN_MAX);
	*n = whole.n;
	return GW_OK;
}
