/*
 * One block of single DES (FIPS 46-3), encryption only: what RFC 2759 8.5 builds NT-Response of. No cipher for data;
 * it is here for the same reason as md4.h. Table lookups depend on the key: for keys that last one exchange only.
 */
#ifndef CORE_CRYPTO_DES_H
#define CORE_CRYPTO_DES_H

#include "core/bytes.h"

enum { DES_BLOCK = 8, DES_KEY = 7 };

/* `key`: 56 bits in seven octets, as RFC 2759 8.6 has them, without parity bits. `out` may be `in`. */
void des_encrypt(const uint8_t key[DES_KEY], const uint8_t in[DES_BLOCK], uint8_t out[DES_BLOCK]);

#endif
