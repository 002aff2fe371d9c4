/* Inside of the initiator: shared by its files only. Buffers named `m` are the peer's message, parsed and
 * authenticated. */
#ifndef TESTS_INITIATOR_INI_H
#define TESTS_INITIATOR_INI_H

#include "ike/message.h"
#include "tests/initiator/initiator.h"

enum {
	INI_NONCE = 32,
	INI_CHAIN = 8192,     /* a message before encryption */
	INI_PACKED = 16384,   /* after, all fragments */
	INI_REPLACED_S = 150, /* how long what was replaced waits for the peer's DELETE */
};

/* What a CREATE_CHILD_SA of ours needs when its answer comes. */
struct ini_try {
	uint32_t old_spi, spi; /* inbound: the CHILD SA that is rekeyed or deleted, the new one */
	uint64_t ike_spi;      /* of the new IKE SA */
	struct dh_key *dh;
	uint8_t nonce[INI_NONCE];
	/* The peer's rekey of the same SA, answered meanwhile (2.8.1, 2.8.2). */
	bool collided;
	struct secret lowest;	/* of its two nonces */
	uint32_t peer_child;	/* its new CHILD SA */
	struct ini_sa *peer_sa; /* its new IKE SA; borrowed */
};

/* What is only needed until the first SA is up. */
struct ini_opening {
	struct dh_key *dh;
	uint16_t group;
	uint8_t ni[INI_NONCE];
	struct secret nr, cookie;
	struct secret request, response; /* whole IKE_SA_INIT messages, for AUTH */
	uint32_t child_spi;
	uint8_t restarts;
	/* EAP: IDr body of the first answer; what keys are made of, until there is one */
	struct secret idr, msk;
	uint8_t nt_hash[16], nt_response[24], server_challenge[16];
	bool nak_sent, eap_over;
};

/* ini_send.c */
mtime ini_now(const struct ini *ini);
void ini_queue(struct ini *ini, struct bytes message);
void ini_queue_packed(struct ini *ini, const struct secret *packed);
/* Seals the chain as our next request and sends it. */
MUST_USE enum gw_err ini_request(struct ini_sa *sa, enum ini_kind kind, uint8_t exchange, struct msg_writer *chain);
/* The same for the answer to request `id`, which is kept for retransmissions. */
MUST_USE enum gw_err ini_respond(struct ini_sa *sa, uint8_t exchange, uint32_t id, struct msg_writer *chain);
MUST_USE enum gw_err ini_respond_notify(struct ini_sa *sa, uint8_t exchange, uint32_t id, uint16_t type);
/* Our outstanding request is answered (or given up). Its try_ stays. */
void ini_answered(struct ini_sa *sa);
void ini_arm(struct ini_sa *sa, enum ini_kind kind);
struct sk_key ini_key_in(const struct ini_sa *sa);

/* ini_sa.c */
struct ini_sa *ini_sa_create(struct ini *ini); /* linked in, the newest first */
void ini_sa_destroy(struct ini_sa *sa);
void ini_sa_die(struct ini_sa *sa); /* deleted: children go, the last response stays for a while */
void ini_sa_move_children(struct ini_sa *to, struct ini_sa *from);
struct ini_try *ini_try_create(struct ini_sa *sa);
void ini_try_destroy(struct ini_sa *sa);
void ini_opening_destroy(struct ini *ini);
struct ini_child *ini_child_find_in(const struct ini *ini, uint32_t spi_in);
struct ini_child *ini_child_find_out(const struct ini *ini, uint32_t spi_out, struct ini_sa **owner);
void ini_child_remove(struct ini *ini, struct ini_child *child);
uint32_t ini_child_spi(struct ini *ini);
void ini_fail(struct ini *ini, const char *reason);
/* A key of the group: cfg->shared_dh or a new one. */
MUST_USE enum gw_err ini_dh_take(struct ini *ini, uint16_t group, struct dh_key **out);
void ini_dh_drop(const struct ini *ini, struct dh_key *k); /* NULL is fine */
struct bytes ini_nonce_min(struct bytes a, struct bytes b);
int ini_nonce_cmp(struct bytes a, struct bytes b);

/* ini_open.c: IKE_SA_INIT and IKE_AUTH */
void ini_cp_write(struct msg_writer *w, const struct ini_cfg *cfg);
void ini_cp_take(struct ini *ini, const struct ike_msg *m);
MUST_USE enum gw_err ini_natd_write(const struct ini_sa *sa, struct msg_writer *w);
MUST_USE enum gw_err ini_open_start(struct ini *ini);
void ini_open_on_init(struct ini_sa *sa, const struct datagram *in, const struct ike_header *h);
void ini_open_on_auth(struct ini_sa *sa, const struct ike_msg *m);

/* The responder's AUTH by `key`; `idr`: body of its ID payload. */
bool ini_open_proved(struct ini_sa *sa, const struct ike_msg *m, struct bytes key, struct bytes idr);
/* Our AUTH by `key` as a payload. */
MUST_USE enum gw_err ini_open_prove(struct ini_sa *sa, struct msg_writer *w, struct bytes key);

/* ini_eap.c: an answer to IKE_AUTH while EAP runs. True: it is the last one, and right, so the SA is up. */
bool ini_eap_on_auth(struct ini_sa *sa, const struct ike_msg *m);

/* ini_cert.c */
MUST_USE enum gw_err ini_cert_write(struct ini_sa *sa, struct msg_writer *w, struct bytes id_body);
bool ini_cert_proved(struct ini_sa *sa, const struct ike_msg *m);

/* ini_child.c: CREATE_CHILD_SA for CHILD SAs, both roles */
void ini_offer_write(struct msg_writer *w, const struct proposal_cfg *offer, size_t n, uint8_t protocol,
		     struct bytes spi);
/* Without DH transforms, as IKE_AUTH and rekeys without PFS want it. `out` has room for as many. */
size_t ini_offer_plain(const struct ini_cfg *cfg, struct proposal_cfg *out, size_t max);
/* Checks the responder's choice and makes the CHILD SA. NULL: *notify says why. */
struct ini_child *ini_child_accept(struct ini_sa *sa, const struct ike_msg *m, const struct proposal_cfg *offer,
				   size_t n, uint32_t spi_in, struct bytes shared, struct bytes ni, struct bytes nr,
				   const char **why);
MUST_USE enum gw_err ini_child_ask(struct ini_sa *sa, struct ini_child *old);
void ini_child_on_answer(struct ini_sa *sa, const struct ike_msg *m);
void ini_child_on_request(struct ini_sa *sa, const struct ike_msg *m);

/* ini_rekey.c: CREATE_CHILD_SA for the IKE SA, both roles */
MUST_USE enum gw_err ini_rekey_ask(struct ini_sa *sa);
void ini_rekey_on_answer(struct ini_sa *sa, const struct ike_msg *m);
void ini_rekey_on_request(struct ini_sa *sa, const struct ike_msg *m);
/* Our rekey came to nothing; if the peer's own succeeded meanwhile, that one wins. */
void ini_rekey_abandon(struct ini_sa *sa);

/* ini_info.c */
MUST_USE enum gw_err ini_info_probe(struct ini_sa *sa);
MUST_USE enum gw_err ini_info_update(struct ini_sa *sa);
MUST_USE enum gw_err ini_info_delete(struct ini_sa *sa);
MUST_USE enum gw_err ini_info_delete_child(struct ini_sa *sa, struct ini_child *child);
void ini_info_on_answer(struct ini_sa *sa, const struct ike_msg *m);
void ini_info_on_request(struct ini_sa *sa, const struct ike_msg *m);

/* initiator.c: sends what is wanted next where the window is free */
void ini_flush(struct ini *ini);

#endif
