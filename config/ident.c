#include "config/reader.h"

#include "core/crypto/dn.h"

#include <stdlib.h>

enum { IDENT_MAX = 255 };

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static enum gw_err set_data(struct id_cfg *id, enum id_kind kind, struct bytes data)
{
	uint8_t *copy = malloc(data.n ? data.n : 1);

	if (!copy)
		return GW_ENOMEM;
	memcpy(copy, data.p, data.n);
	id->kind = kind;
	id->data = bytes_of(copy, data.n);
	return GW_OK;
}

static enum gw_err set_hex(struct id_cfg *id, const char *hex, struct err *e)
{
	uint8_t data[IDENT_MAX / 2 + 1];
	size_t n = strlen(hex);

	if (n == 0 || n % 2 != 0 || n / 2 > sizeof(data))
		return err_set(e, GW_ECONFIG, "`@#` wants an even number of hex digits behind it");
	for (size_t i = 0; i < n; i += 2) {
		int hi = hex_digit(hex[i]), lo = hex_digit(hex[i + 1]);

		if (hi < 0 || lo < 0)
			return err_set(e, GW_ECONFIG, "`@#` wants hex digits behind it");
		data[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	return set_data(id, ID_KEY_ID, bytes_of(data, n / 2));
}

static enum gw_err set_dn(struct id_cfg *id, const char *text, struct err *e)
{
	uint8_t der[DN_MAX];
	size_t n;

	if (dn_parse(text, der, sizeof(der), &n, e) != GW_OK)
		return GW_ECONFIG;
	return set_data(id, ID_DN, bytes_of(der, n));
}

static enum gw_err parse(const char *text, struct id_cfg *id, struct err *e)
{
	struct addr a;

	if (strcmp(text, "*") == 0)
		return GW_OK;
	if (strncmp(text, "@#", 2) == 0)
		return set_hex(id, text + 2, e);
	id->pattern = strchr(text, '*') != NULL;
	if (strncmp(text, "keyid:", 6) == 0)
		return text[6] ? set_data(id, ID_KEY_ID, bytes_str(text + 6))
			       : err_set(e, GW_ECONFIG, "`keyid:` wants text behind it");
	if (*text == '@')
		return text[1] ? set_data(id, ID_FQDN, bytes_str(text + 1))
			       : err_set(e, GW_ECONFIG, "`@` wants a name behind it");
	if (strchr(text, '='))
		return set_dn(id, text, e);
	if (strchr(text, '@'))
		return set_data(id, ID_RFC822, bytes_str(text));
	if (addr_parse(text, &a))
		return set_data(id, a.family == 4 ? ID_IPV4 : ID_IPV6, addr_bytes(&a));
	if (strchr(text, ':') || (strchr(text, '.') && strspn(text, "0123456789.*/") == strlen(text)))
		return err_set(e, GW_ECONFIG, "`%.64s` is no address, and addresses as identities have no patterns",
			       text);
	return set_data(id, ID_FQDN, bytes_str(text));
}

enum gw_err ident_parse(const char *text, bool remote, struct id_cfg *out, struct err *e)
{
	struct id_cfg id = { 0 };
	enum gw_err r;

	if (*text == 0 || strlen(text) > IDENT_MAX)
		return err_set(e, GW_ECONFIG, "an identity has 1 to %d characters", IDENT_MAX);
	/* Blanks stand in key ids and names of certificates only. */
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f ||
		    (*s == ' ' && strncmp(text, "keyid:", 6) != 0 && !strchr(text, '=')))
			return err_set(e, GW_ECONFIG, "an identity has no blanks or control characters");
	r = parse(text, &id, e);
	if (r != GW_OK)
		return r;
	if (!remote && (id.kind == ID_NONE || id.pattern)) {
		ident_clear(&id);
		return err_set(e, GW_ECONFIG, "our own identity cannot be a pattern");
	}
	id.text = strdup(text);
	if (!id.text) {
		ident_clear(&id);
		return err_set(e, GW_ENOMEM, "out of memory");
	}
	*out = id;
	return GW_OK;
}

void ident_clear(struct id_cfg *id)
{
	free(id->text);
	free((void *)(uintptr_t)id->data.p);
	*id = (struct id_cfg){ 0 };
}
