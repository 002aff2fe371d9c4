#include "esp/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel's 500 overflow in 5 ms at 100,000 packets/s: one turn of another process on a busy machine. */
enum { QUEUE_PACKETS = 2000 };

static enum gw_err failed(struct err *e, const char *what, const char *name, int number)
{
	enum gw_err code = number == EPERM || number == EACCES ? GW_EPERM : GW_EIO;

	return err_set(e, code, "%s %s: %s", what, name, strerror(number));
}

static void set_name(struct ifreq *ifr, const char *name)
{
	memset(ifr, 0, sizeof(*ifr));
	memcpy(ifr->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
}

enum gw_err tun_open(const char *name, int *fd, char actual[TUN_NAME], struct err *e)
{
	struct ifreq ifr;
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (tun < 0)
		return failed(e, "open", "/dev/net/tun", errno);
	set_name(&ifr, name);
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (ioctl(tun, TUNSETIFF, &ifr) != 0) {
		enum gw_err code = failed(e, "create device", name, errno);

		(void)close(tun);
		return code;
	}
	memcpy(actual, ifr.ifr_name, TUN_NAME);
	actual[TUN_NAME - 1] = 0;
	*fd = tun;
	return GW_OK;
}

/* One interface ioctl on a socket that lives as long as it. Returns errno, 0 for success. */
static int interface_ioctl(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), number = 0;

	if (fd < 0)
		return errno;
	if (ioctl(fd, request, ifr) != 0)
		number = errno;
	(void)close(fd);
	return number;
}

enum gw_err tun_set_queue(const char *name, struct err *e)
{
	struct ifreq ifr;
	int number;

	set_name(&ifr, name);
	ifr.ifr_qlen = QUEUE_PACKETS;
	number = interface_ioctl(SIOCSIFTXQLEN, &ifr);
	return number == 0 ? GW_OK : failed(e, "set queue of", name, number);
}

enum gw_err tun_set_mtu(const char *name, uint32_t mtu, struct err *e)
{
	struct ifreq ifr;
	int number;

	set_name(&ifr, name);
	ifr.ifr_mtu = (int)mtu;
	number = interface_ioctl(SIOCSIFMTU, &ifr);
	return number == 0 ? GW_OK : failed(e, "set MTU of", name, number);
}

enum gw_err tun_set_up(const char *name, bool up, struct err *e)
{
	struct ifreq ifr;
	int number;

	set_name(&ifr, name);
	number = interface_ioctl(SIOCGIFFLAGS, &ifr);
	if (number == 0) {
		ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
		number = interface_ioctl(SIOCSIFFLAGS, &ifr);
	}
	return number == 0 ? GW_OK : failed(e, up ? "set up" : "set down", name, number);
}

static void route_message(struct nlmsghdr *nlh, bool add, unsigned index, const struct prefix *p)
{
	struct rtmsg *rtm;

	nlh->nlmsg_type = add ? RTM_NEWROUTE : RTM_DELROUTE;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = p->addr.family == 6 ? AF_INET6 : AF_INET;
	rtm->rtm_dst_len = p->len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = p->addr.family == 6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put(nlh, RTA_DST, addr_len(&p->addr), p->addr.b);
	mnl_attr_put_u32(nlh, RTA_OIF, index);
}

/* Sends one request and waits for its acknowledgement. Returns errno, 0 for success. */
static int route_talk(struct nlmsghdr *nlh)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	uint8_t buf[1024];
	ssize_t n;
	int number = 0;

	if (!nl)
		return errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		number = errno;
	while (number == 0) {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (n < 0 || mnl_cb_run(buf, (size_t)n, nlh->nlmsg_seq, mnl_socket_get_portid(nl), NULL, NULL) < 0)
			number = errno;
		else
			break;
	}
	(void)mnl_socket_close(nl);
	return number;
}

static enum gw_err route_change(const char *name, const struct prefix *p, bool add, struct err *e)
{
	_Alignas(struct nlmsghdr) uint8_t buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	unsigned index = if_nametoindex(name);
	char text[ADDR_TEXT + 4];
	int number;

	if (index == 0)
		return failed(e, "find device", name, errno);
	nlh->nlmsg_seq = 1;
	route_message(nlh, add, index, p);
	number = route_talk(nlh);
	if (number == 0 || (add && number == EEXIST) || (!add && (number == ESRCH || number == ENOENT)))
		return GW_OK;
	return failed(e, add ? "add route" : "remove route", prefix_text(p, text), number);
}

enum gw_err tun_route_add(const char *name, const struct prefix *p, struct err *e)
{
	return route_change(name, p, true, e);
}

enum gw_err tun_route_remove(const char *name, const struct prefix *p, struct err *e)
{
	return route_change(name, p, false, e);
}
