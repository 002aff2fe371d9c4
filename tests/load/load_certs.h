/* A certificate of its own for each client, issued at the start by an authority whose key is given. */
#ifndef TESTS_LOAD_LOAD_CERTS_H
#define TESTS_LOAD_LOAD_CERTS_H

#include "load_crowd.h"

struct load_certs;

/* ECDSA P-256, signing with SHA-256. DIR has ca.pem and ca.key. Sets trust and hashes of *cfg. */
MUST_USE enum gw_err load_certs_create(const char *dir, struct ini_cfg *cfg, struct load_certs **out, struct err *e);
/* Gives every client of the crowd one, with its identity as a mail address. */
void load_certs_issue(struct load_certs *l, struct crowd *c);
void load_certs_destroy(struct load_certs *l); /* NULL is fine */

#endif
