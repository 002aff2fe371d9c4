/* Commands about the pair: `gatewayctl ha ...`. Steps of daemon/commands' table; their context is struct gateway. */
#ifndef DAEMON_COMMANDS_HA_H
#define DAEMON_COMMANDS_HA_H

#include "daemon/control.h"

typedef enum gw_err command_step(void *ctx, struct control_call *call);

/* Looking. */
command_step ha_command_status;
/* Orders. Those that take a while answer when they are done. */
command_step ha_command_switchover, ha_command_promote, ha_command_demote, ha_command_drain, ha_command_undrain;
command_step ha_command_pause, ha_command_resume, ha_command_peer_fenced, ha_command_verify;

#endif
