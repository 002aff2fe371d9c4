/*
 * Keys of a pair, each for one use, from the one secret that both nodes are configured with. The names are part of
 * the derivation, so neither a node of another cluster nor the node itself (reflection) has the same key.
 */
#ifndef DAEMON_PAIRKEYS_H
#define DAEMON_PAIRKEYS_H

#include "core/crypto/crypto.h"

enum {
	PAIR_SYNC_KEY = 48, /* as long as the hash of TLS_AES_256_GCM_SHA384 */
	PAIR_BEAT_KEY = 32,
	PAIR_KEY_ID = 4, /* tells apart secrets, for log lines and their rotation; not secret */
};

/* Of the TLS connection that `client` makes to `server`. `out` must be empty. */
MUST_USE enum gw_err pairkeys_sync(struct crypto *c, struct bytes secret, const char *cluster, const char *client,
				   const char *server, struct secret *out);
/* Of all heartbeats of the cluster. It opens nothing else. */
MUST_USE enum gw_err pairkeys_beat(struct crypto *c, struct bytes secret, const char *cluster, struct secret *out);
MUST_USE enum gw_err pairkeys_id(struct crypto *c, struct bytes secret, const char *cluster, uint8_t out[PAIR_KEY_ID]);

#endif
