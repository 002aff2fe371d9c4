/* The pair as JSON, in the schema of docs/control-api.md. Each returns a new reference, or NULL when out of memory. */
#ifndef DAEMON_HA_SHOW_H
#define DAEMON_HA_SHOW_H

#include <jansson.h>

#include "daemon/ha_node.h"

json_t *ha_show_status(const struct ha_node *h);
json_t *ha_show_verified(const struct ha_verified *v);
/* Counters of ha, heartbeats and the sync link. */
json_t *ha_show_stats(const struct ha_node *h);
/* "active", "standby"; "none" for what is neither. */
const char *ha_show_role(uint8_t role);

#endif
