/*
 * Keys of single SAs for Wireshark, in the form of its tables: the one way in which a key leaves this process. Off unless
 * `control.export_keys` is true, for root only, per SA and for a limited time, and each step is in the log. While it lasts
 * the keys of rekeys follow. The files stand in state_dir, for root only, and go with the last export.
 */
#ifndef DAEMON_KEYEXPORT_H
#define DAEMON_KEYEXPORT_H

#include "daemon/control.h"
#include "ike/ike.h"

struct gateway;
struct keyexport;

#define KEYEXPORT_IKE "ikev2_decryption_table"
#define KEYEXPORT_ESP "esp_sa"

/* Removes what a run before this one left. NULL when out of memory. */
struct keyexport *keyexport_create(struct gateway *g);
void keyexport_destroy(struct keyexport *k); /* and the files; NULL is fine */
/* Rekeys of SAs that are exported. */
void keyexport_heed(struct keyexport *k, const struct ike_event *ev);
/* After a reload: what is not allowed any more ends. */
void keyexport_review(struct keyexport *k);
/* The command `export-keys`: wants `id` and `for`. */
enum gw_err keyexport_command(void *ctx, struct control_call *call);

/* Lines of the two tables; false: Wireshark does not know the algorithm, or there are no keys. For tests, too. */
bool keyexport_ike_line(const struct ike_sa *sa, struct writer *out);
bool keyexport_esp_lines(const struct child_sa *c, struct writer *out);

#endif
