/* The TUN device of the userspace plane: opened, sized, set up. Linux only. */
#ifndef ESP_TUN_H
#define ESP_TUN_H

#include "core/addr.h"

enum { TUN_NAME = 16 }; /* IFNAMSIZ */

/*
 * A new device; `name` may have a %d. Packets without a header of the kernel's own. *fd is non-blocking and
 * close-on-exec; the device goes with it. `actual` gets the name. GW_EPERM, GW_EIO.
 */
MUST_USE enum gw_err tun_open(const char *name, int *fd, char actual[TUN_NAME], struct err *e);
MUST_USE enum gw_err tun_set_mtu(const char *name, uint32_t mtu, struct err *e);
/* A transmit queue for bursts. */
MUST_USE enum gw_err tun_set_queue(const char *name, struct err *e);
MUST_USE enum gw_err tun_set_up(const char *name, bool up, struct err *e);

#endif
