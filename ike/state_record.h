/* Inside of ike/state_*.c: a record, read whole into views of its bytes and not yet judged. */
#ifndef IKE_STATE_RECORD_H
#define IKE_STATE_RECORD_H

#include "ike/cert_path.h"
#include "ike/engine.h"
#include "ike/mobike.h"
#include "ike/state.h"

struct child_record {
	uint32_t spi_in, spi_out, reqid, successor;
	uint8_t state, flags, wishes;
	struct transform encr, integ, esn, dh;
	struct bytes cfg, in_keys, out_keys, crossing;
	struct selector ours[IKE_CHILD_SELECTORS], theirs[IKE_CHILD_SELECTORS];
	size_t n_ours, n_theirs;
	int64_t created, rekey, life;
	struct addr told_ours, told_theirs;
	/* found */
	const struct child_cfg *found;
	struct cipher_suite suite;
};

struct sa_record {
	uint64_t spi_i, spi_r, successor;
	uint8_t state, flags, wishes;
	uint32_t peer_flags, recv_next, send_next, settled, certain;
	uint8_t request_kind, tries;
	int64_t retransmit, times[7], reauth;
	struct endpoint local, remote;
	bool has_session;
	struct ike_session session; /* `began` is how long ago */
	struct transform encr, prf, integ, dh;
	struct bytes keys, conn, group, response, request, crossing, peer;
	struct {
		struct addr addr;
		struct bytes pool;
	} leases[SA_LEASES];
	size_t lease_count;
	struct addr came_from, also[MOBIKE_ADDRS];
	size_t also_count;
	bool half, has_core;
	struct bytes half_ni, half_nr, half_request, half_response, half_ke, half_dh, x_dh, x_ni, x_nr;
	uint8_t half_auth_first;
	struct bytes half_auth, half_conn, half_our_id, half_msk, half_eap;
	bool half_eap_only;
	uint32_t peer_auth;
	uint8_t half_hashes;
	struct bytes cert_path;
	struct bytes told_id;
	int64_t half_expires;
	struct half_open_key half_key;
	bool x;
	uint8_t x_kind;
	uint16_t x_group;
	uint64_t x_new;
	uint32_t x_old, x_waiting, x_gone;
	struct child_record children[IKE_CHILD_MAX];
	size_t child_count;
	/* found */
	const struct conn_cfg *found, *half_found;
	const struct group_cfg *found_group;
	struct cipher_suite suite;
};

/* Reads the fields. GW_EMALFORMED, GW_ELIMIT, GW_EUNSUPPORTED (a critical field that is unknown here), with text. */
MUST_USE enum gw_err state_read(struct bytes record, struct sa_record *out, struct err *e);

/*
 * Makes the SA of `record`, with everything checked first. What it takes from SAs that are here (the children that it
 * names) is given to `lose` just before. Only for ike_apply(), which has forgotten the SA itself.
 */
MUST_USE enum gw_err state_adopt(struct ike *ike, uint64_t key, struct bytes record,
				 void (*lose)(void *arg, const struct child_sa *c), void *arg, struct err *e);
/* Of one that is up, the IKE SA alone, without addresses and CHILD SAs: to be closed. */
MUST_USE enum gw_err state_adopt_bare(struct ike *ike, uint64_t key, struct bytes record, struct err *e);

#endif
