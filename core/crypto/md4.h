/*
 * MD4 (RFC 1320). Broken as a hash, and wanted all the same: the NT hash of a password is one. OpenSSL 3 has it in its
 * legacy provider only, which many systems do not install; so it is here, and nothing else may use it.
 */
#ifndef CORE_CRYPTO_MD4_H
#define CORE_CRYPTO_MD4_H

#include "core/bytes.h"

enum { MD4_LEN = 16 };

/* Leaves no copy of the message behind. */
void md4(struct bytes message, uint8_t out[MD4_LEN]);

#endif
