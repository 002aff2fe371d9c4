/* The answers of gatewayd as text. Each takes a JSON array of items (docs/control-api.md). */
#ifndef DAEMON_CTL_SHOW_H
#define DAEMON_CTL_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct ctl_style {
	bool wide, headers;
};

/* False: could not be written. */
typedef bool ctl_show(const json_t *items, const struct ctl_style *style, FILE *out);

ctl_show ctl_show_sas, ctl_show_sa, ctl_show_conns, ctl_show_pools, ctl_show_leases, ctl_show_stats, ctl_show_version;
ctl_show ctl_show_export, ctl_show_level, ctl_show_reload;
ctl_show ctl_show_ha_status, ctl_show_ha_role, ctl_show_ha_verified;

#endif
