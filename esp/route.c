#include "esp/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "core/net/netlink.h"

static bool put_route(struct nl_batch *b, bool add, unsigned index, const struct prefix *p,
		      const struct route_traits *t)
{
	const struct rtmsg m = {
		.rtm_family = p->addr.family == 6 ? AF_INET6 : AF_INET,
		.rtm_dst_len = p->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = p->addr.family == 6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	size_t nest;

	nl_begin(b, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0, &m, sizeof(m));
	nl_put(b, RTA_DST, p->addr.b, addr_len(&p->addr));
	nl_put_u32(b, RTA_OIF, index);
	if (t->priority > 0)
		nl_put_u32(b, RTA_PRIORITY, t->priority);
	if (t->advmss > 0) {
		nest = nl_nest(b, RTA_METRICS);
		nl_put_u32(b, RTAX_ADVMSS, t->advmss);
		nl_nest_end(b, nest);
	}
	return nl_end(b);
}

static enum gw_err change(const char *device, const struct prefix *p, const struct route_traits *t, bool add,
			  struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[256];
	unsigned index = if_nametoindex(device);
	char text[ADDR_TEXT + 4];
	struct nl_answer a;
	struct nl_batch b;

	if (index == 0)
		return err_set(e, errno == EPERM ? GW_EPERM : GW_EIO, "find device %s: %s", device, strerror(errno));
	nl_reset(&b, buf, sizeof(buf), 1);
	if (!put_route(&b, add, index, p, t))
		return err_set(e, GW_EINTERNAL, "route: message too large");
	TRY(nl_ask_once(NETLINK_ROUTE, &b, &a, e));
	if (a.number == 0 || (add && a.number == EEXIST) || (!add && (a.number == ESRCH || a.number == ENOENT)))
		return GW_OK;
	return err_set(e, a.number == EPERM || a.number == EACCES ? GW_EPERM : GW_EIO, "%s route %s: %s",
		       add ? "add" : "remove", prefix_text(p, text), a.text);
}

enum gw_err route_add(const char *device, const struct prefix *p, const struct route_traits *t, struct err *e)
{
	return change(device, p, t, true, e);
}

enum gw_err route_remove(const char *device, const struct prefix *p, const struct route_traits *t, struct err *e)
{
	return change(device, p, t, false, e);
}
