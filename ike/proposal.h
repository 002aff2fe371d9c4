/* Choice of algorithms (RFC 7296 2.7, 3.3.6): per transform, in the order of our configuration. Pure functions. */
#ifndef IKE_PROPOSAL_H
#define IKE_PROPOSAL_H

#include "config/model.h"
#include "core/crypto/crypto.h"
#include "ike/payload.h"

/* What was agreed; type 0 where nothing is (no INTEG with an AEAD, no DH in IKE_AUTH). */
struct chosen {
	uint8_t number, protocol;
	struct bytes spi; /* of the chosen proposal; borrowed from the offer */
	struct transform encr, prf, integ, dh, esn;
};

enum proposal_dh {
	PROPOSAL_DH_REQUIRED, /* IKE SAs */
	PROPOSAL_DH_IGNORED,  /* CHILD SA in IKE_AUTH: no KE there (RFC 7296 1.2); transforms of that type are overlooked */
	PROPOSAL_DH_NEVER,    /* CREATE_CHILD_SA without: only offers that do without, too */
	PROPOSAL_DH_OPTIONAL, /* CREATE_CHILD_SA: a group when both name one, none when both allow none */
};

/*
 * The first of our proposals that has a common transform of every type with one of the peer's. `ke_group` is the group of
 * the peer's KE payload (0: none): it is preferred where it is acceptable, so that no round trip is lost.
 * GW_OK: *out. GW_EGROUP: agreed but for the KE payload: *out holds the group we want in out->dh.
 * GW_EPROPOSAL: nothing in common; `e` says what was offered and what is configured.
 * Transform types we do not know in a proposal, or ESN missing in ESP (RFC 7296 3.3.3: mandatory, but tolerated as "no"): see code.
 */
MUST_USE enum gw_err proposal_choose(const struct sa_payload *offer, uint8_t protocol, const struct proposal_cfg *ours,
				     size_t count, uint16_t ke_group, enum proposal_dh dh, struct chosen *out, struct err *e);

/* The answer or an offer: transforms of `c` in the order of types; returns how many (at most 5). */
size_t chosen_transforms(const struct chosen *c, struct transform t[5]);
/*
 * Checks, as an initiator, that an SA payload in a response picks exactly one proposal out of what we offered: `offered`
 * is what was written, so without DH in IKE_AUTH. The caller compares out->dh with the group of its KE payload.
 */
MUST_USE enum gw_err proposal_answer(const struct sa_payload *answer, uint8_t protocol, const struct proposal_cfg *offered,
				     size_t count, struct chosen *out, struct err *e);

/* Descriptors for an agreed set. GW_EUNSUPPORTED cannot happen for what proposal_choose returned. */
MUST_USE enum gw_err chosen_suite(const struct chosen *c, struct cipher_suite *out);

enum { CHOSEN_TEXT = 96 };
/* "aes256gcm16-prfsha384-x25519", "aes128-sha256-esn" */
const char *chosen_text(const struct chosen *c, char buf[CHOSEN_TEXT]);
/* Everything in an offer, for log lines: "aes256-sha256-modp1024, aes128-sha1-modp1024"; cut with "..." */
const char *offer_text(const struct sa_payload *offer, char *buf, size_t n);

#endif
