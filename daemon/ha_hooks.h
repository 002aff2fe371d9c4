/*
 * What the outside is told of the pair by programs: hooks.role at every change of role, hooks.fence before a takeover
 * from a node that has fallen silent. docs/control-api.md has their documents.
 */
#ifndef DAEMON_HA_HOOKS_H
#define DAEMON_HA_HOOKS_H

struct ha_node;

/* The role is now what ha says; `why` it became so. */
void ha_hooks_role(struct ha_node *h, const char *why);
/* Has the other node switched off; ha_fenced() follows, from the loop or at once when that cannot be tried. */
void ha_hooks_fence(struct ha_node *h, const char *why);

#endif
