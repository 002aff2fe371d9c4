#include "esp/xfrm_link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

#include "core/net/netlink.h"
#include "esp/tun.h"

/* In <linux/in6.h>'s shadow on some systems. */
#ifndef IPV6_XFRM_POLICY
#define IPV6_XFRM_POLICY 35
#endif

/* ---- sockets ---- */

enum gw_err xfrm_socket_bypass(int fd, uint8_t family, struct err *e)
{
	static const uint8_t dirs[] = { XFRM_POLICY_IN, XFRM_POLICY_OUT };
	struct xfrm_userpolicy_info p;

	for (size_t i = 0; i < sizeof(dirs); i++) {
		memset(&p, 0, sizeof(p));
		p.action = XFRM_POLICY_ALLOW;
		p.dir = dirs[i];
		p.sel.family = family == 6 ? AF_INET6 : AF_INET;
		if (setsockopt(fd, family == 6 ? IPPROTO_IPV6 : IPPROTO_IP,
			       family == 6 ? IPV6_XFRM_POLICY : IP_XFRM_POLICY, &p, sizeof(p)) != 0)
			return err_set(e, errno == EPERM ? GW_EPERM : GW_EUNSUPPORTED,
				       "cannot exempt IKE's sockets from policies: %s", strerror(errno));
	}
	return GW_OK;
}

enum gw_err xfrm_socket_encap(int fd, bool on, struct err *e)
{
	const int type = on ? UDP_ENCAP_ESPINUDP : 0;

	if (setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &type, sizeof(type)) == 0)
		return GW_OK;
	return err_set(e, errno == ENOPROTOOPT ? GW_EUNSUPPORTED : GW_EIO,
		       "the kernel cannot take ESP from UDP sockets: %s", strerror(errno));
}

/* ---- links ---- */

struct answer {
	int number;
	char text[96];
};

static void on_error(void *arg, uint32_t index, int number, const char *text)
{
	struct answer *a = arg;

	(void)index;
	a->number = number;
	(void)snprintf(a->text, sizeof(a->text), "%s", text[0] ? text : strerror(number));
}

/* One request on a socket that lives as long as it. */
static enum gw_err talk(struct nl_batch *b, struct answer *a, struct err *e)
{
	const struct nl_handler h = { .error = on_error, .arg = a };
	struct nl_socket s;
	enum gw_err r;

	TRY(nl_open(NETLINK_ROUTE, &s, e));
	r = nl_exchange(&s, b, &h);
	nl_close(&s);
	return r == GW_OK ? GW_OK : err_set(e, r, "netlink: %s", gw_err_text(r));
}

static enum gw_err refused(struct err *e, const char *what, const char *name, const struct answer *a)
{
	enum gw_err code = a->number == EPERM ? GW_EPERM : a->number == EOPNOTSUPP ? GW_EUNSUPPORTED : GW_EIO;

	return err_set(e, code, "%s %s: %s%s", what, name, a->text,
		       code == GW_EUNSUPPORTED ? "; do: modprobe xfrm_interface (CONFIG_XFRM_INTERFACE)" : "");
}

static bool put_link(struct nl_batch *b, const struct xfrm_link_config *cfg, unsigned under)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	size_t outer, inner;

	nl_begin(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	nl_put(b, IFLA_IFNAME, cfg->name, strlen(cfg->name) + 1);
	outer = nl_nest(b, IFLA_LINKINFO);
	nl_put(b, IFLA_INFO_KIND, "xfrm", sizeof("xfrm"));
	inner = nl_nest(b, IFLA_INFO_DATA);
	nl_put_u32(b, IFLA_XFRM_LINK, under);
	nl_put_u32(b, IFLA_XFRM_IF_ID, cfg->if_id);
	nl_nest_end(b, inner);
	nl_nest_end(b, outer);
	return nl_end(b);
}

static enum gw_err configure(const struct xfrm_link_config *cfg, struct err *e)
{
	if (cfg->mtu > 0)
		TRY(tun_set_mtu(cfg->name, cfg->mtu, e));
	TRY(tun_set_up(cfg->name, true, e));
	for (size_t i = 0; i < cfg->route_count; i++)
		TRY(tun_route_add(cfg->name, &cfg->routes[i], e));
	return GW_OK;
}

enum gw_err xfrm_link_create(const struct xfrm_link_config *cfg, struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[512];
	const char *under = cfg->under ? cfg->under : "lo";
	unsigned index = if_nametoindex(under);
	struct answer a = { 0 };
	struct nl_batch b;
	struct err ignored = { 0 };
	enum gw_err r;

	if (strlen(cfg->name) >= IFNAMSIZ || cfg->if_id == 0)
		return err_set(e, GW_EINVAL, "XFRM interface %s: a name of 1 to 15 octets and an if_id are needed",
			       cfg->name);
	if (index == 0)
		return err_set(e, GW_ENOTFOUND, "XFRM interface %s: there is no device %s", cfg->name, under);
	/* The ID of one that is there cannot be changed: it goes first. */
	if (if_nametoindex(cfg->name) != 0)
		TRY(xfrm_link_remove(cfg->name, e));
	nl_reset(&b, buf, sizeof(buf), 1);
	if (!put_link(&b, cfg, index))
		return err_set(e, GW_EINTERNAL, "XFRM interface %s: message too large", cfg->name);
	TRY(talk(&b, &a, e));
	if (a.number != 0)
		return refused(e, "XFRM interface", cfg->name, &a);
	r = configure(cfg, e);
	if (r != GW_OK)
		(void)!xfrm_link_remove(cfg->name, &ignored);
	return r;
}

enum gw_err xfrm_link_remove(const char *name, struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[128];
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name) };
	struct answer a = { 0 };
	struct nl_batch b;

	if (info.ifi_index == 0)
		return GW_OK;
	nl_reset(&b, buf, sizeof(buf), 1);
	nl_begin(&b, RTM_DELLINK, 0, &info, sizeof(info));
	if (!nl_end(&b))
		return GW_EINTERNAL;
	TRY(talk(&b, &a, e));
	return a.number == 0 || a.number == ENODEV ? GW_OK : refused(e, "remove device", name, &a);
}

/* ---- routes ---- */

static bool put_route(struct nl_batch *b, unsigned index, const struct prefix *p, uint32_t mtu, bool clamp)
{
	/* TCP's and IP's headers without options. */
	uint32_t headers = p->addr.family == 6 ? 60 : 40;
	struct rtmsg m = {
		.rtm_family = p->addr.family == 6 ? AF_INET6 : AF_INET,
		.rtm_dst_len = p->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = p->addr.family == 6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	size_t nest;

	nl_begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &m, sizeof(m));
	nl_put(b, RTA_DST, p->addr.b, addr_len(&p->addr));
	nl_put_u32(b, RTA_OIF, index);
	if (mtu > 0) {
		nest = nl_nest(b, RTA_METRICS);
		nl_put_u32(b, RTAX_MTU, mtu);
		if (clamp && mtu > headers)
			nl_put_u32(b, RTAX_ADVMSS, mtu - headers);
		nl_nest_end(b, nest);
	}
	return nl_end(b);
}

enum gw_err xfrm_route_set(const char *device, const struct prefix *p, uint32_t mtu, bool clamp_mss, struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[256];
	unsigned index = if_nametoindex(device);
	char text[ADDR_TEXT + 4];
	struct answer a = { 0 };
	struct nl_batch b;

	if (index == 0)
		return err_set(e, GW_ENOTFOUND, "there is no device %s", device);
	nl_reset(&b, buf, sizeof(buf), 1);
	if (!put_route(&b, index, p, mtu, clamp_mss))
		return GW_EINTERNAL;
	TRY(talk(&b, &a, e));
	return a.number == 0 ? GW_OK : refused(e, "add route", prefix_text(p, text), &a);
}
