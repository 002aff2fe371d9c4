/* What the control socket can be asked: the table that daemon/control.c serves. Its context is struct gateway. */
#ifndef DAEMON_COMMANDS_H
#define DAEMON_COMMANDS_H

#include "daemon/control.h"

/* Ends with name NULL. */
const struct control_command *commands_table(void);

#endif
