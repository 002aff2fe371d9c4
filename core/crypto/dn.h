/*
 * Distinguished names (X.501, in DER): as text after RFC 4514 ("CN=alice,O=Acme,C=DE"), from it, and compared. Values
 * are compared as text without case, whatever string type each side chose (RFC 5280 7.1 in short).
 */
#ifndef CORE_CRYPTO_DN_H
#define CORE_CRYPTO_DN_H

#include "core/err.h"

enum { DN_MAX = 512, DN_PARTS = 24 };

/* Printable ASCII only, the rest escaped; cut with "..." when n is too small. Not a name: in hex. Returns buf. */
const char *dn_text(struct bytes der, char *buf, size_t n);
/*
 * Spaces around the parts do not count. The last part comes first in DER (RFC 4514 2.1). GW_EINVAL with text,
 * GW_ELIMIT. A '*' stays as it is: for dn_matches().
 */
MUST_USE enum gw_err dn_parse(const char *text, uint8_t *out, size_t cap, size_t *n, struct err *e);
/*
 * '*' in a value of the pattern stands for any run of characters. A name that was written in the other order fits, too:
 * people copy what their tools print, and those print either.
 */
bool dn_matches(struct bytes pattern, struct bytes der);
bool dn_equal(struct bytes a, struct bytes b); /* likewise, without patterns */
/*
 * The same octets, at most as many as `der` has, for names that dn_equal() takes for one, and for no others. Into `out`,
 * which has room for as many; the length is returned. More than DN_MAX octets, or no name: a copy.
 */
size_t dn_key(struct bytes der, uint8_t *out);
/* The value of the last commonName; false: none. */
bool dn_common_name(struct bytes der, struct bytes *out);

#endif
