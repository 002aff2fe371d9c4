#include "esp/xfrm_link.h"

#include <errno.h>
#include <ifaddrs.h>
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

uint32_t xfrm_link_with(const struct addr *a)
{
	struct ifaddrs *all = NULL;
	uint32_t index = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (const struct ifaddrs *i = all; i && index == 0; i = i->ifa_next) {
		struct endpoint at;

		if (i->ifa_addr && endpoint_from_sockaddr(&at, i->ifa_addr) && addr_equal(&at.addr, a))
			index = if_nametoindex(i->ifa_name);
	}
	freeifaddrs(all);
	return index;
}

enum { LOOK_MAX = 64 };

/* One that is there. */
struct found {
	int index;
	bool xfrm; /* an XFRM interface */
	uint32_t if_id;
	char name[IFNAMSIZ], alias[32];
};

static void sign_of(uint8_t node, char out[32])
{
	(void)snprintf(out, 32, "gatewayd node %u", node);
}

static enum gw_err refused(struct err *e, const char *what, const char *name, const struct nl_answer *a)
{
	enum gw_err code = a->number == EPERM ? GW_EPERM : a->number == EOPNOTSUPP ? GW_EUNSUPPORTED : GW_EIO;

	return err_set(e, code, "%s %s: %s%s", what, name, a->text,
		       code == GW_EUNSUPPORTED ? "; do: modprobe xfrm_interface (CONFIG_XFRM_INTERFACE)" : "");
}

/* No underlying device: packets leave where the routes to their peers lead. */
static bool put_link(struct nl_batch *b, const struct xfrm_link_config *cfg)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	size_t outer, inner;

	nl_begin(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(info));
	nl_put(b, IFLA_IFNAME, cfg->name, strlen(cfg->name) + 1);
	outer = nl_nest(b, IFLA_LINKINFO);
	nl_put(b, IFLA_INFO_KIND, "xfrm", sizeof("xfrm"));
	inner = nl_nest(b, IFLA_INFO_DATA);
	nl_put_u32(b, IFLA_XFRM_IF_ID, cfg->if_id);
	nl_nest_end(b, inner);
	nl_nest_end(b, outer);
	return nl_end(b);
}

/* Nobody takes it together with the making of a link. */
static bool put_alias(struct nl_batch *b, const struct xfrm_link_config *cfg)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	char sign[32];

	sign_of(cfg->node, sign);
	nl_begin(b, RTM_NEWLINK, 0, &info, sizeof(info));
	nl_put(b, IFLA_IFNAME, cfg->name, strlen(cfg->name) + 1);
	nl_put(b, IFLA_IFALIAS, sign, strlen(sign));
	return nl_end(b);
}

static void read_text(struct bytes v, char *out, size_t cap)
{
	size_t n = v.n < cap ? v.n : cap - 1;

	memcpy(out, v.p, n);
	out[n] = 0;
}

static void read_info(struct bytes nest, struct found *out)
{
	struct bytes v, data = { 0 };
	uint16_t type;

	while (nl_attr_next(&nest, &type, &v)) {
		if (type == IFLA_INFO_KIND)
			out->xfrm = v.n == sizeof("xfrm") && memcmp(v.p, "xfrm", v.n) == 0;
		else if (type == IFLA_INFO_DATA)
			data = v;
	}
	while (out->xfrm && nl_attr_next(&data, &type, &v))
		if (type == IFLA_XFRM_IF_ID && v.n == sizeof(out->if_id))
			memcpy(&out->if_id, v.p, v.n);
}

static void read_link(const struct nlmsghdr *nlh, struct found *out)
{
	const struct ifinfomsg *info = (const void *)(nlh + 1);
	struct bytes rest = nl_attrs(nlh, sizeof(*info)), v;
	uint16_t type;

	*out = (struct found){ .index = info->ifi_index };
	while (nl_attr_next(&rest, &type, &v)) {
		if (type == IFLA_IFNAME)
			read_text(v, out->name, sizeof(out->name));
		else if (type == IFLA_IFALIAS)
			read_text(v, out->alias, sizeof(out->alias));
		else if (type == IFLA_LINKINFO)
			read_info(v, out);
	}
}

/* What is looked for, and what is there. */
struct look {
	const char *name, *alias; /* NULL: any */
	struct found list[LOOK_MAX];
	size_t n;
	int number;
};

static void on_link(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	struct look *l = arg;
	struct found f;

	(void)index;
	if (nlh->nlmsg_type != RTM_NEWLINK || nlh->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		return;
	read_link(nlh, &f);
	/* A kernel without XFRM interfaces tells of all links, whatever kind was asked for. */
	if (f.xfrm && l->n < LOOK_MAX && (!l->name || strcmp(l->name, f.name) == 0) &&
	    (!l->alias || strcmp(l->alias, f.alias) == 0))
		l->list[l->n++] = f;
}

static void on_refusal(void *arg, uint32_t index, int number, const char *text)
{
	struct look *l = arg;

	(void)index;
	(void)text;
	l->number = number;
}

/* XFRM interfaces; up to LOOK_MAX of them. */
static enum gw_err look(struct look *l, struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[128];
	const struct nl_handler h = { .error = on_refusal, .data = on_link, .arg = l };
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	struct nl_socket s;
	struct nl_batch b;
	enum gw_err r;

	nl_reset(&b, buf, sizeof(buf), 1);
	nl_begin(&b, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));
	if (!nl_end(&b))
		return err_set(e, GW_EINTERNAL, "netlink: message too large");
	TRY(nl_open(NETLINK_ROUTE, &s, e));
	r = nl_exchange(&s, &b, &h);
	nl_close(&s);
	if (r == GW_OK && l->number != 0)
		return err_set(e, GW_EIO, "list of links: %s", strerror(l->number));
	return r == GW_OK ? GW_OK : err_set(e, r, "netlink: %s", gw_err_text(r));
}

static enum gw_err remove_index(int index, const char *name, struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[128];
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct nl_answer a;
	struct nl_batch b;

	nl_reset(&b, buf, sizeof(buf), 1);
	nl_begin(&b, RTM_DELLINK, 0, &info, sizeof(info));
	if (!nl_end(&b))
		return err_set(e, GW_EINTERNAL, "netlink: message too large");
	TRY(nl_ask_once(NETLINK_ROUTE, &b, &a, e));
	return a.number == 0 || a.number == ENODEV ? GW_OK : refused(e, "remove device", name, &a);
}

/* Ours by its alias; by its ID, when there was no time for one. */
static bool is_ours(const struct found *f, const struct xfrm_link_config *cfg)
{
	char sign[32];

	sign_of(cfg->node, sign);
	return strcmp(f->alias, sign) == 0 || (f->alias[0] == 0 && f->if_id == cfg->if_id);
}

static enum gw_err make_way(const struct xfrm_link_config *cfg, struct err *e)
{
	struct look l = { .name = cfg->name };

	if (if_nametoindex(cfg->name) == 0)
		return GW_OK;
	TRY(look(&l, e));
	if (l.n == 1 && is_ours(&l.list[0], cfg))
		return remove_index(l.list[0].index, cfg->name, e);
	return err_set(e, GW_EEXIST, "XFRM interface %s: there is a device of that name, which is not ours", cfg->name);
}

static enum gw_err configure(const struct xfrm_link_config *cfg, struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[256];
	struct nl_answer a;
	struct nl_batch b;

	nl_reset(&b, buf, sizeof(buf), 1);
	if (!put_alias(&b, cfg))
		return err_set(e, GW_EINTERNAL, "netlink: message too large");
	TRY(nl_ask_once(NETLINK_ROUTE, &b, &a, e));
	if (a.number != 0)
		return refused(e, "alias of", cfg->name, &a);
	if (cfg->mtu > 0)
		TRY(tun_set_mtu(cfg->name, cfg->mtu, e));
	return tun_set_up(cfg->name, true, e);
}

enum gw_err xfrm_link_create(const struct xfrm_link_config *cfg, struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[512];
	struct nl_answer a;
	struct nl_batch b;
	struct err ignored = { 0 };
	enum gw_err r;

	if (strlen(cfg->name) >= IFNAMSIZ || cfg->if_id == 0)
		return err_set(e, GW_EINVAL, "XFRM interface %s: a name of 1 to 15 octets and an if_id are needed",
			       cfg->name);
	TRY(make_way(cfg, e));
	nl_reset(&b, buf, sizeof(buf), 1);
	if (!put_link(&b, cfg))
		return err_set(e, GW_EINTERNAL, "XFRM interface %s: message too large", cfg->name);
	TRY(nl_ask_once(NETLINK_ROUTE, &b, &a, e));
	if (a.number != 0)
		return refused(e, "XFRM interface", cfg->name, &a);
	r = configure(cfg, e);
	if (r != GW_OK)
		(void)!xfrm_link_remove(cfg->name, &ignored);
	return r;
}

enum gw_err xfrm_link_remove(const char *name, struct err *e)
{
	int index = (int)if_nametoindex(name);

	return index == 0 ? GW_OK : remove_index(index, name, e);
}

enum gw_err xfrm_link_sweep(uint8_t node, size_t *removed, struct err *e)
{
	char sign[32];
	size_t found;

	sign_of(node, sign);
	*removed = 0;
	do {
		struct look l = { .alias = sign };

		TRY(look(&l, e));
		for (found = 0; found < l.n; found++)
			TRY(remove_index(l.list[found].index, l.list[found].name, e));
		*removed += found;
	} while (found == LOOK_MAX);
	return GW_OK;
}
