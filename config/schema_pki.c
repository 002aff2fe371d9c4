/* The tables of `certificates:` and `authorities:`; see schema.h. */
#include "config/schema_table.h"

static const struct schema_word revocation_words[] = {
	{ "strict", REVOCATION_STRICT },
	{ "soft", REVOCATION_SOFT },
	{ "off", REVOCATION_OFF },
	{ NULL, 0 },
};

static const struct schema_key certificate_keys[] = {
	{ .name = "cert",
	  .type = SCHEMA_PATH,
	  .flags = SCHEMA_REQUIRED,
	  AT(certificate_cfg, file),
	  .min = 1,
	  .max = 1024,
	  .help = "File with our certificate and behind it the intermediate ones, as blocks of PEM." },
	{ .name = "key",
	  .type = SCHEMA_LOCATION,
	  .flags = SCHEMA_REQUIRED,
	  AT(certificate_cfg, key_at),
	  .min = 1,
	  .max = 1024,
	  .help = "Its private key: a file, or a URI that OpenSSL opens (pkcs11:...)." },
};
const struct schema schema_certificate = { .size = sizeof(struct certificate_cfg), KEYS(certificate_keys) };

static const struct schema_key authority_keys[] = {
	{ .name = "file",
	  .type = SCHEMA_PATH,
	  .flags = SCHEMA_REQUIRED,
	  AT(authority_cfg, file),
	  .min = 1,
	  .max = 1024,
	  .help = "File with the certificates of the authority, as blocks of PEM." },
	{ .name = "crl",
	  .type = SCHEMA_LOCATION,
	  .flags = SCHEMA_LIST | SCHEMA_EMPTY_OK,
	  AT(authority_cfg, crls),
	  .count_offset = offsetof(struct authority_cfg, crl_count),
	  .min = 1,
	  .max = 1024,
	  .nothing = "none",
	  .fallback_text = "none",
	  .help = "Where lists of revoked certificates are: files or http:// URLs, of each authority of the chain "
		  "one." },
	{ .name = "revocation",
	  .type = SCHEMA_WORD,
	  AT(authority_cfg, revocation),
	  .words = revocation_words,
	  .fallback = "soft",
	  .help = "Without a list that is in force: strict refuses, soft lets in. off: lists are not looked at." },
};
const struct schema schema_authority = { .size = sizeof(struct authority_cfg), KEYS(authority_keys) };
