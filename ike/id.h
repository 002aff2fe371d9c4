/* Identities (RFC 7296 3.5): printing and matching against what is configured. */
#ifndef IKE_ID_H
#define IKE_ID_H

#include "config/model.h"

enum { ID_TEXT = 160 };
/* "alice@example.org", "192.0.2.1", "keyid:alice" or "keyid:0x0a0b"; control characters escaped; cut with "...". */
const char *id_text(uint8_t kind, struct bytes data, char buf[ID_TEXT]);

/* ASCII letters compare without case for FQDN and RFC822; '*' in a pattern stands for any run of characters. */
bool id_matches(const struct id_cfg *cfg, uint8_t kind, struct bytes data);
/* Any of them; none configured: everything matches. */
bool id_matches_any(const struct id_cfg *cfgs, size_t n, uint8_t kind, struct bytes data);
/* How specific the best match is: 0 none, 1 "*" or nothing configured, 2 pattern, 3 exact. */
int id_match_rank(const struct id_cfg *cfgs, size_t n, uint8_t kind, struct bytes data);

#endif
