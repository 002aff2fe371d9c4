/* Keys of an IKE SA and of its CHILD SAs (RFC 7296 2.14, 2.17, 2.18). */
#ifndef IKE_KEYMAT_H
#define IKE_KEYMAT_H

#include "core/crypto/crypto.h"

/* SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr in one owned block; without the last two after IKE_AUTH. */
struct ike_keys {
	const struct prf_alg *prf;
	struct cipher_suite suite;
	struct secret block;
};

void ike_keys_clear(struct ike_keys *k);
/* Octets of the block for an algorithm choice: whole, and when the SA is up. */
size_t ike_keys_len(const struct prf_alg *prf, const struct cipher_suite *suite);
size_t ike_keys_len_up(const struct prf_alg *prf, const struct cipher_suite *suite);
/* SK_pi and SK_pr are for AUTH payloads only (RFC 7296 2.15): once the SA is up they are wiped, and empty from then on.
 */
void ike_keys_drop_auth(struct ike_keys *k);

struct bytes ike_keys_d(const struct ike_keys *k);
struct bytes ike_keys_ai(const struct ike_keys *k);
struct bytes ike_keys_ar(const struct ike_keys *k);
struct bytes ike_keys_ei(const struct ike_keys *k);
struct bytes ike_keys_er(const struct ike_keys *k);
struct bytes ike_keys_pi(const struct ike_keys *k);
struct bytes ike_keys_pr(const struct ike_keys *k);

/* Initial exchange: SKEYSEED = prf(Ni | Nr, g^ir). prf and suite are set by the caller before. */
MUST_USE enum gw_err ike_keys_derive(struct crypto *c, struct ike_keys *k, struct bytes ni, struct bytes nr,
				     struct bytes shared, uint64_t spi_i, uint64_t spi_r);
/* IKE rekey: SKEYSEED = prf_old(SK_d_old, g^ir | Ni | Nr) (2.18). */
MUST_USE enum gw_err ike_keys_rekey(struct crypto *c, struct ike_keys *k, const struct ike_keys *old, struct bytes ni,
				    struct bytes nr, struct bytes shared, uint64_t spi_i, uint64_t spi_r);

/*
 * KEYMAT = prf+(SK_d, [g^ir |] Ni | Nr): encryption and integrity keys, initiator's to responder's direction first (2.17).
 * `shared` empty: no PFS. Outputs are owned by the caller: one block each of encr key | integ key.
 */
MUST_USE enum gw_err child_keymat(struct crypto *c, const struct ike_keys *k, const struct cipher_suite *suite,
				  struct bytes shared, struct bytes ni, struct bytes nr, struct secret *i2r,
				  struct secret *r2i);

#endif
